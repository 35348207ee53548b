-- Whoever writes or removes what a user said shares this lock until the transaction ends; whoever erases it
-- or places a legal hold takes it alone. So an erasure finds everything written down, and who writes after
-- it finds its tombstones. After the lock on models and before all others.
create or replace function memos_private.share_contents(p_user_id uuid)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform pg_advisory_xact_lock_shared(hashtextextended('memos.contents ' || p_user_id, 0));
end
$body$;
comment on function memos_private.share_contents is
    'Until the transaction ends, nothing of the user is erased and no legal hold is placed.';

create or replace function memos_private.lock_contents(p_user_id uuid)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform pg_advisory_xact_lock(hashtextextended('memos.contents ' || p_user_id, 0));
end
$body$;
comment on function memos_private.lock_contents is
    'Until the transaction ends, nobody else writes or removes contents of the user; waits for those who do.';

-- The one question before every write: one look at a key that almost no user has.
create or replace function memos_private.has_tombstones(p_user_id uuid)
returns boolean
language plpgsql
volatile -- Sees what was committed while the lock was waited for.
set search_path = pg_catalog, pg_temp
as $body$
begin
    return (
            -- By the key: where a few users have many, the planner would rather read all of them.
            select t.key_id from memos_private.erasure_tombstone as t
            where t.user_id = p_user_id
            order by t.key_id, t.digest
            limit 1
        ) is not null
        -- An older snapshot may show none: refuse_erased asks the key.
        or current_setting('transaction_isolation') <> 'read committed';
end
$body$;
comment on function memos_private.has_tombstones is
    'Whether what the user writes has to be compared with what was erased (refuse_erased).';

create or replace function memos_private.refuse_erased(p_user_id uuid, p_elements jsonb, p_what text)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_found record;
begin
    perform set_config('memos.user_id', p_user_id::text, true);
    if current_setting('transaction_isolation') <> 'read committed' then
        -- A snapshot from before an erasure shows no tombstone; a key shows it, as a serialization failure.
        with taken as (
            select k.key_id, memos_private.erasure_digest(p_user_id, f, k.secret) as digest
            from memos_private.erasure_key as k
            cross join memos_private.text_leaves(p_elements) as l
            cross join lateral memos_private.erasure_forms(l) as f
        )
        insert into memos_private.erasure_tombstone (user_id, key_id, digest, receipt_id, erased_at)
        select distinct p_user_id, t.key_id, t.digest, '00000000-0000-0000-0000-000000000000'::uuid, now()
        from taken as t
        order by t.key_id, t.digest
        on conflict (user_id, key_id, digest) do nothing;
        delete from memos_private.erasure_tombstone as t
        where t.user_id = p_user_id and t.receipt_id = '00000000-0000-0000-0000-000000000000';
    end if;
    -- Made first: a function in the comparison would keep the row security of the table from its key.
    with digests as materialized (
        select e.ordinal, k.key_id, memos_private.erasure_digest(p_user_id, f, k.secret) as digest
        from jsonb_array_elements(p_elements) with ordinality as e (element, ordinal)
        cross join lateral memos_private.text_leaves(e.element) as l
        cross join lateral memos_private.erasure_forms(l) as f
        cross join memos_private.erasure_key as k
    )
    select d.ordinal, t.receipt_id, t.erased_at into v_found
    from digests as d
    cross join lateral (
        -- A limit keeps it a look-up for each.
        select e.receipt_id, e.erased_at
        from memos_private.erasure_tombstone as e
        where e.user_id = p_user_id and e.key_id = d.key_id and e.digest = d.digest
        limit 1
    ) as t
    order by d.ordinal
    limit 1;
    if found then
        raise exception 'this was erased, and is not stored again'
            using errcode = memos_private.audit_failure('MO451'),
                detail = format('%s: erased at %s, receipt %s', replace(p_what, '#', v_found.ordinal::text),
                    v_found.erased_at, v_found.receipt_id),
                hint = 'leave it out; if the user wants it remembered after all, an operator lifts the '
                    'tombstone with memos_admin.lift_tombstones';
    end if;
end
$body$;
comment on function memos_private.refuse_erased is
    'Raises MO451 for the first of the elements (any JSON) that carries a text that was erased. p_what '
    'names them in the detail, # being the place. Errors: MO451.';

create or replace function memos_admin.rotate_erasure_key()
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_key_id int;
begin
    perform pg_advisory_xact_lock(hashtextextended('memos.erasure_key', 0));
    insert into memos_private.erasure_key (key_id)
    select max(k.key_id) + 1 from memos_private.erasure_key as k
    returning key_id into v_key_id;
    perform memos_private.audit(null, 'memos_admin.rotate_erasure_key');
    return v_key_id;
end
$body$;
comment on function memos_admin.rotate_erasure_key is
    'A new key makes the tombstones from now on; those of the keys before it hold as they did. Returns the '
    'new key''s id.';

create or replace function memos_private.lift_tombstones(p_user_id uuid, p_receipt_id uuid, p_text text)
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_count int;
begin
    perform set_config('memos.user_id', p_user_id::text, true);
    delete from memos_private.erasure_tombstone as t
    using memos_private.erasure_key as k
    where t.user_id = p_user_id and t.receipt_id = p_receipt_id and k.key_id = t.key_id and (
        p_text is null
        or t.digest = memos_private.erasure_digest(
            p_user_id, memos_private.erasure_form(p_text), k.secret
        )
    );
    get diagnostics v_count = row_count;
    return v_count;
end
$body$;
comment on function memos_private.lift_tombstones is
    'memos_admin.lift_tombstones, by who may read the keys.';

create or replace function memos_admin.lift_tombstones(
    p_receipt_id uuid, p_reason text, p_text text default null
)
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_user_id constant uuid := (memos_private.require_receipt(p_receipt_id)).user_id;
begin
    perform memos_private.require_hold_reason(p_reason);
    if p_text !~ '\S' then
        perform memos_private.refuse_argument('p_text', 'it is blank', 'null (all of them), or the text');
    end if;
    perform memos_private.audit(
        v_user_id, 'memos_admin.lift_tombstones', array[p_receipt_id], p_text, p_reason
    );
    return memos_private.lift_tombstones(v_user_id, p_receipt_id, p_text);
end
$body$;
comment on function memos_admin.lift_tombstones is
    'Lets the user say again what an erasure took away: p_text, or with null all of it. For a user who '
    'wants that; nothing comes back by itself. Returns how many tombstones went. Errors: MO400, MO404.';
