-- update_memory: a new version; the old one stays on record, and true for its time.
begin;
set local role memos_app;
select plan(39);

create temp table made as
select memos.add_memory(
    memos.user_id('ann'), 'Ann lives in Bath.', p_tags => array['home'],
    p_occurred_at => '2020-01-01 00:00+00'
) as memory_id;
create function pg_temp.id() returns uuid language sql as 'select memory_id from pg_temp.made';

select is(
    memos.update_memory(
        memos.user_id('ann'), pg_temp.id(),
        '{"content": "Ann lives in York.", "valid_from": "2024-01-01T00:00Z"}', 1, 'she moved'
    ),
    2,
    'the new version''s number comes back'
);
select results_eq(
    $$ select version, content, tags from memos.get_memory(memos.user_id('ann'), pg_temp.id()) $$,
    $$ values (2, 'Ann lives in York.', '{home}'::text[]) $$,
    'the new version is what is true now; what was not named stays'
);
select results_eq(
    $$
        select version, content, valid_from, valid_until, recorded_until is null, change, reason
        from memos.memory_history(memos.user_id('ann'), pg_temp.id())
    $$,
    $$
        values
            (1, 'Ann lives in Bath.', '2020-01-01 00:00+00'::timestamptz, null::timestamptz,
                false, 'update', 'she moved'),
            (2, 'Ann lives in York.', '2024-01-01 00:00+00', null, true, 'current', null)
    $$,
    'both are on record, the old one as it was believed'
);
select ok(
    (select a.recorded_until = b.recorded_at
     from memos.memory_history(memos.user_id('ann'), pg_temp.id()) as a
     join memos.memory_history(memos.user_id('ann'), pg_temp.id()) as b on b.version = a.version + 1),
    'one leaves the record as the other enters it'
);

-- Two axes of time.
select is(
    (select content from memos.get_memory(memos.user_id('ann'), pg_temp.id(), t.valid_at, t.recorded_at)),
    t.content,
    t.label
)
from (
    select 'now' as label, null::timestamptz as valid_at, null::timestamptz as recorded_at,
        'Ann lives in York.' as content
    union all
    select 'true in 2022, as known now', '2022-06-01', null, 'Ann lives in Bath.'
    union all
    select 'true in 2025, as known now', '2025-06-01', null, 'Ann lives in York.'
    union all
    select 'true in 2025, as known before the update', '2025-06-01',
        (select recorded_at from memos.memory_history(memos.user_id('ann'), pg_temp.id()) where version = 1),
        'Ann lives in Bath.'
    union all
    select 'known before the update', null,
        (select recorded_at from memos.memory_history(memos.user_id('ann'), pg_temp.id()) where version = 1),
        'Ann lives in Bath.'
) as t;
select throws_ok(
    $$ select memos.get_memory(memos.user_id('ann'), pg_temp.id(), '2019-01-01') $$,
    'MO404', null, 'before it was true there is nothing'
);
select throws_ok(
    $$ select memos.get_memory(memos.user_id('ann'), pg_temp.id(), null, '2019-01-01') $$,
    'MO404', null, 'before it was on record there is nothing'
);

-- A correction: the old content was never true.
select is(
    memos.update_memory(
        memos.user_id('ann'), pg_temp.id(),
        '{"content": "Ann lives in Leeds.", "valid_from": "2024-01-01T00:00Z"}'
    ),
    3,
    'a correction is a version, too'
);
select is(
    (select content from memos.get_memory(memos.user_id('ann'), pg_temp.id(), '2024-06-01')),
    'Ann lives in Leeds.',
    'what was corrected is not said to have been true'
);
select is(
    (select content from memos.get_memory(memos.user_id('ann'), pg_temp.id(), '2022-06-01')),
    'Ann lives in Bath.',
    'and what was true before stays so'
);
select is(
    (select content from memos.get_memory(
        memos.user_id('ann'), pg_temp.id(), '2024-06-01',
        (select recorded_at from memos.memory_history(memos.user_id('ann'), pg_temp.id()) where version = 2)
    )),
    'Ann lives in York.',
    'the mistake is what was known then'
);

-- Content without a time is true from now on.
select is(
    memos.update_memory(memos.user_id('ann'), pg_temp.id(), '{"content": "Ann lives in Rome."}'), 4,
    'new content without a time'
);
select ok(
    (select valid_from between now() and clock_timestamp()
     from memos.get_memory(memos.user_id('ann'), pg_temp.id())),
    'is true from now on'
);
select is(
    (select content from memos.get_memory(memos.user_id('ann'), pg_temp.id(), '2024-06-01')),
    'Ann lives in Leeds.',
    'and the old one stays true before'
);
select is(
    memos.update_memory(memos.user_id('ann'), pg_temp.id(), '{"importance": 1, "tags": ["a", "b"]}'), 5,
    'other columns change alone'
);
select ok(
    (select a.valid_from = b.valid_from and b.importance = 1 and b.tags = '{a,b}' and b.version = 5
     from memos.memory_history(memos.user_id('ann'), pg_temp.id()) as a
     join memos.get_memory(memos.user_id('ann'), pg_temp.id()) as b on a.version = 4),
    'and do not touch since when it is true'
);
select is(
    memos.update_memory(memos.user_id('ann'), pg_temp.id(), '{"content": "Ann lives in Rome."}'), 5,
    'a change to the same makes no version'
);
select is(
    (select count(*) from memos.memory_history(memos.user_id('ann'), pg_temp.id())), 5::bigint,
    'and nothing on record'
);

-- An end of validity.
select is(
    memos.update_memory(
        memos.user_id('ann'), pg_temp.id(), '{"valid_until": "2999-01-01T00:00Z"}'
    ),
    6, 'an end of validity can be set'
);
select throws_ok(
    $$ select memos.get_memory(memos.user_id('ann'), pg_temp.id(), '3000-01-01') $$,
    'MO404', null, 'and holds'
);

-- Refused, with nothing changed.
select throws_ok(
    $$ select memos.update_memory(memos.user_id('ann'), pg_temp.id(), '{"kind": "fact"}', 2) $$,
    'MO409', null, 'an outdated version is refused'
);
select throws_ok(
    $$ select memos.update_memory(memos.user_id('ann'), gen_random_uuid(), '{"kind": "fact"}') $$,
    'MO404', null, 'an unknown memory is refused'
);
select throws_ok(
    $$ select memos.update_memory(memos.user_id('bob'), pg_temp.id(), '{"kind": "fact"}') $$,
    'MO404', null, 'another user''s memory is unknown'
);
create temp table other as select memos.add_memory(memos.user_id('ann'), 'taken') as memory_id;
select throws_ok(
    $$ select memos.update_memory(memos.user_id('ann'), pg_temp.id(), '{"content": "taken"}') $$,
    'MO409', null, 'the content of another memory is refused'
);
select throws_ok(
    format($$ select memos.update_memory(memos.user_id('ann'), pg_temp.id(), %s) $$, t.changes),
    'MO400', null, t.changes
)
from (
    values
        ($$null$$),
        ($$'{}'$$),
        ($$'[]'$$),
        ($$'{"content": null}'$$),
        ($$'{"content": " "}'$$),
        ($$'{"version": 9}'$$),
        ($$'{"memory_id": null}'$$),
        ($$'{"importance": 2}'$$),
        ($$'{"valid_from": null}'$$),
        ($$'{"valid_until": "1999-01-01T00:00Z"}'$$)
) as t (changes);
select is(
    (select version from memos.get_memory(memos.user_id('ann'), pg_temp.id())), 6,
    'a refused update changes nothing'
);

select * from finish();
rollback;
