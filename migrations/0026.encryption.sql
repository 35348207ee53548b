-- Code in this table runs as the server's operating system user, as in python_module: it belongs to
-- whoever installs, and only a superuser writes it.
create table if not exists memos_private.key_command (
    only_one        boolean primary key default true,
    argv            text[] not null,
    timeout_seconds int not null,
    constraint there_is_one_command check (only_one),
    constraint command_is_an_absolute_path check (argv[1] like '/%' and array_position(argv, null) is null),
    constraint command_ends check (timeout_seconds between 1 and 60)
);
comment on table memos_private.key_command is
    'The program that tells a user''s key, called with the user''s id as its last argument; no row: there is '
    'none. Changed by a superuser, with memos_admin.set_key_command.';
alter table memos_private.key_command enable row level security;
alter table memos_private.key_command force row level security;
drop policy if exists owner_reads on memos_private.key_command;
create policy owner_reads on memos_private.key_command for select to memos_owner using (true);
grant select on memos_private.key_command to memos_owner;

-- Contents and keys reach the server as parameters of statements: whatever is logged, these are not.
do $$
begin
    if (select rolsuper from pg_roles where rolname = current_user) then
        alter role memos_app set log_parameter_max_length = 0;
        alter role memos_app set log_parameter_max_length_on_error = 0;
        alter role memos_user set log_parameter_max_length = 0;
        alter role memos_user set log_parameter_max_length_on_error = 0;
        -- Before that, auto_explain shows none.
        if current_setting('server_version_num')::int >= 160000 then
            alter role memos_app set auto_explain.log_parameter_max_length = 0;
            alter role memos_user set auto_explain.log_parameter_max_length = 0;
        end if;
    else
        raise notice 'statements that are logged show their parameters: a superuser has to set '
            'log_parameter_max_length to 0 for memos_app and memos_user';
    end if;
end
$$;

set local role memos_owner;

create table if not exists memos_private.user_key (
    user_id      uuid not null,
    key_id       int not null,
    wrapped      bytea,
    created_at   timestamptz not null default clock_timestamp(),
    rotated_at   timestamptz,
    destroyed_at timestamptz,
    constraint user_key_pkey primary key (user_id, key_id),
    constraint a_key_is_there_until_destroyed check ((wrapped is null) = (destroyed_at is not null))
);
create unique index if not exists one_key_at_a_time
    on memos_private.user_key (user_id) where destroyed_at is null;
comment on table memos_private.user_key is
    'The key that a user''s restricted memories are encrypted with, itself encrypted with a key of the user '
    'that is not in the database. Destroyed ones stay, as a record.';
comment on column memos_private.user_key.wrapped is
    'memos_private.encrypt of 32 random bytes under the user''s own key; null when destroyed.';
comment on column memos_private.user_key.rotated_at is 'When it was last wrapped anew.';
select memos_private.protect_user_table('memos_private.user_key');
grant select (user_id, key_id, created_at, destroyed_at), update (wrapped, destroyed_at)
    on memos_private.user_key to memos_maintenance;

-- Functions that are loaded before it become part of it.
create or replace function memos_private.is_sealed(p_content text)
returns boolean
language sql
immutable
parallel safe
return starts_with(p_content, 'memos:sealed:');
comment on function memos_private.is_sealed is
    'Whether this is what a text became by encryption: no text that comes in may begin like that.';

insert into memos_private.setting (name, value, description) values
    ('restricted_encryption', 'when_keyed',
        'when_keyed: restricted memories of users who have a key are encrypted; required: those of users '
        'without one are refused')
on conflict (name) do nothing;
