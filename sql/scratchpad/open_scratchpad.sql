create or replace function memos.open_scratchpad(
    p_user_id    uuid,
    p_goal       text,
    p_session_id text default null,
    p_project    text default null,
    p_metadata   jsonb default '{}'
)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_now constant timestamptz := clock_timestamp();
    v_id constant uuid := memos_private.new_memory_id(v_now);
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'open_scratchpad', array[v_id]);
    perform memos_private.require_note_text(
        'p_goal', p_goal, memos_private.setting('max_content_bytes')::int, false
    );
    perform memos_private.require_note_text('p_session_id', p_session_id, 256, true);
    perform memos_private.require_note_text('p_project', p_project, 256, true);
    perform memos_private.require_note_json('p_metadata', p_metadata, true, false);
    insert into memos_private.scratchpad (
        user_id, scratchpad_id, goal, session_id, project, metadata, opened_at
    )
    values (p_user_id, v_id, p_goal, p_session_id, p_project, p_metadata, v_now);
    insert into memos_private.scratchpad_sequence (user_id, scratchpad_id) values (p_user_id, v_id);
    return v_id;
end
$body$;
comment on function memos.open_scratchpad is
    'Opens a working memory for a goal and returns its id. p_session_id: the session that what is '
    'promoted will belong to. p_project: whose weights count (memos.set_scratchpad_weights). '
    'Errors: MO001, MO400, MO403.';

create or replace function memos_private.scratchpad_changed_at(
    p_user_id uuid, p_scratchpad_id uuid, p_opened_at timestamptz
)
returns timestamptz
language sql
stable
begin atomic
    select coalesce((
        select c.changed_at
        from memos_private.scratchpad_change as c
        where c.user_id = p_user_id and c.scratchpad_id = p_scratchpad_id
        order by c.change_id desc
        limit 1
    ), p_opened_at);
end;
comment on function memos_private.scratchpad_changed_at is
    'When something changed last on a scratchpad.';

create or replace function memos.list_scratchpads(
    p_user_id  uuid,
    p_statuses text[] default null,
    p_limit    int default 50,
    p_after    uuid default null
)
returns table (
    scratchpad_id uuid, goal text, session_id text, project text, metadata jsonb, status text,
    reason text, opened_at timestamptz, changed_at timestamptz, closed_at timestamptz,
    promoted_at timestamptz, sequence bigint
)
language plpgsql
volatile
security definer
rows 10
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
declare
    v_ids uuid[] := '{}';
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_limit(p_limit);
    for scratchpad_id, goal, session_id, project, metadata, status, reason, opened_at, changed_at,
        closed_at, promoted_at, sequence in
        select s.scratchpad_id, s.goal, s.session_id, s.project, s.metadata, s.status, s.reason,
            s.opened_at, memos_private.scratchpad_changed_at(s.user_id, s.scratchpad_id, s.opened_at),
            s.closed_at, s.promoted_at, q.sequence
        from memos_private.scratchpad as s
        join memos_private.scratchpad_sequence as q
            on q.user_id = p_user_id and q.scratchpad_id = s.scratchpad_id
        where s.user_id = p_user_id and (p_statuses is null or s.status = any (p_statuses))
            and s.scratchpad_id < coalesce(p_after, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
        order by s.scratchpad_id desc
        limit p_limit
    loop
        v_ids := v_ids || scratchpad_id;
        return next;
    end loop;
    perform memos_private.audit_read(p_user_id, 'list_scratchpads', v_ids);
end
$body$;
comment on function memos.list_scratchpads is
    'The user''s scratchpads, newest first; p_statuses: open, completed, abandoned; p_after: those older '
    'than that one. sequence: the last number that memos.scratchpad_changes gave. '
    'Errors: MO001, MO400, MO403.';

create or replace function memos.get_scratchpad(p_user_id uuid, p_scratchpad_id uuid)
returns table (
    scratchpad_id uuid, goal text, session_id text, project text, metadata jsonb, status text,
    reason text, opened_at timestamptz, changed_at timestamptz, closed_at timestamptz,
    promoted_at timestamptz, sequence bigint
)
language plpgsql
volatile
security definer
rows 1
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_scratchpad(p_user_id, p_scratchpad_id);
    return query
    select s.scratchpad_id, s.goal, s.session_id, s.project, s.metadata, s.status, s.reason,
        s.opened_at, memos_private.scratchpad_changed_at(s.user_id, s.scratchpad_id, s.opened_at),
        s.closed_at, s.promoted_at, q.sequence
    from memos_private.scratchpad as s
    join memos_private.scratchpad_sequence as q
        on q.user_id = p_user_id and q.scratchpad_id = s.scratchpad_id
    where s.user_id = p_user_id and s.scratchpad_id = p_scratchpad_id;
    perform memos_private.audit_read(p_user_id, 'get_scratchpad', array[p_scratchpad_id]);
end
$body$;
comment on function memos.get_scratchpad is
    'One scratchpad, as in memos.list_scratchpads. Errors: MO001, MO400, MO403, MO404.';
