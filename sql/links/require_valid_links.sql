-- The order of the two ends says nothing in these types: one link, stored with the smaller id first.
create or replace function memos_private.is_symmetric(p_type text)
returns boolean
language sql
immutable
return p_type in ('semantic', 'related', 'contradicts');
comment on function memos_private.is_symmetric is
    'Whether links of this type mean the same both ways; the table''s check says so too.';

create or replace function memos_private.require_link_type(p_argument text, p_type text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_type is null or p_type !~ '^[a-z][a-z0-9_]{0,63}$' then
        perform memos_private.refuse_argument(
            p_argument, memos_private.it_is(p_type),
            'semantic, reference, supports, contradicts, derived_from, answers, related, or a '
            || 'lower-case word of your own, at most 64 characters'
        );
    end if;
end
$body$;
comment on function memos_private.require_link_type is 'Raises MO400 for what cannot be a type of link.';

create or replace function memos_private.require_link(p_from uuid, p_to uuid, p_type text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_from is null then
        perform memos_private.refuse_argument('p_from', 'it is null', 'pass the id of a memory');
    end if;
    if p_to is null or p_to = p_from then
        perform memos_private.refuse_argument(
            'p_to', case when p_to is null then 'it is null' else 'it is the same memory as p_from' end,
            'pass the id of another memory'
        );
    end if;
    perform memos_private.require_link_type('p_type', p_type);
end
$body$;
comment on function memos_private.require_link is 'Raises MO400 for what cannot be a link.';

create or replace function memos_private.require_fraction(p_argument text, p_value real)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_value is null or not p_value between 0 and 1 then
        perform memos_private.refuse_argument(
            p_argument, memos_private.it_is(p_value), 'a number from 0 to 1'
        );
    end if;
end
$body$;
comment on function memos_private.require_fraction is 'Raises MO400 for a number outside 0 to 1.';
