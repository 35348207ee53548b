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
    user_id   uuid not null,
    lexeme    text collate "C" not null,
    memory_id uuid not null,
    frequency smallint not null,
    length    int not null,
    constraint posting_pkey primary key (user_id, lexeme, memory_id) include (frequency, length)
);
comment on table memos_private.posting is
    'Inverted index: how often a lexeme stands in a memory, and how long that memory is (lexemes). '
    'Kept by triggers on memory; no foreign key, which would cost more than the rest of a write.';

create table if not exists memos_private.corpus (
    user_id   uuid not null,
    language  regconfig not null,
    slot      uuid not null,
    documents bigint not null,
    tokens    bigint not null,
    constraint corpus_pkey primary key (user_id, language, slot)
);
comment on table memos_private.corpus is
    'BM25 statistics of a user''s memories, in slots to be summed: a writer adds to a slot that '
    'nobody else has locked, so that concurrent writers never wait for each other here.';

select memos_private.protect_user_table('memos_private.posting');
select memos_private.protect_user_table('memos_private.corpus');
grant select, insert, update, delete on memos_private.corpus to memos_maintenance;

drop type if exists memos_private.indexed_text;
create type memos_private.indexed_text as (
    user_id   uuid,
    memory_id uuid,
    language  regconfig,
    content   text
);
comment on type memos_private.indexed_text is 'A text on its way into or out of the inverted index.';
