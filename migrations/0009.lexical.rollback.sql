set local role memos_owner;

lock table memos_private.memory, memos_private.memory_history in share row exclusive mode;

create or replace function memos_private.text_lexemes(p_language regconfig, p_text text)
returns tsvector
language sql
immutable
parallel safe
return to_tsvector(p_language, p_text);

set local role memos_maintenance;

do $$ begin perform memos_admin.rebuild_postings(); end $$;

drop function if exists memos_admin.rebuild_postings();

set local role memos_owner;

revoke update (lexemes, frequencies) on memos_private.memory_history from memos_maintenance;
drop function if exists memos_private.query_terms(uuid, text);
drop function if exists memos_private.lexical_lane(
    uuid, text[], double precision[], double precision, double precision, double precision,
    memos_private.version_key[], boolean, int[]
) cascade;
drop function if exists memos_private.spell_codes(text);
drop function if exists memos_private.is_code(text);
drop function if exists memos_private.part_codes(text);
drop function if exists memos_private.has_code(text);
