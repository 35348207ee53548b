create or replace function memos_private.require_profile(p_name text)
returns memos_private.search_profile
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_profile memos_private.search_profile;
begin
    select * into v_profile from memos_private.search_profile as p where p.name = p_name;
    if not found then
        perform memos_private.refuse_argument(
            'p_profile', format('there is no profile "%s"', left(p_name, 200)),
            'one of: ' || coalesce((select string_agg(p.name, ', ' order by p.name)
                from memos_private.search_profile as p), 'none')
        );
    end if;
    return v_profile;
end
$body$;
comment on function memos_private.require_profile is 'A search profile by its name. Errors: MO400.';

create or replace function memos_admin.set_search_profile(
    p_name text, p_description text, p_weights jsonb, p_rrf_k int default 60
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_name is null or p_name !~ '^[a-z][a-z0-9_]{0,63}$' then
        perform memos_private.refuse_argument(
            'p_name', memos_private.it_is(p_name),
            'lower-case letters, digits and underscores, at most 64'
        );
    elsif p_rrf_k is null or p_rrf_k not between 1 and 10000 then
        perform memos_private.refuse_argument(
            'p_rrf_k', memos_private.it_is(p_rrf_k), 'a whole number from 1 to 10000'
        );
    elsif p_weights is null then
        perform memos_private.refuse_argument('p_weights', 'it is null', 'a JSON object');
    end if;
    perform memos_private.audit(null, 'memos_admin.set_search_profile');
    perform memos_private.search_weights(p_weights, 'rrf', null);
    insert into memos_private.search_profile as p (name, description, weights, rrf_k)
    values (p_name, coalesce(p_description, ''), p_weights, p_rrf_k)
    on conflict (name) do update
    set description = excluded.description, weights = excluded.weights, rrf_k = excluded.rrf_k;
end
$body$;
comment on function memos_admin.set_search_profile is
    'Adds or changes a search profile: weights of dense and lexical and k of the reciprocal rank fusion '
    'for one kind of question. Errors: MO400.';

create or replace function memos_admin.search_profiles()
returns table (name text, description text, weights jsonb, rrf_k int)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $body$
    select p.name, p.description, p.weights, p.rrf_k from memos_private.search_profile as p order by p.name
$body$;
comment on function memos_admin.search_profiles is 'The profiles that p_profile of a search can name.';
