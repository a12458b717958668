"""Each guard of the database with its negative control: off, the forbidden thing happens; on, it is refused by name.

Guards and append-only tables are read from PostgreSQL's own catalogue: a new one without a case here fails the test.
"""

# ruff: noqa: S608 (names of tables come from the catalogue)

from __future__ import annotations

import pytest
from django.db import connection, transaction
from psycopg import sql

from coupons.models import Draw
from huigou import rights
from huigou.tables import APPEND_ONLY
from tests import factories
from tests.books.test_closing import WRITES
from tests.books.trying import rows, transfer, tried

pytestmark = pytest.mark.django_db(transaction=True)


# ---- append-only tables


def append_only_tables() -> list[str]:
    """Return the tables that carry an append-only trigger or that the web's role may not update."""
    found = rows(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'public' AND c.relkind = 'r' AND (NOT has_table_privilege(%s, c.oid, 'UPDATE')"
        "   OR EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname LIKE '%%append_only%%'))"
        " ORDER BY 1",
        rights.web_role(),
    )
    readable = {rights.table_of(label) for label in rights.READ_ONLY}
    return [table for (table,) in found if table not in readable]


def test_the_list_of_append_only_tables_is_the_catalogues(db):
    assert append_only_tables() == sorted(rights.table_of(label) for label in APPEND_ONLY)
    both = rows(
        "SELECT c.relname, count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
        " WHERE (t.tgname LIKE '%%append_only%%' OR t.tgname LIKE '%%no_truncate%%') AND t.tgenabled = 'O' GROUP BY 1"
    )
    assert sorted(both) == [(table, 2) for table in append_only_tables()]


def test_the_webs_role_gets_past_no_guard_of_an_append_only_table(db):
    for table in append_only_tables():
        triggers = rows("SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal", table)
        constraints = rows("SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass", table)
        for statement in (f"UPDATE {table} SET id = id", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
            assert tried(statement) == f"permission denied for table {table}"
        for statement in (
            *(f"ALTER TABLE {table} DISABLE TRIGGER {which}" for which in ("ALL", "USER")),
            *(f'ALTER TABLE {table} DISABLE TRIGGER "{name}"' for (name,) in triggers),
            *(f'DROP TRIGGER "{name}" ON {table}' for (name,) in triggers),
            *(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"' for (name,) in constraints),
            f"DROP TABLE {table} CASCADE",
            f"ALTER TABLE {table} OWNER TO CURRENT_USER",
        ):
            assert tried(statement).startswith("must be owner of "), statement
        assert len(triggers) >= 2
    assert "permission denied" in tried("SET session_replication_role = 'replica'")
    assert "permission denied" in tried("SET ROLE pg_write_all_data")


def a_row(table: str) -> str:
    """Return an INSERT of one meaningless row, for a table that has lost every constraint but NOT NULL."""
    values = {"bytea": "'x'", "jsonb": "'[]'", "boolean": "true", "date": "now()", "timestamp with time zone": "now()"}
    columns = rows(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'"
        " AND table_name = %s AND is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO'",
        table,
    )
    text = ("character varying", "text")
    given = [values.get(kind, "'x'" if kind in text else "gen_random_uuid()" if kind == "uuid" else "1")
             for _, kind in columns]  # fmt: skip
    names = ", ".join(f'"{name}"' for name, _ in columns)
    return f"INSERT INTO {table} ({names}) VALUES ({', '.join(given)})"


def test_the_triggers_stand_behind_the_rights_on_every_append_only_table(db):
    """To the owner, whom no right holds back, the triggers say no; without them the row is altered and gone."""
    for table in append_only_tables():
        writes = (f"UPDATE {table} SET id = id", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE")
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL ROLE NONE")
            for (name,) in rows(
                "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype IN ('c', 'f', 'u')", table
            ):
                cursor.execute(sql.SQL(f"ALTER TABLE {table} DROP CONSTRAINT {{}}").format(sql.Identifier(name)))
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            cursor.execute(a_row(table))
            said = [tried(write) for write in writes]
            assert said == ["nothing", "nothing", said[2]], (table, said)  # the control
            assert f"Cannot truncate rows from {table} " not in said[2]  # another's that hangs on it may say no
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
            said = [tried(write) for write in writes]
            assert all(f"Cannot update or delete rows from {table}" in each for each in said[:2]), said
            assert f"Cannot truncate rows from {table} " in said[2]
            transaction.set_rollback(True)


# ---- every other trigger

# trigger's name in the models: (its table, a write that it forbids, the constraint that the refusal names)
TRIGGERS: dict[str, tuple[str, str, str]] = {
    "allotment_frozen_once_dealt": (
        "coupons_allotment",
        "UPDATE coupons_allotment SET count = count + 1 WHERE round_id = (SELECT min(id) FROM coupons_round)",
        "round_is_dealt",
    ),
    "change_no_delete": (
        "coupons_changerequest",
        "DELETE FROM coupons_changerequest WHERE verb = 'unfreeze'",
        "pgtrigger: Cannot delete rows from coupons_changerequest table",
    ),
    "change_people_are_real": (
        "coupons_changerequest",
        "UPDATE coupons_changerequest SET payload = '{}' WHERE verb = 'fund'",
        "change_is_exact",
    ),
    "coupon_way_of_life": (
        "coupons_coupon",
        "UPDATE coupons_coupon SET state = 'held', ended_at = NULL WHERE state = 'expired'",
        "coupon_way_of_life",
    ),
    "coupon_is_its_draws": (
        "coupons_coupon",
        "INSERT INTO coupons_coupon (draw_id, round_id, batch_id, holder_id, face_fen, threshold_fen, state, drawn_at,"
        " expires_at, steps) SELECT draw_id + 1000000, round_id, batch_id, holder_id, face_fen, threshold_fen, 'held',"
        " drawn_at, expires_at, 1 FROM coupons_coupon LIMIT 1",
        "coupon_is_its_draws",
    ),
    "deck_is_sealed": (
        "coupons_deck",
        "UPDATE coupons_deck SET contents = '[]'",
        "deck_is_sealed",
    ),
    "draw_of_a_deck": (
        "coupons_draw",
        "INSERT INTO coupons_draw (deck_id, ticket, face_fen, drawn_at, kind, consumer_id, pseudonym, turn, entry_hash,"
        " channel) SELECT 1000000, ticket, face_fen, drawn_at, kind, consumer_id, pseudonym, turn, entry_hash, channel"
        " FROM coupons_draw LIMIT 1",
        "draw_of_a_deck",
    ),
    "event_of_a_coupon": (
        "coupons_event",
        "INSERT INTO coupons_event (verb, coupon_id, actor_kind, at, note)"
        " SELECT 'draw', draw_id + 1000000, 'system', now(), '' FROM coupons_coupon",
        "event_of_a_coupon",
    ),
    "freeze_release_is_agreed": (
        "coupons_freeze",
        "UPDATE coupons_freeze SET released_at = now(),"
        " change_id = (SELECT min(id) FROM coupons_changerequest WHERE state = 'approved')",
        "freeze_released_by_approval",
    ),
    "redemption_way_of_life": (
        "merchants_redemption",
        "UPDATE merchants_redemption SET amount_fen = amount_fen + 1 WHERE state = 'used'",
        "redemption_way_of_life",
    ),
    "merchants_redemption_is_settled": (
        "merchants_redemption",
        "UPDATE merchants_redemption SET state = 'reversed' WHERE state = 'used'",
        "settlement_is_frozen",
    ),
    "round_frozen_once_dealt": (
        "coupons_round",
        "UPDATE coupons_round SET entry_until = entry_until - interval '1 hour' WHERE dealt_at IS NOT NULL",
        "round_is_dealt",
    ),
    "round_no_overlap": (
        "coupons_round",
        "INSERT INTO coupons_round (campaign_id, number, opens_at, closes_at, entry_until, pause_notice,"
        " entropy_source, entropy_value, postponed_notice, registration_minutes) SELECT campaign_id, 77, opens_at,"
        " closes_at, entry_until, '', '', '', '', 1 FROM coupons_round WHERE number = 1",
        "round_no_overlap",
    ),
    "round_source_once": (
        "coupons_round",
        "UPDATE coupons_round SET entropy_source = '另一处' WHERE number = 3",
        "round_source_once",
    ),
    "share_before_dealing": (
        "coupons_seedshare",
        "INSERT INTO coupons_seedshare (round_id, custodian, commitment, committed_at)"
        " SELECT id, 'audit', 'x', now() FROM coupons_round WHERE number = 1",
        "round_is_dealt",
    ),
    "share_is_committed": (
        "coupons_seedshare",
        "UPDATE coupons_seedshare SET commitment = 'y'",
        "share_is_committed",
    ),
    "settlement_is_agreed": (
        "reports_settlement",
        "UPDATE reports_settlement SET state = 'paid', paid_at = approved_at,"
        " approval_id = (SELECT id FROM coupons_changerequest WHERE verb = 'fund')",
        "settlement_approved_by_two",
    ),
    "transfer_campaign_open": (
        "coupons_transfer",
        "INSERT INTO coupons_transfer (campaign_id, code, debit_kind, debit_key, credit_kind, credit_key, amount_fen,"
        " subject_kind, actor_kind, change_id, at) SELECT campaign_id, 'return', 'pool', 1, 'returned', 0, 1, '',"
        " 'system', id, now() FROM coupons_changerequest WHERE verb = 'launch'",
        "transfer_needs_approval",
    ),
    "use_frozen": (
        "reports_settlementuse",
        "UPDATE reports_settlementuse SET verdict = 'under' WHERE verdict = 'counts'",
        "settlement_is_exact",
    ),
}
# Each has its race or its refusal, with the guard off beside it, where its own subject is tested.
ELSEWHERE = {
    "allotment_never_emptied": "below",
    "campaign_never_deleted": "below",
    "campaign_never_emptied": "below",
    "consumer_never_deleted": "below",
    "consumer_never_emptied": "below",
    "coupon_never_emptied": "below",
    "deck_never_emptied": "below",
    "registration_before_the_list": "tests/draws",
    "assist_is_kept": "tests/office",
    "redemption_is_born": "tests/redemption/test_rules.py",
    "redemption_is_entered": "tests/redemption/test_rules.py",
}


def triggers_of_the_catalogue() -> dict[str, tuple[str, str]]:
    """Return {name in the models: (table, name in the database)} but for those that count or keep closed books."""
    found = {}
    for table, name in rows(
        "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
        " WHERE NOT t.tgisinternal AND t.tgname !~ '_is_counted|append_only|no_truncate|stays_closed'"
    ):
        short = name.removeprefix("pgtrigger_").rpartition("_")[0] if name.startswith("pgtrigger_") else name
        found[short] = (table, name)
    return found


def test_each_trigger_refuses_what_happens_without_it(settled):
    catalogue = triggers_of_the_catalogue()
    assert catalogue.keys() - ELSEWHERE.keys() == TRIGGERS.keys()
    for name, (table, statement, refusal) in TRIGGERS.items():
        assert catalogue[name][0] == table
        assert tried(statement) == refusal, name
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL ROLE NONE")
            # Two guards of one table may refuse one thing: all of them off is this one off.
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            cursor.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(rights.web_role())))
            assert tried(statement) == "nothing", name
            transaction.set_rollback(True)


COUPON_OF_ANOTHER = (
    "WITH w AS (INSERT INTO coupons_draw (id, deck_id, ticket, face_fen, drawn_at, kind, consumer_id, pseudonym, turn,"
    " entry_hash, channel) SELECT 1000000, deck_id, 999, face_fen, drawn_at, {kind}, consumer_id, 'other'::bytea, 1,"
    " entry_hash, channel FROM coupons_draw WHERE id = %(draw)s RETURNING id)"
    " INSERT INTO coupons_coupon (draw_id, round_id, batch_id, holder_id, face_fen, threshold_fen, state, drawn_at,"
    " expires_at, steps) SELECT w.id, {round}, {batch}, {holder}, {face}, threshold_fen, 'held', drawn_at, expires_at,"
    " 1 FROM coupons_coupon, w WHERE draw_id = %(draw)s"
)
ITS_OWN = {"kind": "'draw'", "round": "round_id", "batch": "batch_id", "holder": "holder_id", "face": "face_fen"}


def test_a_coupon_is_of_its_draws_round_release_holder_and_face(settled):
    """All in one statement, as a batch of draws writes them; a foreign key would have asked for each alone."""
    coupon = settled.rounds[0].coupons.first()
    other = settled.campaign.rounds.exclude(pk=coupon.round_id).first()
    given = {"draw": coupon.pk}
    assert tried(COUPON_OF_ANOTHER.format(**ITS_OWN), given) == "nothing"
    stranger = factories.a_consumer("孙")
    for wrong in (
        {"kind": "'void'"}, {"round": str(other.pk)}, {"batch": "999999"}, {"holder": str(stranger.pk)},
        {"face": "face_fen - 1"},
    ):  # fmt: skip
        assert tried(COUPON_OF_ANOTHER.format(**(ITS_OWN | wrong)), given) == "coupon_is_its_draws", wrong
    alone = transfer(coupon="1000000", step=7)
    assert tried(alone) == "transfer_of_a_coupon"


def test_a_draw_is_somebodys_and_a_transfer_some_campaigns(settled):
    """Neither has a foreign key: the statement's trigger asks for all of its rows at once."""
    draw = (
        "INSERT INTO coupons_draw (deck_id, ticket, face_fen, drawn_at, kind, consumer_id, pseudonym, turn, entry_hash,"
        " channel) SELECT deck_id, 900 + n, face_fen, drawn_at, kind, %(who)s, convert_to('p' || n, 'UTF8'), turn,"
        " entry_hash, channel FROM coupons_draw, generate_series(1, 2) n WHERE id = %(draw)s"
    )
    like = Draw.objects.filter(kind="draw").first()
    assert tried(draw, {"draw": like.pk, "who": like.consumer_id}) == "nothing"
    assert tried(draw, {"draw": like.pk, "who": 1_000_000}) == "draw_of_a_deck"
    moved = (
        "INSERT INTO coupons_transfer (campaign_id, code, debit_kind, debit_key, credit_kind, credit_key, amount_fen,"
        " subject_kind, actor_kind, at) SELECT {campaign}, 'void', 'round', 2, 'pool', 2, 1, '', 'system', now()"
    )
    assert tried(moved.format(campaign=settled.campaign.pk)) == "nothing"
    assert tried(moved.format(campaign="1000000")) == "transfer_of_a_campaign"


def test_what_is_never_deleted_is_not_emptied_either(settled):
    """What hangs on a row by a trigger is not asked when the row goes: it never goes, not even for the owner."""
    kept = (
        "deck_is_sealed",
        "coupon_way_of_life",
        "round_is_dealt",
        "consumer_never_deleted",
        "campaign_never_deleted",
    )
    for table in ("coupons_deck", "coupons_coupon", "coupons_allotment", "coupons_consumer", "coupons_campaign"):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL ROLE NONE")
            assert tried(f"TRUNCATE {table} CASCADE") == f"{table.removeprefix('coupons_')}_never_emptied"
            assert tried(f"DELETE FROM {table}") in kept
            cursor.execute("SET LOCAL huigou.allow_truncate = 'on'")  # the control
            assert tried(f"TRUNCATE {table} CASCADE") == "nothing"
            transaction.set_rollback(True)


def test_a_release_and_an_approval_by_raw_sql_need_the_very_request(settled, leaders):
    """Approved by two, but for something else: a request of another deed gives no release; the right one does."""
    from coupons import approval
    from coupons.models import ChangeRequest, Freeze

    freeze = Freeze.objects.get()
    released = "UPDATE coupons_freeze SET released_at = now(), change_id = %s"
    request = ChangeRequest.objects.get(verb="unfreeze")
    assert tried(released, [request.pk]) == "freeze_released_by_approval"  # not approved yet
    assert tried("UPDATE coupons_freeze SET findings = '[]'") == "freeze_released_by_approval"
    assert tried("DELETE FROM coupons_freeze") == "freeze_released_by_approval"
    approval.approve(request.pk, leaders)
    freeze.refresh_from_db()
    assert freeze.change_id == request.pk
    assert tried("UPDATE coupons_freeze SET released_at = NULL") == "freeze_released_by_approval"


def test_every_table_that_stays_closed_is_tried_by_the_closings_test(db):
    """Its cases, with their control before the closing, are in test_closing."""
    kept = {table for (table,) in rows(
        "SELECT DISTINCT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
        " WHERE t.tgname LIKE '%%stays_closed%%'")}  # fmt: skip
    tried_there = {table for table in kept if any(f" {table} " in statement for statement in WRITES.values())}
    assert kept - tried_there <= {"coupons_registration", "reports_settlementuse"}
