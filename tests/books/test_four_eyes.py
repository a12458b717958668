"""Nobody approves alone: each money-moving verb, through the mechanism and past it in SQL."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from coupons import approval, funding
from coupons.errors import ALREADY_DECIDED, PAYLOAD_CHANGED, SAME_DEPARTMENT, SAME_PERSON
from coupons.models import ChangeRequest
from huigou.errors import BAD_INPUT, FORBIDDEN, Refusal
from huigou.models import Department, Staff
from huigou.roles import CHANGES
from huigou.rules import constraint_of
from tests import factories

pytestmark = pytest.mark.django_db
VERBS = sorted(CHANGES)


@pytest.fixture
def campaign(at):
    at("2022-06-20 10:00")
    return factories.a_county(launched=False).campaign


def a_change(verb: str, campaign) -> ChangeRequest:  # type: ignore[no-untyped-def]
    maker = factories.a_staff(sorted(CHANGES[verb].makers)[0])
    return approval.propose(verb, campaign, {"n": 1}, summary="试", reason="试", maker=maker)


def refusal(deed) -> object:  # type: ignore[no-untyped-def]
    with pytest.raises(Refusal) as refused:
        deed()
    return refused.value.reason


@pytest.mark.parametrize("verb", VERBS)
def test_a_maker_cannot_approve_the_own_request(campaign, verb):
    change = a_change(verb, campaign)
    assert refusal(lambda: approval.approve(change.pk, change.maker)) is SAME_PERSON


@pytest.mark.parametrize("verb", VERBS)
def test_a_colleague_of_the_makers_department_cannot_approve(campaign, verb):
    change = a_change(verb, campaign)
    colleague = factories.a_staff(change.maker.department, "同事")
    assert refusal(lambda: approval.approve(change.pk, colleague)) is SAME_DEPARTMENT


@pytest.mark.parametrize("verb", VERBS)
def test_the_operator_has_no_part_in_money(campaign, verb):
    operator = factories.a_staff(Department.OPERATOR)
    change = a_change(verb, campaign)
    assert refusal(lambda: approval.approve(change.pk, operator)) is FORBIDDEN
    propose = lambda: approval.propose(verb, campaign, {}, summary="", reason="试", maker=operator)  # noqa: E731
    assert refusal(propose) is FORBIDDEN


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_an_executor_and_two_different_departments(verb):
    assert verb in approval._executors
    assert any(maker != checker for maker in CHANGES[verb].makers for checker in CHANGES[verb].checkers)


SELF = "UPDATE coupons_changerequest SET state = 'approved', checker_id = maker_id, decided_at = now() WHERE id = %s"
COLLEAGUE = (
    "UPDATE coupons_changerequest SET state = 'approved', decided_at = now(), checker_id ="
    " (SELECT s.id FROM huigou_staff s WHERE s.username = %s) WHERE id = %s"
)
FORGED = (
    "UPDATE coupons_changerequest SET state = 'approved', checker_id = maker_id, checker_key = 'somebody',"
    " checker_department = 'leaders', decided_at = now() WHERE id = %s"
)


def sql(statement: str, *params: object) -> str:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, params)
            assert cursor.rowcount == 1
    except DatabaseError as error:
        return constraint_of(error)
    return "nothing"


@pytest.mark.parametrize("statement", [SELF, FORGED])
def test_raw_sql_cannot_approve_for_the_maker(campaign, statement):
    assert sql(statement, a_change("fund", campaign).pk) == "change_four_eyes"


def test_raw_sql_cannot_approve_within_the_department(campaign):
    change = a_change("fund", campaign)
    colleague = factories.a_staff(change.maker.department, "同事")
    assert sql(COLLEAGUE, colleague.username, change.pk) == "change_four_eyes"
    # The negative control: the same statement with somebody of another department goes through.
    assert sql(COLLEAGUE, factories.a_staff(Department.LEADERS).username, change.pk) == "nothing"


def test_raw_sql_cannot_begin_approved_or_change_what_was_asked(campaign):
    change = a_change("fund", campaign)
    assert sql("UPDATE coupons_changerequest SET payload = '{}' WHERE id = %s", change.pk) == "change_is_exact"
    born_approved = (
        "INSERT INTO coupons_changerequest (verb, campaign_id, payload, payload_sha256, summary, reason, state,"
        " maker_id, maker_key, maker_department, made_at, checker_id, checker_key, checker_department, decided_at,"
        " decision_note) SELECT verb, campaign_id, payload, payload_sha256, summary, reason, 'approved', maker_id, '',"
        " '', made_at, (SELECT max(id) FROM huigou_staff), '', '', now(), '' FROM coupons_changerequest WHERE id = %s"
    )
    assert sql(born_approved, change.pk) == "change_begins_proposed"


def test_a_decision_is_made_once(campaign, leaders, finance, bureau):
    change = funding.propose_fund(campaign, maker=bureau, reason="按方案")
    approval.approve(change.pk, leaders)
    assert refusal(lambda: approval.approve(change.pk, finance)) is ALREADY_DECIDED
    assert refusal(lambda: approval.reject(change.pk, finance, "晚了")) is ALREADY_DECIDED
    undone = "UPDATE coupons_changerequest SET state = 'proposed' WHERE id = %s"
    assert sql(undone, change.pk) in ("change_is_exact", "change_executed_if_approved")


def test_one_natural_person_has_one_account(campaign, leaders):
    with pytest.raises(DatabaseError), transaction.atomic():
        Staff.objects.create(username="second", department=Department.FINANCE, person_key=leaders.person_key)


def test_a_request_needs_a_reason(campaign, bureau):
    assert refusal(lambda: funding.propose_fund(campaign, maker=bureau, reason="  ")) is BAD_INPUT


def test_a_payload_altered_past_the_trigger_voids_the_request(campaign, bureau, leaders, as_owner):
    change = funding.propose_fund(campaign, maker=bureau, reason="按方案")
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE coupons_changerequest DISABLE TRIGGER USER")
        cursor.execute("UPDATE coupons_changerequest SET payload = '{\"batches\": {}}' WHERE id = %s", [change.pk])
        cursor.execute("ALTER TABLE coupons_changerequest ENABLE TRIGGER USER")
    assert refusal(lambda: approval.approve(change.pk, leaders)) is PAYLOAD_CHANGED


def test_a_maker_may_take_a_request_back(campaign, bureau, leaders):
    change = a_change("fund", campaign)
    assert refusal(lambda: approval.withdraw(change.pk, leaders)) is FORBIDDEN
    assert approval.withdraw(change.pk, bureau).state == ChangeRequest.State.VOID
    assert refusal(lambda: approval.approve(change.pk, leaders)) is ALREADY_DECIDED
