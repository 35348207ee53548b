-- memory_history and the views: the same record, seen twice.
begin;
set local role memos_app;
select plan(9);

create temp table made as
select memos.add_memory(memos.user_id('ann'), 'first') as memory_id;
create function pg_temp.id() returns uuid language sql as 'select memory_id from pg_temp.made';

select throws_ok(
    $$ select memos.memory_history(memos.user_id('ann'), gen_random_uuid()) $$, 'MO404', null,
    'an unknown memory has none'
);
select throws_ok(
    $$ select memos.memory_history(memos.user_id('bob'), pg_temp.id()) $$, 'MO404', null,
    'nor has another user''s'
);
select throws_ok(
    $$ select memos.memory_history(memos.user_id('ann'), null) $$, 'MO400', null, 'null is no id'
);
create temp table updated as
select memos.update_memory(memos.user_id('ann'), pg_temp.id(), jsonb_build_object('content', content))
from unnest(array['second', 'third']) as content;
select results_eq(
    $$ select version, content, change from memos.memory_history(memos.user_id('ann'), pg_temp.id()) $$,
    $$ values (1, 'first', 'update'), (2, 'second', 'update'), (3, 'third', 'current') $$,
    'every version, oldest first'
);
select ok(
    bool_and(recorded_at < coalesce(recorded_until, 'infinity')),
    'no version was on record for no time'
)
from memos.memory_history(memos.user_id('ann'), pg_temp.id());

select is_empty($$ select from memos.memory $$, 'the views show nothing without a user');
create temp table named as select set_config('memos.user_id', memos.user_id('ann')::text, true);
select results_eq(
    $$ select memory_id, version, content from memos.memory $$,
    $$ values (pg_temp.id(), 3, 'third') $$,
    'memos.memory shows what is true now'
);
select results_eq(
    $$
        select version, content, recorded_at, recorded_until, change
        from memos.memory_version order by version
    $$,
    $$
        select version, content, recorded_at, recorded_until, change
        from memos.memory_history(memos.user_id('ann'), pg_temp.id())
    $$,
    'memos.memory_version shows the record'
);
create temp table deleted as select memos.delete_memory(memos.user_id('ann'), pg_temp.id());
select results_eq(
    $$ select version from memos.memory_version order by version $$,
    $$ values (1), (2), (3) $$,
    'of deleted memories, too'
);

select * from finish();
rollback;
