set local role memos_owner;
drop function if exists memos_private.due_memories(uuid);
drop function if exists memos_private.retention_clock(uuid);
delete from memos_private.setting where name like any (
    array['minimal_retention_days', 'balanced_retention_days', 'comprehensive_retention_days',
        'restricted_retention_days']
);
