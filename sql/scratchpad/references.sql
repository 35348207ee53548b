create or replace function memos_private.reference_hash(p_kind text, p_key text)
returns bytea
language sql
stable
return sha256(convert_to(
    case when p_kind = 'search'
        then btrim(regexp_replace(lower(p_key), '[^[:alnum:]]+', ' ', 'g')) else p_key end,
    'UTF8'
));
comment on function memos_private.reference_hash is
    'What makes two references the same: of searches, the words without case and signs.';

create or replace function memos.register_reference(
    p_user_id       uuid,
    p_scratchpad_id uuid,
    p_kind          text,
    p_key           text,
    p_value         text default null,
    p_agent         text default null,
    p_metadata      jsonb default '{}'
)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'register_reference', array[p_scratchpad_id]);
    perform memos_private.require_word(
        'p_kind', p_kind, array['search', 'source', 'content', 'kv_cache', 'artifact']
    );
    perform memos_private.require_note_text('p_key', p_key, 8192, false);
    perform memos_private.require_note_text('p_value', p_value, 65536, p_kind <> 'kv_cache');
    perform memos_private.require_note_json('p_metadata', p_metadata, true, false);
    perform memos_private.lock_open_scratchpad(p_user_id, p_scratchpad_id);
    if p_agent is not null then
        perform memos_private.require_agent(p_user_id, p_scratchpad_id, p_agent);
    end if;
    insert into memos_private.scratchpad_reference (
        user_id, scratchpad_id, kind, key_hash, key, value, agent, metadata
    )
    values (
        p_user_id, p_scratchpad_id, p_kind, memos_private.reference_hash(p_kind, p_key), p_key, p_value,
        p_agent, p_metadata
    )
    on conflict (user_id, scratchpad_id, kind, key_hash) do nothing;
    if found then
        return true;
    end if;
    update memos_private.scratchpad_reference as r
    set value = coalesce(p_value, r.value), agent = p_agent, metadata = r.metadata || p_metadata
    where r.user_id = p_user_id and r.scratchpad_id = p_scratchpad_id and r.kind = p_kind
        and r.key_hash = memos_private.reference_hash(p_kind, p_key)
        and p_kind in ('kv_cache', 'artifact');
    return false;
end
$body$;
comment on function memos.register_reference is
    'Registers what is to be done or kept once; true when it is new, so that of 16 workers one goes on. '
    'p_kind search: p_key is the query. source: a URL or file that is read. content: p_key is a hash, '
    'p_value where it was. kv_cache: p_key is a content hash, p_value the cache''s id. artifact: p_key '
    'names it, p_value says what it is; put what it was made from into the metadata. The first search, '
    'source and content stay as they are; a KV cache or an artifact gets the new value. '
    'Errors: MO001, MO400, MO403, MO404, MO409.';

create or replace function memos.list_references(
    p_user_id       uuid,
    p_scratchpad_id uuid,
    p_kind          text,
    p_key           text default null,
    p_limit         int default 100
)
returns table (
    kind text, key text, value text, agent text, metadata jsonb, added_at timestamptz
)
language plpgsql
volatile
security definer
rows 10
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_word(
        'p_kind', p_kind, array['search', 'source', 'content', 'kv_cache', 'artifact']
    );
    perform memos_private.require_scratchpad(p_user_id, p_scratchpad_id);
    perform memos_private.require_limit(p_limit);
    return query
    select r.kind, r.key, r.value, r.agent, r.metadata, r.added_at
    from memos_private.scratchpad_reference as r
    where r.user_id = p_user_id and r.scratchpad_id = p_scratchpad_id and r.kind = p_kind
        and (p_key is null or r.key_hash = memos_private.reference_hash(p_kind, p_key))
    order by r.added_at desc, r.key
    limit p_limit;
    perform memos_private.audit_read(p_user_id, 'list_references', array[p_scratchpad_id]);
end
$body$;
comment on function memos.list_references is
    'What memos.register_reference holds of a kind, the newest first, or the one with that key (no row: '
    'it is not registered). Errors: MO001, MO400, MO403, MO404.';

-- Trigrams see spelling and word order, stems see other forms of the same words: the better of the two
-- counts. No index: a scratchpad has hundreds of them, not millions.
create or replace function memos_private.wording_similarity(p_one text, p_other text)
returns real
language plpgsql
immutable
set search_path = pg_catalog, public, pg_temp
as $body$
declare
    v_one constant text[] := tsvector_to_array(memos_private.text_lexemes('memos.english', left(p_one, 50000)));
    v_other constant text[] :=
        tsvector_to_array(memos_private.text_lexemes('memos.english', left(p_other, 50000)));
    v_shared constant int := cardinality(array(select unnest(v_one) intersect select unnest(v_other)));
begin
    return greatest(
        similarity(p_one, p_other),
        2.0 * v_shared / nullif(cardinality(v_one) + cardinality(v_other), 0)
    );
end
$body$;
comment on function memos_private.wording_similarity is
    'How alike two questions are, from 0 to 1: by trigrams, or by the share of stems that both have (Dice).';

create or replace function memos.find_answers(
    p_user_id        uuid,
    p_scratchpad_id  uuid,
    p_query          text,
    p_min_similarity real default 0.5,
    p_limit          int default 5
)
returns table (
    kind text, id uuid, text text, similarity real, status text, confidence real, finding_id uuid,
    finding text, source text, added_at timestamptz
)
language plpgsql
volatile
security definer
rows 5
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_note_text(
        'p_query', p_query, memos_private.setting('max_query_bytes')::int, false
    );
    perform memos_private.require_fraction('p_min_similarity', p_min_similarity);
    perform memos_private.require_limit(p_limit);
    perform memos_private.require_scratchpad(p_user_id, p_scratchpad_id);
    return query
    select a.kind, a.id, a.text, a.similarity, a.status, a.confidence, f.entry_id, f.content, f.source,
        a.added_at
    from (
        select 'question' as kind, q.question_id as id, q.question as text, q.status, q.confidence,
            memos_private.wording_similarity(q.question, p_query) as similarity, q.added_at
        from memos_private.questions(p_user_id, p_scratchpad_id) as q
        union all
        select 'search', null, r.key, null, null, memos_private.wording_similarity(r.key, p_query),
            r.added_at
        from memos_private.scratchpad_reference as r
        where r.user_id = p_user_id and r.scratchpad_id = p_scratchpad_id and r.kind = 'search'
    ) as a
    left join lateral (
        select e.entry_id, e.content, e.source
        from memos_private.scratchpad_entry as e
        where e.user_id = p_user_id and e.scratchpad_id = p_scratchpad_id and e.question_id = a.id
            and e.status <> 'retracted'
        order by e.quality desc, e.entry_id
        limit 1
    ) as f on true
    where a.similarity >= p_min_similarity
    order by a.similarity desc, a.kind, a.added_at
    limit p_limit;
    perform memos_private.audit_read(p_user_id, 'find_answers', array[p_scratchpad_id], p_query);
end
$body$;
comment on function memos.find_answers is
    'Has this been answered, or tried? Questions of the scratchpad that are worded like p_query, with '
    'their status and best finding, and searches already made. similarity: 1 means the same words. '
    'Errors: MO001, MO400, MO403, MO404.';
