-- add_memories: a batch is one statement, all or nothing, one row a memory.
begin;
set local role memos_app;
select plan(21);

select results_eq(
    $$
        select ordinal, created
        from memos.add_memories(memos.user_id('ann'), '[
            {"content": "one"}, {"content": "two", "kind": "fact", "tags": ["a"], "importance": 0.25},
            {"content": "one"}, {"content": "three", "request_id": "r3"}
        ]')
    $$,
    $$ values (1, true), (2, true), (3, false), (4, true) $$,
    'one row an element, in order; the same content again creates nothing'
);
select bag_eq(
    $$
        select content, kind, tags, importance
        from memos.list_memories(memos.user_id('ann'))
    $$,
    $$
        values ('one', 'semantic', '{}'::text[], 0.5::real), ('two', 'fact', '{a}', 0.25),
            ('three', 'semantic', '{}', 0.5)
    $$,
    'what is left out has its default'
);
select results_eq(
    $$
        select m.created, m.memory_id = l.memory_id
        from memos.add_memories(memos.user_id('ann'), '[
            {"content": "two"}, {"content": "other words", "request_id": "r3"}
        ]') as m
        join memos.list_memories(memos.user_id('ann')) as l
            on l.content = case m.ordinal when 1 then 'two' else 'three' end
        order by m.ordinal
    $$,
    $$ values (false, true), (false, true) $$,
    'content and requests that were there are answered with what was there'
);
select is_empty(
    $$ select from memos.add_memories(memos.user_id('ann'), '[]') $$,
    'an empty batch is nothing'
);
select is(
    (select count(distinct memory_id)
     from memos.add_memories(
         memos.user_id('bea'),
         (select jsonb_agg(jsonb_build_object('content', n::text)) from generate_series(1, 1000) as n)
     )),
    1000::bigint,
    'a thousand at once'
);
select is(
    (select array_agg(content::int order by n)
     from (
         select content, row_number() over () as n
         from memos.list_memories(memos.user_id('bea'), p_limit => 1000)
     ) as newest),
    (select array_agg(n order by n desc) from generate_series(1, 1000) as n),
    'in the order of the batch'
);

-- All or nothing.
select throws_ok(
    format($$ select memos.add_memories(memos.user_id('cid'), %s) $$, t.memories), 'MO400', null,
    t.memories
)
from (
    values
        ($$null$$),
        ($$'{}'$$),
        ($$'"text"'$$),
        ($$'["text"]'$$),
        ($$'[null]'$$),
        ($$'[{"content": "good"}, {}]'$$),
        ($$'[{"content": "good"}, {"content": " "}]'$$),
        ($$'[{"content": "good"}, {"content": "x", "no_such_key": 1}]'$$),
        ($$'[{"content": "good"}, {"content": "x", "importance": "high"}]'$$),
        ($$'[{"content": "good"}, {"content": "x", "importance": 7}]'$$),
        ($$'[{"content": "good"}, {"content": "x", "occurred_at": "yesterday or so"}]'$$),
        ($$'[{"content": "good"}, {"content": "x", "language": "klingon"}]'$$),
        ($$'[{"content": "good"}, {"content": "x", "tags": "a"}]'$$),
        ($$'[{"content": "good"}]', array[null, null]::public.halfvec[]$$)
) as t (memories);
select is_empty(
    $$ select from memos.list_memories(memos.user_id('cid')) $$,
    'a refused batch leaves nothing'
);

select * from finish();
rollback;
