create or replace procedure memos_admin.run_maintenance()
language plpgsql
as $body$
begin
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    perform memos_admin.maintain_partitions();
    commit;
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    perform memos_admin.fold_corpus();
    commit;
end
$body$;
comment on procedure memos_admin.run_maintenance is
    'What has to happen now and then (hourly to daily): partitions, statistics. Safe to run at any time.';

create or replace function memos_admin.maintain_partitions()
returns void
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
    select memos_private.maintain_partitions()
$body$;
comment on function memos_admin.maintain_partitions is
    'Makes the partitions of the next twelve months, with row-level security.';

create or replace function memos_admin.fold_corpus()
returns bigint
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
    with crowded as (
        select c.user_id, c.language
        from memos_private.corpus as c
        group by c.user_id, c.language
        having count(*) > 1
    ),
    free as (
        select c.user_id, c.language, c.slot
        from memos_private.corpus as c
        join crowded using (user_id, language)
        order by c.user_id, c.language, c.slot
        for update of c skip locked
    ),
    gone as (
        delete from memos_private.corpus as c
        using free as f
        where c.user_id = f.user_id and c.language = f.language and c.slot = f.slot
        returning c.user_id, c.language, c.documents, c.tokens
    ),
    folded as (
        insert into memos_private.corpus (user_id, language, slot, documents, tokens)
        select g.user_id, g.language, gen_random_uuid(), sum(g.documents), sum(g.tokens)
        from gone as g
        group by g.user_id, g.language
        returning 1
    )
    select (select count(*) from gone) - (select count(*) from folded)
$body$;
comment on function memos_admin.fold_corpus is
    'Sums up the slots of the search statistics that concurrent writers left; returns how many went.';
