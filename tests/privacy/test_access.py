"""Others see what the user granted, for the purpose that was granted, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from memory_support import Connection, add, failure, rows, value
from support.postgres import Database


@pytest.fixture
def counsellor() -> UUID:
    """A member of the care team."""
    return uuid4()


def share(app: Connection, user: UUID, grantee: UUID, *segments: str) -> UUID:
    rows(app, "memos.set_consent", user, "care_team_sharing", True, "1.0")
    return value(
        app, "memos.grant_access", user, grantee, "care_team", list(segments), ["treatment"]
    )


def seen(
    connection: Connection, user: UUID, grantee: UUID, purpose: str = "treatment"
) -> list[str]:
    return [row[1] for row in rows(connection, "memos.shared_memories", user, grantee, purpose)]


def test_segments_and_levels(app: Connection, user: UUID, counsellor: UUID) -> None:
    add(app, user, "likes tea")
    relapse = add(app, user, "relapsed in May")
    diary = add(app, user, "what the therapist said")
    add(app, user, "mine alone", p_privacy_level="restricted")
    add(app, user, "no longer", p_occurred_at="2020-01-01")
    assert value(app, "memos.label_memories", user, [relapse], "substance_use", "consent") == 1
    rows(app, "memos.label_memories", user, [diary], "psychotherapy")
    share(app, user, counsellor, "general", "substance_use")
    found = rows(app, "memos.shared_memories", user, counsellor, "treatment")
    assert [(row[1], row[7], row[8]) for row in found] == [
        ("no longer", "general", None),
        ("relapsed in May", "substance_use", "consent"),
        ("likes tea", "general", None),
    ]
    notices = {row[7]: row[9] for row in found}
    assert "42 CFR part 2" in notices["substance_use"]
    assert notices["general"] is None
    page = rows(app, "memos.shared_memories", user, counsellor, "treatment", p_limit=1)
    rest = rows(app, "memos.shared_memories", user, counsellor, "treatment", p_after=page[0][0])
    assert page + rest == found


def test_a_grant_is_for_one_grantee_purpose_and_time(
    app: Connection, user: UUID, counsellor: UUID
) -> None:
    add(app, user, "likes tea")
    call = ("memos.shared_memories", user)
    assert failure(app, *call, counsellor, "treatment").sqlstate == "MO403"
    grant = share(app, user, counsellor, "general")
    assert seen(app, user, counsellor) == ["likes tea"]
    assert failure(app, *call, counsellor, "research").sqlstate == "MO403"
    assert failure(app, *call, counsellor, None).sqlstate == "MO403"
    assert failure(app, *call, uuid4(), "treatment").sqlstate == "MO403"
    with app.transaction():
        assert value(app, "memos.revoke_access", user, grant)
        with app.transaction(force_rollback=True):
            assert failure(app, *call, counsellor, "treatment").sqlstate == "MO403"
    assert not value(app, "memos.revoke_access", user, grant)
    soon = datetime.now(UTC) + timedelta(seconds=0.5)
    arguments = (user, counsellor, "care_team", ["general"], ["treatment"], soon)
    rows(app, "memos.grant_access", *arguments)
    app.execute("select pg_sleep(0.6)")
    assert failure(app, *call, counsellor, "treatment").sqlstate == "MO403"
    grants = rows(app, "memos.access_grants", user)
    assert [row[-1] for row in grants] == [False, False]


def test_a_grant_opens_nothing_without_consent(
    app: Connection, user: UUID, counsellor: UUID
) -> None:
    add(app, user, "likes tea")
    purposes = ["treatment"]
    rows(app, "memos.grant_access", user, counsellor, "family", ["general"], purposes)
    error = failure(app, "memos.shared_memories", user, counsellor, "treatment")
    assert error.sqlstate == "MO451"
    assert "family_sharing" in error.diag.message_detail
    rows(app, "memos.set_consent", user, "family_sharing", True, "1.0")
    assert seen(app, user, counsellor) == ["likes tea"]
    rows(app, "memos.withdraw_consent", user, "family_sharing")
    error = failure(app, "memos.shared_memories", user, counsellor, "treatment")
    assert error.sqlstate == "MO451"
    share(app, user, counsellor, "general")  # the care team's consent is another one
    assert seen(app, user, counsellor) == ["likes tea"]
    rows(app, "memos.update_settings", user, {"memory_enabled": False})
    error = failure(app, "memos.shared_memories", user, counsellor, "treatment")
    assert error.sqlstate == "MO451"


def test_who_reads_is_who_was_granted(
    module_database: Database, app: Connection, user: UUID, counsellor: UUID
) -> None:
    """A signed context makes somebody the grantee; a claim does not."""
    add(app, user, "likes tea")
    add(app, counsellor, "the counsellor's own")
    share(app, user, counsellor, "general")
    with module_database.connect("memos_user") as connection:
        call = ("memos.shared_memories", user, counsellor, "treatment")
        assert failure(connection, *call).sqlstate == "MO001"
        connection.execute("select memos.use_context(%s, false)", (module_database.token(uuid4()),))
        assert failure(connection, *call).sqlstate == "MO403"
        # Nor does the user's own: the grant is to somebody else.
        connection.execute("select memos.use_context(%s, false)", (module_database.token(user),))
        assert failure(connection, *call).sqlstate == "MO403"
        token = module_database.token(counsellor)
        connection.execute("select memos.use_context(%s, false)", (token,))
        assert seen(connection, user, counsellor) == ["likes tea"]
        # The door is shut again behind it.
        error = failure(connection, "memos.list_memories", user)
        assert error.sqlstate == "MO403"
        found = connection.execute("select content from memos.memory").fetchall()
        assert found == [("the counsellor's own",)]


def test_consent_to_share_a_kind(database: Database, user: UUID, counsellor: UUID) -> None:
    with database.connect("memos_app") as app, database.connect("memos_admin") as admin:
        named = {"p_operation": "sharing", "p_audience": "care_team", "p_kinds": ["clinical"]}
        named["p_description"] = "share clinical facts"
        rows(admin, "memos_admin.set_consent_type", "clinical_sharing", True, **named)
        add(app, user, "takes 8 mg", p_kind="clinical")
        add(app, user, "likes tea")
        share(app, user, counsellor, "general")
        assert seen(app, user, counsellor) == ["likes tea"]
        rows(app, "memos.set_consent", user, "clinical_sharing", True, "1.0")
        assert seen(app, user, counsellor) == ["likes tea", "takes 8 mg"]


def test_a_program_whose_every_record_is_part_2(
    database: Database, user: UUID, counsellor: UUID
) -> None:
    with database.connect("memos_app") as app, database.connect("memos_admin") as admin:
        rows(admin, "memos_admin.set_segment", "substance_use", True, True, "all that we keep")
        add(app, user, "comes on Mondays")
        share(app, user, counsellor, "substance_use")
        ((*_, segment, _, notice),) = rows(
            app, "memos.shared_memories", user, counsellor, "treatment"
        )
        assert segment == "substance_use"
        assert notice
        for bad in (
            ("substance_use", True, False, "no default"),
            ("Bad", True, True, "x"),
            (None, True, True, "x"),
            ("other", None, False, "x"),
        ):
            assert failure(admin, "memos_admin.set_segment", *bad).sqlstate == "MO400"
        defaults = [row[0] for row in rows(admin, "memos_admin.segments") if row[2]]
        assert defaults == ["substance_use"]


def test_bad_arguments(app: Connection, user: UUID, counsellor: UUID) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    general, treatment = ["general"], ["treatment"]
    for arguments in (
        (user, None, "family", general, treatment),
        (user, user, "family", general, treatment),
        (user, counsellor, "boss", general, treatment),
        (user, counsellor, None, general, treatment),
        (user, counsellor, "family", ["secrets"], treatment),
        (user, counsellor, "family", [], treatment),
        (user, counsellor, "family", None, treatment),
        (user, counsellor, "family", general, ["Any purpose"]),
        (user, counsellor, "family", general, []),
        (user, counsellor, "family", general, None),
        (user, counsellor, "family", general, treatment, past),
        (user, counsellor, "family", general, treatment, "infinity"),
    ):
        assert failure(app, "memos.grant_access", *arguments).sqlstate == "MO400", arguments
    memory = add(app, user, "x")
    label = "memos.label_memories"
    assert failure(app, label, user, [memory], "secrets").sqlstate == "MO400"
    assert failure(app, label, user, None, "general").sqlstate == "MO400"
    assert failure(app, label, user, [memory], "general", " ").sqlstate == "MO400"
    assert failure(app, label, user, [memory, uuid4()], "general").sqlstate == "MO404"
    assert failure(app, label, uuid4(), [memory], "general").sqlstate == "MO404"
    assert failure(app, "memos.revoke_access", user, None).sqlstate == "MO400"
    assert not value(app, "memos.revoke_access", user, uuid4())
    shared = "memos.shared_memories"
    assert failure(app, shared, user, None, "treatment").sqlstate == "MO400"
    assert failure(app, shared, None, counsellor, "treatment").sqlstate == "MO400"
    assert failure(app, shared, user, counsellor, "treatment", p_limit=0).sqlstate == "MO400"
