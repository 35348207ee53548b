set local role memos_owner;

-- Of every state: with an action its parts go, too, and were looked for among all actions.
create index if not exists scratchpad_part_idx
    on memos_private.scratchpad_action (user_id, scratchpad_id, parent_id) where parent_id is not null;
drop index if exists memos_private.scratchpad_open_parts_idx;
