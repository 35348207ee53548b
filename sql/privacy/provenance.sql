-- Both the role that logged in and the one it has set count: set role must not lift a limit. A superuser's
-- login is a member of every role, of the owner's too, which says nothing. An expression that its caller
-- plans as its own: every write asks.
create or replace function memos_private.is_limited_by(p_role name)
returns boolean
language sql
stable
return pg_has_role(memos_private.caller(), to_regrole(quote_ident(p_role)), 'usage')
    or pg_has_role(session_user, to_regrole(quote_ident(p_role)), 'usage')
        and not pg_has_role(session_user, 'memos_owner', 'member');
comment on function memos_private.is_limited_by is
    'Whether a limit on a role is one on the caller; null for a role that is gone.';

create or replace function memos_private.allowed_provenances()
returns text[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if not exists (
        select from memos_private.provenance_limit as l where memos_private.is_limited_by(l.role)
    ) then
        return null;
    end if;
    return array(
        select p
        from unnest(array['user', 'model', 'tool', 'imported', 'system']) as p
        where not exists (
            select from memos_private.provenance_limit as l
            where memos_private.is_limited_by(l.role) and p <> all (l.provenances)
        )
    );
end
$body$;
comment on function memos_private.allowed_provenances is
    'What the caller may claim as the provenance of a memory; null: anything.';

create or replace function memos_private.require_provenance(
    p_memories memos_private.memory_input[], p_allowed text[]
)
returns void
language plpgsql
stable
set search_path = pg_catalog, public, pg_temp
as $body$
declare
    v_bad record;
begin
    select m.ordinal, m.provenance into v_bad
    from unnest(p_memories) as m
    where m.provenance <> all (p_allowed)
    order by m.ordinal
    limit 1;
    if found then
        raise exception 'this role may not say where the memory comes from'
            using errcode = memos_private.audit_failure('MO403'),
                detail = format('memory %s claims to be from "%s"; role %s may write: %s', v_bad.ordinal,
                    v_bad.provenance, memos_private.caller(), array_to_string(p_allowed, ', ')),
                hint = 'pass p_provenance as what it is; memos_admin.provenance_limits shows the limits';
    end if;
end
$body$;
comment on function memos_private.require_provenance is
    'Raises MO403 for the first memory whose provenance the caller may not claim, or not touch.';

create or replace function memos_admin.limit_provenance(p_role text, p_provenances text[])
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_role is null or not exists (select from pg_roles where rolname = p_role) then
        perform memos_private.refuse_argument(
            'p_role', coalesce(format('there is no role "%s"', left(p_role, 200)), 'it is null'),
            'the name of a role of this server'
        );
    end if;
    perform memos_private.audit(null, 'memos_admin.limit_provenance');
    if not p_provenances <@ '{user,model,tool,imported,system}' or p_provenances = '{}'
        or array_position(p_provenances, null) is not null
    then
        perform memos_private.refuse_argument(
            'p_provenances', left(p_provenances::text, 200),
            'null (no limit), or some of user, model, tool, imported, system'
        );
    end if;
    delete from memos_private.provenance_limit as l where l.role = p_role;
    if p_provenances is not null then
        insert into memos_private.provenance_limit (role, provenances) values (p_role, p_provenances);
    end if;
end
$body$;
comment on function memos_admin.limit_provenance is
    'Members of p_role may write and change memories of these provenances only (null: of any), so that a '
    'tool or a model cannot claim to be the user, and cannot release quarantined memories without '
    '"user". Give each kind of writer a login role of its own. Errors: MO400.';

create or replace function memos_admin.provenance_limits()
returns table (role text, provenances text[])
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $body$
    select l.role::text, l.provenances from memos_private.provenance_limit as l order by l.role
$body$;
comment on function memos_admin.provenance_limits is 'Roles that may claim some provenances only.';
