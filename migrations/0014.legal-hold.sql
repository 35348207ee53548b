set local role memos_owner;

create table if not exists memos_private.legal_hold (
    user_id        uuid not null,
    hold_id        uuid not null,
    reason         text not null,
    placed_at      timestamptz not null,
    placed_by      text not null,
    released_at    timestamptz,
    released_by    text,
    release_reason text,
    constraint legal_hold_pkey primary key (user_id, hold_id),
    constraint release_is_whole check (
        num_nulls(released_at, released_by, release_reason) in (0, 3)
    ),
    constraint released_after_it_was_placed check (released_at >= placed_at)
);
create index if not exists legal_hold_open_idx
    on memos_private.legal_hold (user_id) where released_at is null;
comment on table memos_private.legal_hold is
    'Users of whom nothing may be dropped for its age, and why. Released holds stay, as a record.';

select memos_private.protect_user_table('memos_private.legal_hold');
grant select, insert, update (released_at, released_by, release_reason) on memos_private.legal_hold
    to memos_maintenance;

-- What the retention of the history and of the records deletes.
grant select, delete on memos_private.memory_history, memos_private.embedding_history,
    memos_private.request, memos_private.search_record
    to memos_maintenance;
-- Locking a row takes the right to update something of it.
grant update (recorded_at) on memos_private.request to memos_maintenance;
grant update (searched_at) on memos_private.search_record to memos_maintenance;
create index if not exists request_recorded_at_idx on memos_private.request (recorded_at);
create index if not exists search_record_searched_at_idx on memos_private.search_record (searched_at);

insert into memos_private.setting (name, value, description) values
    ('history_retention_days', '2555',
        'days after which superseded and deleted versions are dropped, by whole months'),
    ('search_retention_days', '2555', 'days after which recorded searches are deleted'),
    ('request_retention_days', '30', 'days after which a repeated request id is a new request')
on conflict (name) do nothing;
