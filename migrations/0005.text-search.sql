set local role memos_owner;

-- One configuration a language, as PostgreSQL ships them, with accents removed before stemming.
do $$
declare
    v_language record;
begin
    for v_language in
        select c.cfgname as name, d.dictname as dictionary
        from pg_catalog.pg_ts_config as c
        join pg_catalog.pg_ts_config_map as m on m.mapcfg = c.oid and m.mapseqno = 1
        join pg_catalog.pg_ts_dict as d on d.oid = m.mapdict
        join pg_catalog.ts_token_type('default') as t on t.tokid = m.maptokentype
        where c.cfgnamespace = 'pg_catalog'::regnamespace and t.alias = 'word'
    loop
        if not exists (
            select from pg_catalog.pg_ts_config
            where cfgnamespace = 'memos'::regnamespace and cfgname = v_language.name
        ) then
            execute format(
                'create text search configuration memos.%I (copy = pg_catalog.%I)',
                v_language.name, v_language.name
            );
            execute format(
                'alter text search configuration memos.%I alter mapping '
                || 'for hword, hword_part, word with public.unaccent, pg_catalog.%I',
                v_language.name, v_language.dictionary
            );
        end if;
    end loop;
end
$$;

create table if not exists memos_private.posting (
    user_id     uuid not null,
    lexeme      text collate "C" not null,
    block_id    uuid not null,
    memory_ids  uuid[] not null,
    frequencies smallint[] not null,
    lengths     int[] not null,
    constraint posting_pkey primary key (user_id, lexeme, block_id),
    constraint block_is_not_empty check (cardinality(memory_ids) > 0),
    constraint block_columns_are_as_long check (
        cardinality(frequencies) = cardinality(memory_ids) and cardinality(lengths) = cardinality(memory_ids)
    )
);
comment on table memos_private.posting is
    'Inverted index, in blocks: which memories have a lexeme, how often, and how long they are '
    '(lexemes). A write adds blocks of its own; memos_admin.fold_postings packs small ones together. '
    'Kept by triggers on memory; no foreign key, which would cost more than the rest of a write.';
comment on column memos_private.posting.memory_ids is
    'At most 64, which fits a page without TOAST; frequencies and lengths stand at the same places.';

create table if not exists memos_private.corpus (
    user_id   uuid not null,
    language  regconfig not null,
    slot      uuid not null,
    documents bigint not null,
    tokens    bigint not null,
    unfolded  bigint not null,
    constraint corpus_pkey primary key (user_id, language, slot)
);
comment on table memos_private.corpus is
    'BM25 statistics of a user''s memories, in slots to be summed: a writer adds to a slot that '
    'nobody else has locked, so that concurrent writers never wait for each other here.';
comment on column memos_private.corpus.unfolded is
    'Memories written since the postings were last folded: how much there is to fold.';

select memos_private.protect_user_table('memos_private.posting');
select memos_private.protect_user_table('memos_private.corpus');
grant select, insert, update, delete on memos_private.corpus, memos_private.posting
    to memos_maintenance;

drop type if exists memos_private.indexed_text;
create type memos_private.indexed_text as (
    user_id   uuid,
    memory_id uuid,
    language  regconfig,
    content   text
);
comment on type memos_private.indexed_text is 'A text on its way into or out of the inverted index.';
