-- What left for somebody else: another person, or an operator's worker, which may hand it to a provider.
create or replace function memos_private.disclosures(
    p_user_id uuid, p_from timestamptz, p_until timestamptz
)
returns table (
    disclosed_at timestamptz, recipient uuid, actor text, role text, client text, purpose text, action text,
    object_ids uuid[]
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $body$
    select a.recorded_at, a.recipient, a.actor, a.role, host(a.client), a.purpose, a.action, a.object_ids
    from memos_private.audited_rows(p_user_id, p_from, p_until) as a
    where a.subject = p_user_id and a.is_read and a.outcome = 'done'
        and (a.recipient is not null or a.action like 'memos\_admin.%')
        and a.action not in ('memos_admin.audit_entries', 'memos_admin.accounting_of_disclosures')
    order by a.recorded_at, a.era, a.pid, a.number
$body$;
comment on function memos_private.disclosures is 'What the two accountings of disclosures show.';

create or replace function memos.accounting_of_disclosures(
    p_user_id uuid, p_from timestamptz default null, p_until timestamptz default null
)
returns table (
    disclosed_at timestamptz, recipient uuid, actor text, role text, client text, purpose text, action text,
    object_ids uuid[]
)
language plpgsql
volatile
security definer
rows 20
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
begin
    perform memos_private.enter_user_context(p_user_id);
    return query select d.* from memos_private.disclosures(p_user_id, p_from, p_until) as d;
    perform memos_private.audit_read(p_user_id, 'accounting_of_disclosures');
end
$body$;
comment on function memos.accounting_of_disclosures is
    'To whom, when, what for and what of the user''s content was disclosed, oldest first: what others were '
    'let see (recipient; memos.shared_memories), and what operators and their workers read (role '
    'memos_admin). What the bot reads to answer the user is no disclosure; memos_admin.audit_entries has '
    'it. Errors: MO001, MO400, MO403.';

create or replace function memos_admin.accounting_of_disclosures(
    p_user_id uuid, p_from timestamptz default null, p_until timestamptz default null
)
returns table (
    disclosed_at timestamptz, recipient uuid, actor text, role text, client text, purpose text, action text,
    object_ids uuid[]
)
language plpgsql
volatile
security definer
rows 20
set search_path = pg_catalog, pg_temp
as $body$
#variable_conflict use_column
begin
    perform memos_private.require_user(p_user_id);
    perform memos_private.audit_read(p_user_id, 'memos_admin.accounting_of_disclosures');
    return query select d.* from memos_private.disclosures(p_user_id, p_from, p_until) as d;
end
$body$;
comment on function memos_admin.accounting_of_disclosures is
    'memos.accounting_of_disclosures for operators and auditors. Errors: MO400.';
