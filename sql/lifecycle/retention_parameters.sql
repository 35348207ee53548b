create or replace function memos_admin.set_retention(p_kind text, p_stability_days real, p_reason text)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_kind is null or p_kind !~ '^[a-z][a-z0-9_]{0,63}$' then
        perform memos_private.refuse_argument(
            'p_kind', memos_private.it_is(p_kind),
            'a kind of memories, or default'
        );
    elsif p_stability_days is null or p_stability_days not between 0.01 and 36500 then
        perform memos_private.refuse_argument(
            'p_stability_days', memos_private.it_is(p_stability_days),
            'days from 0.01 to 36500'
        );
    elsif p_reason is null or p_reason !~ '\S' or length(p_reason) > 1000 then
        perform memos_private.refuse_argument(
            'p_reason', memos_private.it_is(p_reason),
            'why, in at most 1000 characters: the next one will want to know'
        );
    end if;
    perform memos_private.audit(null, 'memos_admin.set_retention');
    -- Nobody counts uses meanwhile: else they would be reckoned by what was set before.
    lock table memos_private.retention_parameter in exclusive mode;
    insert into memos_private.retention_parameter as p (kind, stability_days, reason)
    values (p_kind, p_stability_days, p_reason)
    on conflict (kind) do update set stability_days = excluded.stability_days, reason = excluded.reason;
    update memos_private.memory_usage as u
    set stability = memos_private.stability_from_uses(
        memos_private.initial_stability(t.kind, t.importance), t.anchor, u.used_at
    )
    from memos_private.memory_traits as t
    where t.user_id = u.user_id and t.memory_id = u.memory_id and (t.kind = p_kind or p_kind = 'default');
end
$body$;
comment on function memos_admin.set_retention is
    'Sets after how many days retention of a memory of p_kind (default: of all other kinds) that was never '
    'used is 0.9, and why. Memories that were used are reckoned anew at once. Errors: MO400.';

create or replace function memos_admin.retention_parameters()
returns table (kind text, stability_days double precision, reason text)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $body$
    select p.kind, p.stability_days, p.reason from memos_private.retention_parameter as p order by p.kind
$body$;
comment on function memos_admin.retention_parameters is
    'Days after which retention of an unused memory is 0.9, by kind, with the reasons.';
