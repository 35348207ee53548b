create or replace function memos.privacy_report(p_user_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit_read(p_user_id, 'privacy_report');
    return jsonb_build_object(
        'memories', (
            select jsonb_build_object(
                'count', count(*), 'oldest', min(m.recorded_at), 'newest', max(m.recorded_at),
                'restricted', count(*) filter (where m.privacy_level = 'restricted'),
                'said_by_the_user', count(*) filter (where m.provenance = 'user'),
                'valid_until_a_time', count(*) filter (where m.valid_until is not null)
            )
            from memos_private.memory_of_any_tier as m
            where m.user_id = p_user_id
        ),
        'by_privacy_level', (
            select coalesce(jsonb_object_agg(g.privacy_level, g.count), '{}')
            from (
                select m.privacy_level, count(*)
                from memos_private.memory_of_any_tier as m where m.user_id = p_user_id group by m.privacy_level
            ) as g
        ),
        'by_provenance', (
            select coalesce(jsonb_object_agg(g.provenance, g.count), '{}')
            from (
                select m.provenance, count(*)
                from memos_private.memory_of_any_tier as m where m.user_id = p_user_id group by m.provenance
            ) as g
        ),
        'by_segment', (
            select coalesce(jsonb_object_agg(g.segment, g.count), '{}')
            from (
                select l.segment, count(*)
                from memos_private.memory_label as l where l.user_id = p_user_id group by l.segment
            ) as g
        ),
        'superseded_versions', (
            select count(*) from memos_private.memory_history as h where h.user_id = p_user_id
        ),
        'quarantined', (select count(*) from memos_private.quarantine as q where q.user_id = p_user_id),
        'consents', (
            select coalesce(jsonb_object_agg(c.type, jsonb_build_object(
                'state', c.state, 'recorded_at', c.recorded_at, 'expires_at', c.expires_at,
                'document_version', c.document_version
            )), '{}')
            from (
                select distinct on (c.type) c.*
                from memos_private.consent as c
                where c.user_id = p_user_id
                order by c.type, c.recorded_at desc
            ) as c
        ),
        'settings', (
            select jsonb_build_object(
                'memory_enabled', coalesce(u.memory_enabled, true), 'retention_days', u.retention_days,
                'default_privacy_level', coalesce(u.default_privacy_level, 'balanced')
            )
            from (select p_user_id as user_id) as p
            left join memos_private.user_setting as u on u.user_id = p.user_id
        ),
        'open_grants', (
            select count(*) from memos_private.access_grant as g
            where g.user_id = p_user_id and g.revoked_at is null and g.expires_at > statement_timestamp()
        ),
        'under_legal_hold', exists (
            select from memos_private.legal_hold as h where h.user_id = p_user_id and h.released_at is null
        ),
        'disclosures', (
            select jsonb_build_object('count', count(*), 'latest', max(d.disclosed_at))
            from memos_private.disclosures(p_user_id, null, null) as d
        ),
        'audit', (
            select jsonb_build_object(
                'since', min(a.recorded_at), 'reads', count(*) filter (where a.is_read),
                'writes', count(*) filter (where not a.is_read and a.outcome = 'done'),
                'refused', count(*) filter (where a.outcome = 'refused'),
                'failed', count(*) filter (where a.outcome = 'failed'),
                'actors', count(distinct a.actor)
            )
            from memos_private.audited_rows(p_user_id, null, null) as a
        )
    );
end
$body$;
comment on function memos.privacy_report is
    'What is held about the user, what the user allowed, and who looked, counted from the rows: '
    '{"memories": {...}, "by_privacy_level", "by_provenance", "by_segment", "superseded_versions", '
    '"quarantined", "consents", "settings", "open_grants", "under_legal_hold", "disclosures", "audit"}. '
    'Errors: MO001, MO400, MO403.';
