-- add_memory: what is stored, what counts as the same, what is refused.
begin;
set local role memos_app;
select plan(37);

create temp table made as
select memos.add_memory(
    memos.user_id('ann'), 'The clinic is at Mill Lane 4.', 'fact', array['place', 'health'],
    '{"floor": 2}', p_importance => 0.75, p_confidence => 0.5, p_privacy_level => 'comprehensive',
    p_provenance => 'tool', p_session_id => 's1', p_position => 3,
    p_occurred_at => '2024-05-01 10:00+00', p_language => 'english'
) as memory_id;

select results_eq(
    $$
        select version, content, kind, tags, metadata, importance, confidence, privacy_level,
            provenance, session_id, position, occurred_at, valid_from, valid_until, pinned, tier
        from memos.get_memory(memos.user_id('ann'), (select memory_id from made))
    $$,
    $$
        values (
            1, 'The clinic is at Mill Lane 4.', 'fact', array['place', 'health'], '{"floor": 2}'::jsonb,
            0.75::real, 0.5::real, 'comprehensive', 'tool', 's1', 3, '2024-05-01 10:00+00'::timestamptz,
            '2024-05-01 10:00+00'::timestamptz, null::timestamptz, false, 'warm'
        )
    $$,
    'every argument is kept; it is true from when it happened'
);
create temp table plain as
select memos.add_memory(memos.user_id('ann'), 'with the defaults') as memory_id;
select results_eq(
    $$
        select kind, tags, metadata, importance, confidence, privacy_level, provenance, session_id,
            position, occurred_at
        from memos.get_memory(memos.user_id('ann'), (select memory_id from plain))
    $$,
    $$
        values (
            'semantic', '{}'::text[], '{}'::jsonb, 0.5::real, 1.0::real, 'balanced', 'user',
            null::text, null::int, null::timestamptz
        )
    $$,
    'the defaults are those of the contract'
);
select ok(
    (select recorded_at between now() and clock_timestamp() and valid_from = recorded_at
     from memos.list_memories(memos.user_id('ann'), p_limit => 1)),
    'without a time of the event, a memory is true from when it was recorded'
);

-- Identity.
select is(
    memos.add_memory(memos.user_id('ann'), 'The clinic is at Mill Lane 4.', 'other'),
    (select memory_id from made),
    'the same content is the same memory'
);
select is(
    (select version || kind from memos.get_memory(memos.user_id('ann'), (select memory_id from made))),
    '1fact',
    'and stays as it was'
);
select isnt(
    memos.add_memory(memos.user_id('ann'), 'the clinic is at mill lane 4.'),
    (select memory_id from made),
    'other letters are another memory'
);
select isnt(
    memos.add_memory(memos.user_id('bob'), 'The clinic is at Mill Lane 4.'),
    (select memory_id from made),
    'another user''s same content is another memory'
);
select is(
    memos.add_memory(memos.user_id('ann'), U&'caf\00e9'),
    memos.add_memory(memos.user_id('ann'), U&'cafe\0301'),
    'two spellings of the same characters are the same content'
);
create temp table asked as
select memos.add_memory(memos.user_id('ann'), 'asked once', p_request_id => 'q1') as memory_id;
select is(
    memos.add_memory(memos.user_id('ann'), 'asked once', p_request_id => 'q1'),
    (select memory_id from asked),
    'a repeated request gets the first answer'
);
select is(
    memos.add_memory(memos.user_id('ann'), 'asked again, in other words', p_request_id => 'q1'),
    (select memory_id from asked),
    'whatever it says the second time'
);
select is_empty(
    $$
        select from memos.list_memories(memos.user_id('ann'))
        where content = 'asked again, in other words'
    $$,
    'which is not stored'
);
select isnt(
    memos.add_memory(memos.user_id('bob'), 'asked once', p_request_id => 'q1'),
    (select memory_id from asked),
    'another user''s request id is another request'
);
select is(
    memos.add_memory(memos.user_id('ann'), 'asked once', p_request_id => 'q2'),
    (select memory_id from asked),
    'another request with the same content finds the same memory'
);
select is(
    memos.add_memory(memos.user_id('ann'), 'something new', p_request_id => 'q2'),
    (select memory_id from asked),
    'and is answered so from then on'
);

-- Content comes back as it went in.
create temp table told as
select t.label, t.content, memos.add_memory(memos.user_id('ann'), t.content) as memory_id
from (
    values
        ('emoji and right-to-left', U&'\+01F600 \05E9\05DC\05D5\05DD'),
        ('line ends and blanks', E'  two\r\n lines\t\n'),
        ('quotes and percent signs', $q$it's "50%" of \ $1 {}$q$),
        ('one character', 'x')
) as t (label, content);
select is(
    (select content from memos.get_memory(memos.user_id('ann'), t.memory_id)),
    t.content,
    'content survives: ' || t.label
)
from told as t;

-- Bad arguments.
select throws_ok(format($$ select memos.add_memory(%s) $$, t.arguments), 'MO400', null, t.arguments)
from (
    values
        ($$null, 'x'$$),
        ($$memos.user_id('ann'), null$$),
        ($$memos.user_id('ann'), ''$$),
        ($$memos.user_id('ann'), E' \n\t '$$),
        ($$memos.user_id('ann'), repeat('x', 1048577)$$),
        ($$memos.user_id('ann'), 'x', p_kind => 'Upper'$$),
        ($$memos.user_id('ann'), 'x', p_kind => null$$),
        ($$memos.user_id('ann'), 'x', p_tags => array['a', null]$$),
        ($$memos.user_id('ann'), 'x', p_metadata => '[]'$$),
        ($$memos.user_id('ann'), 'x', p_importance => 1.1$$),
        ($$memos.user_id('ann'), 'x', p_importance => 'nan'$$),
        ($$memos.user_id('ann'), 'x', p_confidence => -0.1$$),
        ($$memos.user_id('ann'), 'x', p_privacy_level => 'secret'$$),
        ($$memos.user_id('ann'), 'x', p_provenance => 'rumour'$$),
        ($$memos.user_id('ann'), 'x', p_session_id => ''$$),
        ($$memos.user_id('ann'), 'x', p_position => -1$$),
        ($$memos.user_id('ann'), 'x', p_occurred_at => 'infinity'$$),
        ($$memos.user_id('ann'), 'x', p_language => 'klingon'$$),
        ($$memos.user_id('ann'), 'x', p_model => 'no such model'$$)
) as t (arguments);

select * from finish();
rollback;
