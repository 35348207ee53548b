-- Roles are cluster-wide: another memOS database may have made them already.
do $$
declare
    v_role text;
begin
    foreach v_role in array array['memos_owner', 'memos_maintenance'] loop
        if not exists (select from pg_catalog.pg_roles where rolname = v_role) then
            execute format('create role %I nologin noinherit', v_role);
        end if;
    end loop;
    foreach v_role in array array['memos_app', 'memos_user', 'memos_auditor', 'memos_admin'] loop
        if not exists (select from pg_catalog.pg_roles where rolname = v_role) then
            execute format('create role %I login', v_role);
        end if;
    end loop;
    -- An installer that is no superuser has to act as the owners it creates objects for.
    if not (select rolsuper from pg_catalog.pg_roles where rolname = current_user) then
        execute format('grant memos_owner, memos_maintenance to %I', current_user);
    end if;
end
$$;

comment on role memos_owner is
    'Owns memOS tables and API functions. Bound by row-level security like everyone else.';
comment on role memos_maintenance is
    'Owns the cross-user functions in schema memos_admin. Has no members; nobody logs in as it.';
comment on role memos_app is 'The bot: calls the API and is trusted to name the user.';
comment on role memos_user is 'An end user''s own connection: needs a signed context, bound to its user.';
comment on role memos_auditor is 'Reads the audit, never content.';
comment on role memos_admin is 'Operators and workers: calls the functions in schema memos_admin.';

create schema if not exists memos authorization memos_owner;
create schema if not exists memos_private authorization memos_owner;
create schema if not exists memos_admin authorization memos_maintenance;

comment on schema memos is 'memOS: the API. Functions and read views.';
comment on schema memos_private is 'memOS: tables and helpers. Not an interface.';
comment on schema memos_admin is 'memOS: cross-user operations for operators and jobs.';

alter default privileges for role memos_owner revoke execute on functions from public;
alter default privileges for role memos_maintenance revoke execute on functions from public;

-- Definer functions look up extension operators in schema public: nobody may plant others there.
revoke create on schema public from public;
