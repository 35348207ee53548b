-- user_id, pins, lists and figures.
begin;
set local role memos_app;
select plan(22);

select is(memos.user_id('ann'), memos.user_id('ann'), 'an outside id is always the same user');
select isnt(memos.user_id('ann'), memos.user_id('Ann'), 'letter by letter');
select is(
    substr(memos.user_id('ann')::text, 15, 1), '5', 'it is a name-based UUID, of version 5'
);
select volatility_is('memos', 'user_id', array['text'], 'immutable', 'user_id can be indexed');
select throws_ok(
    format('select memos.user_id(%s)', t.id), 'MO400', null, 'no user: ' || left(t.id, 20)
)
from (values ('null'), (''''''), (''' '''), ('repeat(''x'', 1025)')) as t (id);

create temp table made as
select m.ordinal, m.memory_id
from memos.add_memories(memos.user_id('ann'), '[
    {"content": "a", "kind": "fact", "tags": ["x", "y"]},
    {"content": "b", "kind": "fact", "tags": ["x"], "session_id": "s"},
    {"content": "c", "kind": "event", "session_id": "s", "privacy_level": "restricted"}
]') as m;

select results_eq(
    $$ select content from memos.list_memories(memos.user_id('ann')) $$,
    $$ values ('c'), ('b'), ('a') $$,
    'newest first'
);
select results_eq(
    $$
        select content
        from memos.list_memories(
            memos.user_id('ann'), p_limit => 1,
            p_after => (select memory_id from made where ordinal = 3)
        )
    $$,
    $$ values ('b') $$,
    'page after page'
);
select results_eq(
    $$ select content from memos.list_memories(memos.user_id('ann'), p_kinds => '{fact}') $$,
    $$ values ('b'), ('a') $$,
    'of a kind'
);
select results_eq(
    $$ select content from memos.list_memories(memos.user_id('ann'), p_tags => '{y}') $$,
    $$ values ('a') $$,
    'with a tag'
);
select is_empty($$ select from memos.list_memories(memos.user_id('bob')) $$, 'one user''s only');
select throws_ok(
    format($$ select memos.list_memories(memos.user_id('ann'), p_limit => %s) $$, t.n), 'MO400', null,
    'no limit: ' || t.n
)
from (values ('0'), ('-1'), ('null'), ('1001')) as t (n);

select lives_ok(
    $$ select memos.pin_memory(memos.user_id('ann'), memory_id) from made where ordinal = 1 $$,
    'a memory can be pinned'
);
select results_eq(
    $$ select content, version from memos.list_memories(memos.user_id('ann')) where pinned $$,
    $$ values ('a', 1) $$,
    'a pin makes no version'
);
select throws_ok(
    $$ select memos.pin_memory(memos.user_id('bob'), (select memory_id from made limit 1)) $$,
    'MO404', null, 'one cannot pin another user''s'
);
select results_eq(
    $$
        select memories, pinned, versions, sessions, kinds, privacy_levels, content_bytes
        from memos.memory_stats(memos.user_id('ann'))
    $$,
    $$
        values (3::bigint, 1::bigint, 3::bigint, 1::bigint, '{"fact": 2, "event": 1}'::jsonb,
            '{"balanced": 2, "restricted": 1}'::jsonb, 3::bigint)
    $$,
    'the figures are right'
);
select results_eq(
    $$ select memories, oldest from memos.memory_stats(memos.user_id('nobody')) $$,
    $$ values (0::bigint, null::timestamptz) $$,
    'and zero for a user without memories'
);

select * from finish();
rollback;
