create or replace function memos.undo_consolidation(p_user_id uuid, p_run_id uuid)
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_run memos_private.consolidation_run;
    v_action memos_private.consolidation_action;
    v_image record;
    v_source_ids uuid[];
    v_now jsonb;
    v_count int := 0;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'undo_consolidation', array[p_run_id]);
    perform memos_private.lock_consolidation(p_user_id);
    select * into v_run
    from memos_private.consolidation_run as r
    where r.user_id = p_user_id and r.run_id = p_run_id
    for update;
    if not found then
        raise exception 'consolidation not found'
            using errcode = memos_private.audit_failure('MO404'), detail = format('the user has no consolidation %s', p_run_id),
                hint = 'memos.list_consolidations shows them';
    end if;
    if v_run.undone_at is not null then
        raise exception 'the consolidation is undone already'
            using errcode = memos_private.audit_failure('MO409'), detail = format('since %s', v_run.undone_at),
                hint = 'nothing is left to undo';
    end if;
    v_source_ids := array(
        select s
        from memos_private.consolidation_action as a
        cross join lateral unnest(a.source_ids) as s
        where a.user_id = p_user_id and a.run_id = p_run_id
    );
    perform memos_private.lock_memories(p_user_id, v_source_ids || array(
        select a.memory_id from memos_private.consolidation_action as a
        where a.user_id = p_user_id and a.run_id = p_run_id
    ));
    perform memos_private.recall_memories(p_user_id, v_source_ids);
    for v_action in
        select * from memos_private.consolidation_action as a
        where a.user_id = p_user_id and a.run_id = p_run_id
        order by a.ordinal desc
    loop
        v_count := v_count + 1;
        if v_action.version is distinct from (
            select m.version from memos_private.memory as m
            where m.user_id = p_user_id and m.memory_id = v_action.memory_id
        ) then
            perform memos_private.refuse_changed(format('memory %s', v_action.memory_id));
        end if;
        for v_image in
            select b.key::uuid as memory_id, b.value as memory
            from jsonb_each(v_action.before) as b
            where b.key <> v_action.memory_id::text
            order by b.key
        loop
            v_now := (
                select to_jsonb(m) - 'content' from memos_private.memory as m
                where m.user_id = p_user_id and m.memory_id = v_image.memory_id
            );
            if v_now - 'tier' is distinct from v_image.memory - 'tier' then
                perform memos_private.refuse_changed(format('memory %s', v_image.memory_id));
            end if;
            if v_now ->> 'tier' <> v_image.memory ->> 'tier' then
                perform memos_private.move_to_tier(
                    p_user_id, array[v_image.memory_id], v_image.memory ->> 'tier'
                );
            end if;
        end loop;
        if v_action.action = 'summarize' then
            perform memos_private.remove_memory(
                p_user_id, v_action.memory_id, 'undo of consolidation ' || p_run_id
            );
        else
            delete from memos_private.memory_link as l
            where l.user_id = p_user_id and l.to_id = v_action.memory_id
                and l.from_id = any (v_action.source_ids) and l.type = 'duplicate_of'
                and l.origin = 'consolidation';
            if v_action.version <> (v_action.before #>> array[v_action.memory_id::text, 'version'])::int then
                perform memos_private.restore_version(
                    p_user_id, v_action.before -> v_action.memory_id::text,
                    'undo of consolidation ' || p_run_id
                );
            end if;
        end if;
    end loop;
    update memos_private.consolidation_run as r
    set undone_at = clock_timestamp()
    where r.user_id = p_user_id and r.run_id = p_run_id;
    return v_count;
end
$body$;
comment on function memos.undo_consolidation is
    'Takes a whole consolidation back in one transaction: sources are as they were, summaries go (they '
    'stay on record in the history), a memory that got tags has its own ones again, as a new version. '
    'Refuses (MO409, naming what) when one of them was changed since. Returns how many steps. '
    'Errors: MO001, MO400, MO403, MO404, MO409.';

create or replace function memos.list_consolidations(p_user_id uuid, p_limit int default 50)
returns table (
    run_id uuid, created_at timestamptz, undone_at timestamptz, parameters jsonb, actions jsonb
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_limit(p_limit);
    return query
    select r.run_id, r.created_at, r.undone_at, r.parameters, (
            select coalesce(jsonb_agg(jsonb_build_object(
                'action', a.action, 'memory_id', a.memory_id, 'source_ids', a.source_ids, 'reason', a.reason,
                'set_aside', a.set_aside
            ) order by a.ordinal), '[]')
            from memos_private.consolidation_action as a
            where a.user_id = p_user_id and a.run_id = r.run_id
        )
    from memos_private.consolidation_run as r
    where r.user_id = p_user_id
    order by r.run_id desc
    limit p_limit;
    perform memos_private.audit_read(p_user_id, 'list_consolidations');
end
$body$;
comment on function memos.list_consolidations is
    'The user''s consolidations, newest first, with what each did. Errors: MO001, MO400, MO403.';
