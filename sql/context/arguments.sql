-- One way to refuse an argument, so that every refusal reads the same.
create or replace function memos_private.refuse_argument(p_argument text, p_detail text, p_hint text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    raise exception 'bad argument: %', p_argument
        using errcode = 'MO400', detail = p_detail, hint = p_hint;
end
$body$;
comment on function memos_private.refuse_argument is 'Raises MO400 for one argument of an API call.';

create or replace function memos_private.require_user(p_user_id uuid)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_user_id is null then
        perform memos_private.refuse_argument('p_user_id', 'it is null', 'the uuid of a user');
    end if;
end
$body$;
comment on function memos_private.require_user is
    'Raises MO400 where a function of memos_admin is to work for one user and got none.';

create or replace function memos_private.setting(p_name text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    return (select s.value from memos_private.setting as s where s.name = p_name);
end
$body$;
comment on function memos_private.setting is 'Value of a limit or constant.';
