-- Whoever deletes for age holds this lock until it has committed, and so does whoever places a hold: a
-- hold that is placed is kept.
create or replace function memos_private.lock_legal_holds()
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'legal holds are read as they are now, not as of an earlier snapshot'
            using errcode = memos_private.audit_failure('MO409'),
                detail = format('the transaction is %s', current_setting('transaction_isolation')),
                hint = 'call this in a transaction that is read committed';
    end if;
    perform pg_advisory_xact_lock(hashtextextended('memos.legal_hold', 0));
end
$body$;
comment on function memos_private.lock_legal_holds is
    'Until the transaction ends, no legal hold is placed and nothing is deleted for its age. '
    'Errors: MO409.';

create or replace function memos_private.held_users()
returns uuid[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $body$
    select coalesce(array_agg(distinct h.user_id), '{}')
    from memos_private.legal_hold as h
    where h.released_at is null
$body$;
comment on function memos_private.held_users is 'Users under a legal hold.';

create or replace function memos_private.require_no_hold(p_user_id uuid)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform memos_private.share_contents(p_user_id);
    if exists (
        select from memos_private.legal_hold as h where h.user_id = p_user_id and h.released_at is null
    ) then
        raise exception 'the user is under a legal hold'
            using errcode = memos_private.audit_failure('MO451'),
                detail = 'nothing of the user may be deleted or erased until it is released',
                hint = 'what is no longer true can be updated, which keeps what was said before; an operator '
                    'releases holds with memos_admin.release_legal_hold';
    end if;
end
$body$;
comment on function memos_private.require_no_hold is
    'Raises MO451 for a user under a legal hold; none is placed until the transaction ends.';

create or replace function memos_private.require_hold_reason(p_reason text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_reason is null or p_reason !~ '\S' or length(p_reason) > 1000 then
        perform memos_private.refuse_argument(
            'p_reason', memos_private.it_is(p_reason),
            '1 to 1000 characters that are not blank: a hold is a record'
        );
    end if;
end
$body$;
comment on function memos_private.require_hold_reason is 'Raises MO400 for a hold without a reason.';

create or replace function memos_admin.place_legal_hold(p_user_id uuid, p_reason text)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_hold_id constant uuid := gen_random_uuid();
begin
    perform memos_private.require_user(p_user_id);
    perform memos_private.require_hold_reason(p_reason);
    perform memos_private.audit(p_user_id, 'memos_admin.place_legal_hold');
    perform memos_private.lock_legal_holds();
    perform memos_private.lock_contents(p_user_id);
    insert into memos_private.legal_hold (user_id, hold_id, reason, placed_at, placed_by)
    values (p_user_id, v_hold_id, p_reason, clock_timestamp(), memos_private.caller());
    return v_hold_id;
end
$body$;
comment on function memos_admin.place_legal_hold is
    'From now on nothing of the user is deleted, erased (MO451) or dropped for its age (memories, history, '
    'recorded searches, request ids, scratchpads), until every hold on the user is released. What is written '
    'goes on: an update keeps what was said before, a consolidation what it merged. Waits for writes of the '
    'user that are under way. Returns the hold''s id. What was dropped before is gone. Errors: MO400, MO409.';

create or replace function memos_admin.release_legal_hold(p_user_id uuid, p_hold_id uuid, p_reason text)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_user_id is null or p_hold_id is null then
        perform memos_private.refuse_argument(
            case when p_user_id is null then 'p_user_id' else 'p_hold_id' end, 'it is null',
            'memos_admin.legal_holds lists the holds'
        );
    end if;
    perform memos_private.audit(p_user_id, 'memos_admin.release_legal_hold', array[p_hold_id]);
    perform memos_private.require_hold_reason(p_reason);
    update memos_private.legal_hold as h
    set released_at = greatest(clock_timestamp(), h.placed_at),
        released_by = memos_private.caller(), release_reason = p_reason
    where h.user_id = p_user_id and h.hold_id = p_hold_id and h.released_at is null;
    if found then
        return true;
    end if;
    if not exists (
        select from memos_private.legal_hold as h where h.user_id = p_user_id and h.hold_id = p_hold_id
    ) then
        raise exception 'legal hold not found'
            using errcode = memos_private.audit_failure('MO404'),
                detail = format('user %s has no hold %s', p_user_id, p_hold_id),
                hint = 'memos_admin.legal_holds lists the holds';
    end if;
    return false;
end
$body$;
comment on function memos_admin.release_legal_hold is
    'Ends a hold, which stays on record; false when it was released before. What is due of the user goes '
    'at the next maintenance. Errors: MO400, MO404.';

create or replace function memos_admin.legal_holds(
    p_user_id          uuid default null,
    p_include_released boolean default false
)
returns table (
    user_id uuid, hold_id uuid, reason text, placed_at timestamptz, placed_by text,
    released_at timestamptz, released_by text, release_reason text
)
language plpgsql
volatile
security definer
rows 10
set search_path = pg_catalog, pg_temp
as $body$
#variable_conflict use_column
begin
    if p_include_released is null then
        perform memos_private.refuse_argument('p_include_released', 'it is null', 'true or false');
    end if;
    perform memos_private.audit_read(p_user_id, 'memos_admin.legal_holds');
    return query
    select h.user_id, h.hold_id, h.reason, h.placed_at, h.placed_by, h.released_at, h.released_by,
        h.release_reason
    from memos_private.legal_hold as h
    where (p_user_id is null or h.user_id = p_user_id)
        and (p_include_released or h.released_at is null)
    order by h.placed_at, h.hold_id;
end
$body$;
comment on function memos_admin.legal_holds is
    'Legal holds of a user (null: of all), oldest first; also those that ended with p_include_released. '
    'Errors: MO400.';
