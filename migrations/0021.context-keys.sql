-- What an installer must be allowed to do, and what it means for isolation when it is not.
do $$
begin
    -- A caller with objects of its own could plant functions and operators in its own statements; none
    -- reaches another user's rows, but nobody needs them.
    if pg_has_role((select datdba from pg_database where datname = current_database()), 'usage') then
        execute format('revoke temporary on database %I from public', current_database());
    else
        raise notice 'PUBLIC may still create temporary objects: only the owner of the database can revoke that';
    end if;
    -- End users may share a login, and a role sees the statements of its own sessions.
    if (select rolsuper from pg_roles where rolname = current_user) then
        alter role memos_user set track_activities = off;
        alter role memos_user set pg_stat_statements.track = 'none';
        -- Samples of free text, taken before memos_private.withhold_statistics forbade it.
        delete from pg_statistic as s
        using pg_attribute as a
        where a.attrelid = s.starelid and a.attnum = s.staattnum
            and s.starelid in (select oid from pg_class where relnamespace = 'memos_private'::regnamespace)
            and a.attname in ('content', 'session_id', 'reason', 'purpose', 'last_error');
    else
        raise notice 'sessions of memos_user see each other''s statements: a superuser has to set '
            'track_activities and pg_stat_statements.track off for it';
    end if;
end
$$;

drop function if exists memos_admin.mint_context(uuid, interval);
drop function if exists memos_private.newest_context_key();

set local role memos_owner;

alter table memos_private.context_key
    add column if not exists retires_at timestamptz,
    alter column secret set default public.gen_random_bytes(32);
comment on table memos_private.context_key is
    'Secrets that sign user contexts. The newest one signs; those before it verify until they retire. Only a '
    'superuser, memos_owner and a backup can tell them.';
comment on column memos_private.context_key.retires_at is
    'From then on no signature of this key is good; null for the key that signs.';

-- Whoever rotates keys makes and retires them without ever reading a secret.
grant select (key_id, created_at, retires_at), insert (key_id), update (retires_at), delete
    on memos_private.context_key to memos_maintenance;
drop policy if exists maintenance_rotates on memos_private.context_key;
create policy maintenance_rotates on memos_private.context_key to memos_maintenance using (true);

-- Unlogged: a binding ends with its session at the latest.
create unlogged table if not exists memos_private.session_binding (
    pid            int primary key,
    transaction_id xid8
);
comment on table memos_private.session_binding is
    'Sessions that could name any user and have bound themselves to one: what they cannot undo.';
comment on column memos_private.session_binding.transaction_id is
    'The transaction that is bound; null when the whole session is.';
alter table memos_private.session_binding enable row level security;
alter table memos_private.session_binding force row level security;
drop policy if exists owner_binds on memos_private.session_binding;
create policy owner_binds on memos_private.session_binding to memos_owner using (true);
