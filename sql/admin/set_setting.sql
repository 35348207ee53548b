create or replace function memos_admin.set_setting(p_name text, p_value text)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_form constant text := case
        when p_name = 'audit_reads' then '^(buffered|durable|logged)$'
        when p_name like 'bm25%' then '^\d{1,3}(\.\d{1,9})?$'
        when p_name like any ('{%similarity,%retention,%quality}') then '^(0(\.\d{1,9})?|1)$'
        when p_name like any ('{%days,%hours}') then '^[1-9]\d{0,4}$'
        when p_name = 'restricted_encryption' then '^(when_keyed|required)$'
        else '^[1-9]\d{0,8}$'
    end;
begin
    if p_value is null or p_value !~ v_form then
        perform memos_private.refuse_argument(
            'p_value', memos_private.it_is(p_value),
            case
                when p_name = 'audit_reads' then 'buffered, durable or logged'
                when p_name like 'bm25%' then 'a number from 0'
                when p_name like any ('{%similarity,%retention,%quality}') then 'a number from 0 to 1'
                when p_name like any ('{%days,%hours}') then 'a whole number from 1 to 99999'
                when p_name = 'restricted_encryption' then 'when_keyed or required'
                else 'a whole number from 1'
            end
        );
    end if;
    perform memos_private.audit(null, 'memos_admin.set_setting');
    update memos_private.setting set value = p_value where name = p_name;
    if not found then
        perform memos_private.refuse_argument(
            'p_name', memos_private.it_is(p_name),
            'one of: ' || (select string_agg(name, ', ' order by name) from memos_private.setting)
        );
    end if;
end
$body$;
comment on function memos_admin.set_setting is
    'Changes a limit or constant; memos_admin.settings lists them. Errors: MO400.';

create or replace function memos_admin.settings()
returns table (name text, value text, description text)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $body$
    select s.name, s.value, s.description from memos_private.setting as s order by s.name
$body$;
comment on function memos_admin.settings is 'Limits and constants, with what they mean.';
