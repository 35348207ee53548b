create or replace function memos_private.retention_start(p_setting text, p_at timestamptz)
returns timestamptz
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $body$
begin
    -- Deleting early is not undone by waiting.
    if p_at is null or p_at > clock_timestamp() or p_at < '1970-01-01' then
        perform memos_private.refuse_argument(
            'p_at', memos_private.it_is(p_at),
            'a time since 1970 that has come: what is due later is not due yet'
        );
    end if;
    return p_at - make_interval(days => memos_private.setting(p_setting)::int);
end
$body$;
comment on function memos_private.retention_start is
    'What is older is due at p_at, by the setting named. Errors: MO400.';

create or replace function memos_private.require_batch(p_limit int)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_limit is null or p_limit not between 1 and 100000 then
        perform memos_private.refuse_argument(
            'p_limit', memos_private.it_is(p_limit), '1 to 100000 rows'
        );
    end if;
end
$body$;
comment on function memos_private.require_batch is 'Raises MO400 for a number of rows out of range.';

create or replace function memos_admin.due_partitions(p_at timestamptz default now())
returns table (month timestamptz, until timestamptz)
language sql
stable
security definer
rows 10
set search_path = pg_catalog, pg_temp
as $body$
    select p.month, p.until
    from memos_private.history_partitions() as p
    where p.until <= memos_private.retention_start('history_retention_days', p_at)
    order by p.month
$body$;
comment on function memos_admin.due_partitions is
    'Months of the history in which every version was superseded longer than history_retention_days '
    'before p_at; kept are those with versions of users under a legal hold. Errors: MO400.';

create or replace function memos_admin.expire_partition(
    p_month timestamptz,
    p_at    timestamptz default now(),
    p_limit int default 10000
)
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $body$
declare
    v_until timestamptz;
    v_held uuid[];
    v_vectors int;
    v_versions int;
begin
    perform memos_private.require_batch(p_limit);
    perform memos_private.lock_legal_holds();
    if not exists (select from memos_private.history_partitions() as p where p.month = p_month) then
        return 'gone';
    end if;
    select d.until into v_until from memos_admin.due_partitions(p_at) as d where d.month = p_month;
    if not found then
        perform memos_private.refuse_argument(
            'p_month', format('it is %s, which is not due', p_month),
            'one of memos_admin.due_partitions'
        );
    end if;
    perform memos_private.audit(null, 'memos_admin.expire_partition');
    v_held := memos_private.held_users();
    if not exists (
        select from memos_private.memory_history as h
        where h.superseded_at >= p_month and h.superseded_at < v_until and h.user_id = any (v_held)
    ) and not exists (
        select from memos_private.embedding_history as h
        where h.superseded_at >= p_month and h.superseded_at < v_until and h.user_id = any (v_held)
    ) then
        return case when memos_private.drop_partitions((
            select p.tables from memos_private.history_partitions() as p where p.month = p_month
        )) then 'dropped' else 'busy' end;
    end if;
    -- One partition each, in which a row's place is its identity.
    delete from memos_private.embedding_history as h
    where h.superseded_at >= p_month and h.superseded_at < v_until and h.ctid = any (array(
        select s.ctid
        from memos_private.embedding_history as s
        where s.superseded_at >= p_month and s.superseded_at < v_until and s.user_id <> all (v_held)
        limit p_limit
    ));
    get diagnostics v_vectors = row_count;
    delete from memos_private.memory_history as h
    where h.superseded_at >= p_month and h.superseded_at < v_until and h.ctid = any (array(
        select s.ctid
        from memos_private.memory_history as s
        where s.superseded_at >= p_month and s.superseded_at < v_until and s.user_id <> all (v_held)
        limit p_limit
    ));
    get diagnostics v_versions = row_count;
    return case when v_vectors + v_versions > 0 then 'thinned' else 'held' end;
end
$body$;
comment on function memos_admin.expire_partition is
    'One transaction of memos_admin.expire_history. dropped; busy: somebody is reading the history; '
    'gone: there is no such partition; held: only rows of users under a legal hold are left; thinned: '
    'at most p_limit rows of other users were deleted from each of the two tables, call again. '
    'Errors: MO400.';

-- Commits as it goes, so it can neither be a definer nor pin its search_path in a clause: it pins it
-- itself in each transaction and does nothing but call functions that are definers.
create or replace procedure memos_admin.expire_history(p_at timestamptz default now())
language plpgsql
as $body$
declare
    v_month pg_catalog.timestamptz;
    v_outcome pg_catalog.text;
begin
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    for v_month in select d.month from memos_admin.due_partitions(p_at) as d loop
        loop
            perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
            v_outcome := memos_admin.expire_partition(v_month, p_at);
            commit;
            exit when v_outcome operator(pg_catalog.<>) 'thinned';
        end loop;
        -- The same lock for each of them: no use in having others wait for it month after month.
        if v_outcome operator(pg_catalog.=) 'busy' then
            raise warning 'the history that is due stays until the next maintenance'
                using detail = pg_catalog.format('it is being read; the oldest month is of %s', v_month),
                    hint = 'pg_stat_activity shows transactions that have been open for long';
            return;
        end if;
    end loop;
end
$body$;
comment on procedure memos_admin.expire_history is
    'Drops the months of the history that were due at p_at (not later than now), versions and vectors '
    'together, what is held to have been true in the past included. Users under a legal hold keep '
    'theirs; then the rows of the others are deleted. While somebody is reading the history, what is due '
    'waits for the next call. Errors: MO400.';

create or replace function memos_admin.expire_records_batch(
    p_at    timestamptz default now(),
    p_limit int default 1000
)
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_requests_from constant timestamptz := memos_private.retention_start('request_retention_days', p_at);
    v_history_from constant timestamptz := memos_private.retention_start('history_retention_days', p_at);
    v_searches_from constant timestamptz := memos_private.retention_start('search_retention_days', p_at);
    v_held uuid[];
    v_requests int;
    v_searches int;
    v_facts int;
begin
    perform memos_private.require_batch(p_limit);
    perform memos_private.lock_legal_holds();
    v_held := memos_private.held_users();
    delete from memos_private.request as r
    where r.ctid = any (array(
        select s.ctid
        from memos_private.request as s
        where s.recorded_at < v_requests_from and s.user_id <> all (v_held)
        order by s.recorded_at
        limit p_limit
        for update skip locked
    ));
    get diagnostics v_requests = row_count;
    delete from memos_private.search_record as r
    where r.ctid = any (array(
        select s.ctid
        from memos_private.search_record as s
        where s.searched_at < v_searches_from and s.user_id <> all (v_held)
        order by s.searched_at
        limit p_limit
        for update skip locked
    ));
    get diagnostics v_searches = row_count;
    delete from memos_private.fact_history as r
    where r.ctid = any (array(
        select s.ctid
        from memos_private.fact_history as s
        where s.superseded_at < v_history_from and s.user_id <> all (v_held)
        order by s.superseded_at
        limit p_limit
        for update skip locked
    ));
    get diagnostics v_facts = row_count;
    if v_requests + v_searches + v_facts > 0 then
        perform memos_private.audit(null, 'memos_admin.expire_records_batch');
    end if;
    return v_requests + v_searches + v_facts;
end
$body$;
comment on function memos_admin.expire_records_batch is
    'Deletes request ids, recorded searches and superseded facts that were due at p_at, at most p_limit '
    'of each, and returns how many. Errors: MO400.';

create or replace procedure memos_admin.expire_records(p_at timestamptz default now())
language plpgsql
as $body$
declare
    v_done pg_catalog.int4;
begin
    loop
        perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        v_done := memos_admin.expire_records_batch(p_at);
        commit;
        exit when v_done operator(pg_catalog.=) 0;
    end loop;
end
$body$;
comment on procedure memos_admin.expire_records is
    'Deletes all request ids older than request_retention_days at p_at (not later than now), recorded '
    'searches older than search_retention_days, and facts superseded longer than history_retention_days '
    'before, but those of users under a legal hold. Errors: MO400.';
