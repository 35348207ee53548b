create or replace function memos_private.retention_of(
    p_traits memos_private.memory_traits, p_usage memos_private.memory_usage, p_waiting timestamptz[],
    p_at timestamptz
)
returns double precision
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_initial constant double precision :=
        memos_private.initial_stability(p_traits.kind, p_traits.importance);
    v_used_at constant timestamptz[] := case when p_waiting is null then p_usage.used_at
        else memos_private.last_uses_of_days(p_usage.used_at || p_waiting) end;
begin
    if p_traits.pinned then
        return 1;
    elsif v_used_at is null then
        return memos_private.retention(memos_private.days_between(p_traits.anchor, p_at), v_initial);
    end if;
    return memos_private.retention(
        memos_private.days_between(
            greatest(p_traits.anchor, v_used_at[cardinality(v_used_at)]), p_at
        ),
        case when p_waiting is null then p_usage.stability
            else memos_private.stability_from_uses(v_initial, p_traits.anchor, v_used_at) end
    );
end
$body$;
comment on function memos_private.retention_of is
    'Retention of a memory at p_at, from its counted uses (null: none) and those that wait to be counted '
    '(null: none).';

create or replace function memos.memory_retention(
    p_user_id uuid, p_memory_id uuid, p_at timestamptz default now()
)
returns double precision
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
-- Planning its way through the partitions of the cold memories costs more than all the rest.
set plan_cache_mode = force_generic_plan
as $body$
declare
    v_retention double precision;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit_read(p_user_id, 'memory_retention', array[p_memory_id]);
    if p_at is null or not isfinite(p_at) then
        perform memos_private.refuse_argument(
            'p_at', coalesce(format('it is %s', p_at), 'it is null'), 'a finite time'
        );
    end if;
    select memos_private.retention_of(
        t, u, (
            select array_agg(a.accessed_at)
            from memos_private.memory_access as a
            where a.user_id = p_user_id and a.memory_id = p_memory_id
        ), p_at
    )
    into v_retention
    from memos_private.memory_traits as t
    left join memos_private.memory_usage as u on u.user_id = p_user_id and u.memory_id = p_memory_id
    where t.user_id = p_user_id and t.memory_id = p_memory_id;
    if not found then
        perform memos_private.refuse_missing_memory(p_memory_id);
    end if;
    return v_retention;
end
$body$;
comment on function memos.memory_retention is
    'How well a memory is retained at p_at, in (0, 1]: 1 when it happened (was written, was used) just then '
    'or is pinned, then falling by a power law, the more slowly the more often it was used at intervals. '
    'Follows from what is stored alone: asking changes nothing, nor does whether a job has run. '
    'Errors: MO001, MO400, MO403, MO404.';

create or replace function memos.memory_usage(p_user_id uuid, p_limit int default 50)
returns table (
    memory_id uuid, uses bigint, last_used_at timestamptz, retention double precision, pinned boolean,
    tier text
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_limit(p_limit);
    return query
    with waiting as (
        select a.memory_id, count(*) as uses, array_agg(a.accessed_at) as used_at,
            max(a.accessed_at) as last_used_at
        from memos_private.memory_access as a
        where a.user_id = p_user_id
        group by a.memory_id
    ),
    used as (
        select c.memory_id from memos_private.memory_usage as c where c.user_id = p_user_id
        union
        select w.memory_id from waiting as w
    )
    select s.memory_id, s.uses, s.last_used_at,
        memos_private.retention_of(s.traits, s.usage, s.waiting, now()), s.pinned, s.tier
    from (
        select d.memory_id, coalesce(u.uses, 0) + coalesce(w.uses, 0) as uses,
            greatest(u.last_used_at, w.last_used_at) as last_used_at, w.used_at as waiting, u as usage,
            t as traits, t.pinned, t.tier
        from used as d
        join memos_private.memory_traits as t using (memory_id)
        left join waiting as w using (memory_id)
        left join memos_private.memory_usage as u on u.user_id = p_user_id and u.memory_id = d.memory_id
        where t.user_id = p_user_id
        order by 2 desc, 3 desc, 1
        limit p_limit
    ) as s
    order by s.uses desc, s.last_used_at desc, s.memory_id;
    perform memos_private.audit_read(p_user_id, 'memory_usage');
end
$body$;
comment on function memos.memory_usage is
    'The memories that were used, most used first: how often, when last, how well they are retained now. '
    'Counts what was recorded up to now, whether or not a job has run. Errors: MO001, MO400, MO403.';
