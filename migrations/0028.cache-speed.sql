set local role memos_owner;

-- Helpers whose arguments or names have changed.
drop function if exists memos_private.cache_entry_hash(text, text, jsonb);
drop function if exists memos_private.touch_cache_entry(uuid, bytea);
drop function if exists memos_private.next_cache_hit(text);
drop function if exists memos_private.write_cache_hits(text, int);
drop function if exists memos_private.opposed_by_prefix(text[], text[]);
drop function if exists memos_private.account_cache(uuid, text, bigint, bigint);
drop function if exists memos_private.evict_cache_entries(uuid, memos_private.cache_namespace, bytea);
drop function if exists memos_private.require_valid_cache_entry(
    memos_private.cache_namespace, uuid, text, jsonb, interval, text[], public.halfvec, text, text, jsonb,
    boolean, real
);

-- Nobody knows which of the entries that are there have copies: they go, all copies with them, and what is
-- being filled, since marks have another form.
do $$
begin
    if not exists (
        select from pg_catalog.pg_attribute
        where attrelid = 'memos_private.cache_entry'::regclass and attname = 'copied'
    ) then
        truncate memos_private.cache_entry, memos_private.cache_tag, memos_private.cache_question,
            memos_private.cache_usage, memos_private.cache_lease, memos_private.cache_mark;
        alter table memos_private.cache_entry
            add column copied boolean not null default false,
            add column has_question boolean not null default false;
        perform pg_notify('memos_cache', 'everything');
    end if;
end
$$;
comment on column memos_private.cache_entry.copied is
    'Whether another process may hold a copy: only then does a notification tell of its end. Notifications '
    'take turns at commit, all of the server, so that those nobody needs would slow down every writer.';
comment on column memos_private.cache_mark.mark is
    'A tag; else, after a character U+0001, "*", "n" and a namespace, or "k" and the hash of a key.';
comment on column memos_private.cache_mark.prefix is
    'Of a tag: only in this namespace. Else: only of keys that begin with it.';
comment on column memos_private.cache_entry.has_question is 'Whether cache_question has a row for it.';
comment on column memos_private.cache_namespace.max_entries is
    'Of one user, and of the shared entries; above it the least recently used go, and up to a 64th more, so '
    'that not every write has to make room. So does max_bytes.';

-- The guard asks for the same words in the same order; these alone do not count.
insert into memos_private.question_word (word, kind, meaning)
select w.word, g.kind, g.meaning
from (values
    ('filler', '',
        'a an the and of to into in on at for with about as what which whats that this these those it its '
        'there then so very really just actually exactly please '
        'my mine your yours his hers our ours their theirs '
        'is are was were am be been being do does did done doing have has had having would '
        'way ways procedure steps mean means meaning definition s d ll re ve m t'),
    ('=preposition', 'in', 'in'),
    ('=preposition', 'on', 'on'),
    ('=preposition', 'about', 'about'),
    ('=preposition', 'with', 'with'),
    ('synonym', 'i', 'i me'),
    ('synonym', 'he', 'he him'),
    ('synonym', 'she', 'she her'),
    ('synonym', 'they', 'they them'),
    ('synonym', 'we', 'we us'),
    ('tense', 'past', 'did was were had'),
    ('tense', 'present', 'do does is are am has have'),
    ('synonym', 'can', 'can could may might'),
    ('synonym', 'differ', 'differ differs difference different'),
    ('number', '2nd', 'second'),
    ('unit', 'fortnight', 'fortnight fortnights'),
    ('unit', 'decade', 'decade decades'),
    ('unit', 'century', 'century centuries')
) as g (kind, meaning, words)
cross join lateral string_to_table(g.words, ' ') as w (word)
on conflict (word, kind) do nothing;
comment on column memos_private.question_word.kind is
    'number, unit, negation, synonym, filler (says nothing), opener (begins a sentence with a capital letter '
    'without being a name), or an axis: words of different meaning on one axis make two questions different. '
    'On an axis written with "=", so does a word that only one of them has.';
