drop index if exists memos_private.scratchpad_part_idx;
create index if not exists scratchpad_open_parts_idx
    on memos_private.scratchpad_action (user_id, scratchpad_id, parent_id)
    where parent_id is not null and status in ('pending', 'in_progress', 'blocked');
