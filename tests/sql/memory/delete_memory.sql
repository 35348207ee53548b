-- delete_memory: out of everything that is known now, still on record.
begin;
set local role memos_app;
select plan(20);

create temp table made as
select memos.add_memory(
    memos.user_id('ann'), 'Ann has a cat.', p_occurred_at => '2020-01-01 00:00+00'
) as memory_id;
create function pg_temp.id() returns uuid language sql as 'select memory_id from pg_temp.made';
create temp table updated as
select memos.update_memory(
    memos.user_id('ann'), pg_temp.id(),
    '{"content": "Ann has two cats.", "valid_from": "2022-01-01T00:00Z"}'
) as version;

select is(
    memos.delete_memory(memos.user_id('bob'), pg_temp.id()), false, 'not by another user'
);
select is(memos.delete_memory(memos.user_id('ann'), gen_random_uuid()), false, 'not an unknown one');
select throws_ok(
    $$ select memos.delete_memory(memos.user_id('ann'), null) $$, 'MO400', null, 'null is no id'
);
select ok(
    exists (select from memos.search_memories(memos.user_id('ann'), 'cats')), 'findable before'
);
select is(
    memos.delete_memory(memos.user_id('ann'), pg_temp.id(), 'wrong person'), true, 'deleted'
);
select is(memos.delete_memory(memos.user_id('ann'), pg_temp.id()), false, 'only once');

select throws_ok(
    $$ select memos.get_memory(memos.user_id('ann'), pg_temp.id()) $$, 'MO404', null, 'not got'
);
select is_empty($$ select from memos.list_memories(memos.user_id('ann')) $$, 'not listed');
select is_empty($$ select from memos.search_memories(memos.user_id('ann'), 'cats') $$, 'not found');
select is((select memories from memos.memory_stats(memos.user_id('ann'))), 0::bigint, 'not counted');
select throws_ok(
    $$ select memos.update_memory(memos.user_id('ann'), pg_temp.id(), '{"kind": "fact"}') $$,
    'MO404', null, 'not updated'
);
select throws_ok(
    $$ select memos.pin_memory(memos.user_id('ann'), pg_temp.id()) $$, 'MO404', null, 'not pinned'
);

select results_eq(
    $$
        select version, content, change, reason, recorded_until is not null
        from memos.memory_history(memos.user_id('ann'), pg_temp.id())
    $$,
    $$
        values (1, 'Ann has a cat.', 'update', null::text, true),
            (2, 'Ann has two cats.', 'delete', 'wrong person', true)
    $$,
    'but on record'
);
select is(
    (select content from memos.get_memory(memos.user_id('ann'), pg_temp.id(), null, recorded_at)),
    'Ann has two cats.',
    'and known as of then'
)
from memos.memory_history(memos.user_id('ann'), pg_temp.id())
where version = 2;
select is(
    (select content from memos.get_memory(memos.user_id('ann'), pg_temp.id(), '2021-01-01', recorded_at)),
    'Ann has a cat.',
    'with what was held true for earlier'
)
from memos.memory_history(memos.user_id('ann'), pg_temp.id())
where version = 2;
select throws_ok(
    $$ select memos.get_memory(memos.user_id('ann'), pg_temp.id(), '2021-01-01') $$,
    'MO404', null, 'which the deletion ends, too'
);

-- The same words again are a new memory: the old one is history.
create temp table again as
select memos.add_memory(memos.user_id('ann'), 'Ann has two cats.') as memory_id;
select isnt((select memory_id from again), pg_temp.id(), 'said again it is a new memory');
select is(
    (select count(*) from memos.list_memories(memos.user_id('ann'))), 1::bigint, 'the only one now'
);
select is(
    (select count(*) from memos.search_memories(memos.user_id('ann'), 'cats')), 1::bigint,
    'and found'
);
select is(
    (select count(*) from memos.memory_history(memos.user_id('ann'), pg_temp.id())), 2::bigint,
    'beside the old one''s record'
);

select * from finish();
rollback;
