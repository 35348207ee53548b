set local role memos_owner;

insert into memos_private.setting (name, value, description) values
    ('minimal_retention_days', '99999',
        'days after which memories of level minimal are deleted, pinned ones not (99999: kept)'),
    ('balanced_retention_days', '99999',
        'days after which memories of level balanced are deleted, pinned ones not (99999: kept)'),
    ('comprehensive_retention_days', '99999',
        'days after which memories of level comprehensive are deleted, pinned ones not (99999: kept)'),
    ('restricted_retention_days', '99999',
        'days after which memories of level restricted are deleted, pinned ones not (99999: kept)')
on conflict (name) do nothing;

drop function if exists memos_private.due_memories(uuid, int);
