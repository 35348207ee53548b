-- Whoever pins, promotes or removes a memory holds its row, and so nobody else touches its entry here.
create or replace function memos_private.tg_hot_memory()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    if tg_op <> 'DELETE' and (new.pinned or new.tier = 'hot') then
        insert into memos_private.hot_memory (user_id, memory_id)
        values (new.user_id, new.memory_id)
        on conflict (user_id, memory_id) do nothing;
    else
        delete from memos_private.hot_memory as h
        where h.user_id = old.user_id and h.memory_id = old.memory_id;
    end if;
    return null;
end
$body$;
comment on function memos_private.tg_hot_memory is 'Keeps the set of pinned and hot memories.';

create or replace trigger t70_hot_inserted
    after insert on memos_private.memory
    for each row
    when (new.pinned or new.tier = 'hot')
    execute function memos_private.tg_hot_memory();
create or replace trigger t70_hot_updated
    after update of pinned, tier on memos_private.memory
    for each row
    when ((old.pinned or old.tier = 'hot') <> (new.pinned or new.tier = 'hot'))
    execute function memos_private.tg_hot_memory();
create or replace trigger t70_hot_deleted
    after delete on memos_private.memory
    for each row
    when (old.pinned or old.tier = 'hot')
    execute function memos_private.tg_hot_memory();

create or replace function memos_private.hot_memory_ids(p_user_id uuid)
returns uuid[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    -- Unlogged tables cannot even be named on a standby.
    if not pg_is_in_recovery() then
        if exists (select from memos_private.hot_complete) then
            return array(
                select h.memory_id from memos_private.hot_memory as h where h.user_id = p_user_id
            );
        end if;
    end if;
    return array(
        select m.memory_id
        from memos_private.memory as m
        where m.user_id = p_user_id and (m.pinned or m.tier = 'hot')
    );
end
$body$;
comment on function memos_private.hot_memory_ids is
    'A user''s pinned and hot memories: from the set, or where that is not there (on a standby; after a '
    'crash until the next maintenance) from all of the user''s memories.';

create or replace function memos.hot_memories(
    p_user_id uuid, p_token_budget int default null, p_limit int default 50
)
returns table (
    rank int, memory_id uuid, version int, content text, kind text, tags text[], metadata jsonb,
    importance real, pinned boolean, uses int, last_used_at timestamptz, tokens int
)
language plpgsql
volatile
security definer
rows 20
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
declare
    v_ids uuid[];
    v_fitting uuid[] := '{}';
    v_left int := p_token_budget;
    v_row record;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_consent(p_user_id, 'recalling');
    perform memos_private.require_limit(p_limit);
    if p_token_budget < 1 then
        perform memos_private.refuse_argument(
            'p_token_budget', format('it is %s', p_token_budget), 'null, or a whole number from 1'
        );
    end if;
    v_ids := memos_private.hot_memory_ids(p_user_id);
    for v_row in
        select m.memory_id, memos_private.estimate_tokens(memos_private.revealed_content(
                p_user_id, m.memory_id, m.content, (select memos_private.opened_key(p_user_id))
            )) as tokens
        from memos_private.memory as m
        left join memos_private.memory_usage as u on u.user_id = p_user_id and u.memory_id = m.memory_id
        where m.user_id = p_user_id and m.memory_id = any (v_ids) and (m.pinned or m.tier = 'hot')
            and (m.valid_until is null or m.valid_until > now())
        order by m.pinned desc, u.uses desc nulls last, m.importance desc, m.memory_id
    loop
        exit when cardinality(v_fitting) = p_limit;
        if v_left is null or v_row.tokens <= v_left then
            v_left := v_left - v_row.tokens;
            v_fitting := v_fitting || v_row.memory_id;
        end if;
    end loop;
    perform memos_private.audit_read(p_user_id, 'hot_memories', v_fitting);
    return query
    select f.place::int, m.memory_id, m.version,
        memos_private.revealed_content(
            p_user_id, m.memory_id, m.content, (select memos_private.opened_key(p_user_id))
        ), m.kind, m.tags,
        memos_private.revealed_metadata(
            p_user_id, m.memory_id, m.content, m.metadata, (select memos_private.opened_key(p_user_id))
        ), m.importance,
        m.pinned, coalesce(u.uses, 0), u.last_used_at,
        memos_private.estimate_tokens(memos_private.revealed_content(
            p_user_id, m.memory_id, m.content, (select memos_private.opened_key(p_user_id))
        ))
    from unnest(v_fitting) with ordinality as f (memory_id, place)
    join memos_private.memory as m on m.user_id = p_user_id and m.memory_id = f.memory_id
    left join memos_private.memory_usage as u on u.user_id = p_user_id and u.memory_id = m.memory_id
    order by f.place;
end
$body$;
comment on function memos.hot_memories is
    'What belongs into every prompt of the user: pinned memories, then the most used ones, at most p_limit, '
    'and (p_token_budget) whatever still fits the tokens that are left, estimated. As they are now: a '
    'change shows at once. Writes nothing. Errors: MO001, MO400, MO403, MO451.';

create or replace function memos_admin.fill_hot_set()
returns bigint
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_count bigint;
begin
    if exists (select from memos_private.hot_complete)
        or not pg_try_advisory_xact_lock(hashtextextended('memos.fill_hot_set', 0))
    then
        return 0;
    end if;
    -- What is pinned meanwhile enters itself; what is unpinned meanwhile is an entry too many, which readers skip.
    insert into memos_private.hot_memory (user_id, memory_id)
    select m.user_id, m.memory_id
    from memos_private.memory as m
    where m.pinned or m.tier = 'hot'
    order by m.user_id, m.memory_id
    on conflict (user_id, memory_id) do nothing;
    get diagnostics v_count = row_count;
    insert into memos_private.hot_complete default values;
    return v_count;
end
$body$;
comment on function memos_admin.fill_hot_set is
    'Fills the set of hot memories when it is not there: after a crash. Returns how many it had to enter.';
