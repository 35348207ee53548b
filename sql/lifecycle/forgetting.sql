-- Forgetting follows a power law (Wixted and Ebbesen 1991), in the form of FSRS-4.5 (Ye and others,
-- github.com/open-spaced-repetition): stability is the time after which retention is 0.9.
create or replace function memos_private.retention(p_elapsed_days double precision, p_stability_days double precision)
returns double precision
language sql
immutable
parallel safe
return 1 / sqrt(1 + 19.0::double precision / 81 * greatest(p_elapsed_days, 0) / p_stability_days);
comment on function memos_private.retention is
    'R(t, S) = (1 + 19/81 t/S) ^ -0.5, in (0, 1]: 1 at once, 0.9 after S days, a half after 13 S, never 0.';

create or replace function memos_private.stability_after_use(
    p_stability_days double precision, p_retention double precision
)
returns double precision
language sql
immutable
parallel safe
return least(
    p_stability_days * (
        1 + 31.16 * p_stability_days ^ -0.1367 * (exp(1.0461 * (1 - p_retention)) - 1)
    ),
    36500
);
comment on function memos_private.stability_after_use is
    'Stability after recall as in FSRS-4.5, with its published constants at middle difficulty (31.16 = e^1.6474 '
    '* 6): a use of what is fresh adds nothing, a use of what was nearly lost adds much, and the '
    'more stable a memory is the less. At most a hundred years.';

create or replace function memos_private.days_between(p_from timestamptz, p_until timestamptz)
returns double precision
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $body$
begin
    -- By epochs: the ends of the calendar are further apart than an interval can say.
    return (date_part('epoch', p_until) - date_part('epoch', p_from)) / 86400;
end
$body$;
comment on function memos_private.days_between is 'Days of 24 hours from one time to another.';

create or replace function memos_private.stability_from_uses(
    p_initial_days double precision, p_anchor timestamptz, p_used_at timestamptz[]
)
returns double precision
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_stability double precision := p_initial_days;
    v_last timestamptz := least(p_anchor, p_used_at[1]);
    v_use timestamptz;
begin
    foreach v_use in array p_used_at loop
        v_stability := memos_private.stability_after_use(
            v_stability,
            memos_private.retention(memos_private.days_between(v_last, v_use), v_stability)
        );
        v_last := v_use;
    end loop;
    return v_stability;
end
$body$;
comment on function memos_private.stability_from_uses is
    'Stability of a memory that was learned at p_anchor and used at those times (ascending).';

create or replace function memos_private.last_uses_of_days(p_used_at timestamptz[])
returns timestamptz[]
language sql
immutable
parallel safe
return array(
    select d.used_at
    from (
        select max(u.used_at) as used_at
        from unnest(p_used_at) as u (used_at)
        group by (u.used_at at time zone 'UTC')::date
        order by 1 desc
        limit 100
    ) as d
    order by d.used_at
);
comment on function memos_private.last_uses_of_days is
    'The last use of each day, ascending, of the latest 100 days. Of a union it is the same as of the '
    'parts'' results together, so that uses may be counted in any order and portions.';

create or replace function memos_private.initial_stability(p_kind text, p_importance real)
returns double precision
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    return (0.5 + p_importance) * (
        select p.stability_days
        from memos_private.retention_parameter as p
        where p.kind in (p_kind, 'default')
        order by p.kind = 'default'
        limit 1
    );
end
$body$;
comment on function memos_private.initial_stability is
    'Stability in days of a memory that was never used: by its kind, from half as long for importance 0 to '
    'half as long again for 1.';

create or replace function memos_private.retention_anchor(
    p_memory_id uuid, p_occurred_at timestamptz, p_recorded_at timestamptz
)
returns timestamptz
language sql
immutable
parallel safe
return coalesce(
    p_occurred_at,
    -- A new version is no use: the time in the id (UUID version 7) is that of the first.
    case when substr(p_memory_id::text, 15, 1) = '7' then to_timestamp(
        ('x' || left(encode(uuid_send(p_memory_id), 'hex'), 12))::bit(48)::bigint / 1000.0::double precision
    ) end,
    p_recorded_at
);
comment on function memos_private.retention_anchor is
    'Since when a memory that was never used is being forgotten: since it happened, else since it was written.';

-- Of the invoker: the API sees one user's rows, jobs see all.
create or replace view memos_private.memory_traits with (security_invoker) as
select m.user_id, m.memory_id, m.kind, m.importance, m.pinned, m.tier, m.recorded_at,
    memos_private.retention_anchor(m.memory_id, m.occurred_at, m.recorded_at) as anchor
from memos_private.memory as m
union all
select c.user_id, c.memory_id, c.kind, c.importance, c.pinned, c.tier, c.recorded_at,
    memos_private.retention_anchor(c.memory_id, c.occurred_at, c.recorded_at)
from memos_private.cold_place as p
join memos_private.memory_cold as c
    on c.user_id = p.user_id and c.memory_id = p.memory_id and c.moved_at = p.moved_at;
comment on view memos_private.memory_traits is
    'What retention and tiers depend on, of every memory that is not deleted.';
grant select on memos_private.memory_traits to memos_maintenance;
