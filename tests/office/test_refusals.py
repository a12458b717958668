"""What the back office refuses whoever comes and by whatever way: page, form, direct POST, list action."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction
from django.urls import reverse

from coupons import funding
from coupons.models import ChangeRequest, Exclusion
from huigou.models import Department, Staff
from reports.models import AuditEntry
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def change(county, bureau) -> ChangeRequest:  # type: ignore[no-untyped-def]
    counts = {batch.pk: 3 for batch in county.batches.values()}
    return funding.propose_release(county.rounds[1], counts, maker=bureau, reason="调整")


def decide(client, change, deed="approve", **data):  # type: ignore[no-untyped-def]
    answer = client.post(reverse("admin:coupons_changerequest_rowdeed", args=[change.pk, deed]), data)
    change.refresh_from_db()
    return answer.status_code, answer.content.decode()


def test_a_maker_cannot_approve_nor_a_colleague_of_the_department(change, desk_of, bureau):
    for who in (bureau, factories.a_staff(Department.INDUSTRY, "同事")):
        status, page = decide(desk_of(who), change)
        assert (status, change.state) == (422, ChangeRequest.State.PROPOSED)
        assert "不能审批自己提出的事项" in page or "须由另一部门审批" in page


def test_a_department_that_may_decide_other_things_cannot_decide_this(change, desk_of):
    status, _ = decide(desk_of(Department.DISCIPLINE), change)  # 纪委 approves postponements, not money
    assert (status, change.state) == (422, ChangeRequest.State.PROPOSED)


def test_an_edited_payload_is_void(county, change, desk_of, as_owner):
    with as_owner(), connection.cursor() as cursor:  # past the trigger, as somebody with the owner's rights could
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE coupons_changerequest DISABLE TRIGGER USER")
        cursor.execute("UPDATE coupons_changerequest SET payload = '{}' WHERE id = %s", [change.pk])
        cursor.execute("ALTER TABLE coupons_changerequest ENABLE TRIGGER USER")
    status, page = decide(desk_of(Department.FINANCE), change)
    assert status == 422
    assert "内容与提出时不一致" in page
    assert change.state != ChangeRequest.State.APPROVED
    assert not county.rounds[1].allotments.exists()


def test_another_department_approves_and_the_trail_says_so(change, desk_of, finance):
    before = change.state
    status, _ = decide(desk_of(finance), change, note="同意")
    assert (status, before, change.state, change.checker) == (302, "proposed", "approved", finance)
    entry = AuditEntry.objects.filter(deed="批准").get()
    assert (entry.staff, entry.before["状态"], entry.after["状态"], entry.note) == (finance, "待审批", "已批准", "同意")
    assert entry.address == "127.0.0.1"


def person_form(person_key: str, username: str) -> dict[str, str]:
    secret = "invented-pass-77"
    return {"username": username, "password1": secret, "password2": secret, "first_name": "演示", "is_staff": "on",
            "department": Department.FINANCE, "person_key": person_key}  # fmt: skip


def test_one_natural_person_has_one_account(desk_of):
    desk, add = desk_of(Department.LEADERS), reverse("admin:huigou_staff_add")
    assert desk.post(add, person_form("GX-0017", "first")).status_code == 302
    for again in ("GX-0017", "gx-0017", " GX-0017 "):
        answer = desk.post(add, person_form(again, "second"))
        assert (answer.status_code, Staff.objects.filter(username="second").exists()) == (200, False)
        assert "自然人" in answer.content.decode()
        with pytest.raises(IntegrityError), transaction.atomic():
            Staff.objects.create(username="third", department="audit", person_key=again)


def test_an_account_is_not_changed_into_another_persons_second_one(desk_of, finance, auditor):
    desk, change = desk_of(Department.LEADERS), reverse("admin:huigou_staff_change", args=[auditor.pk])
    form = {"username": auditor.username, "first_name": "演示", "department": Department.AUDIT, "is_active": "on"}
    for taken in (finance.person_key, f" {finance.person_key.upper()} "):
        answer = desk.post(change, form | {"person_key": taken})
        assert answer.status_code == 200
        assert "该自然人标识已有账号，一人一号" in answer.content.decode()
    before = auditor.person_key
    auditor.refresh_from_db()
    assert (auditor.person_key, auditor.first_name) == (before, "")
    assert desk.post(change, form | {"person_key": before}).status_code == 302
    auditor.refresh_from_db()
    assert (auditor.person_key, auditor.first_name) == (before, "演示")


def test_a_list_action_by_direct_post_is_only_a_search(county, desk_of):
    for name, row in (("coupons_round", county.rounds[0]), ("merchants_merchant", factories.a_merchant(county))):
        desk = desk_of(Department.INDUSTRY)
        action = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
        assert desk.post(reverse(f"admin:{name}_changelist"), action).status_code in (302, 200)
        row.refresh_from_db()
        assert desk.post(reverse(f"admin:{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
        row.refresh_from_db()


def test_what_is_live_cannot_be_changed_by_a_form_that_was_made_up(county, desk_of):
    batch = county.batches["dining", 100]
    made_up = {"name": "改名", "planned": "99999", "face": "5", "category": str(batch.category_id)}
    desk_of(Department.INDUSTRY).post(reverse("admin:coupons_batch_change", args=[batch.pk]), made_up)
    batch.refresh_from_db()
    assert (batch.name, batch.planned, batch.face_fen) == ("改名", 20, 10_000)


def test_a_full_number_needs_right_and_reason_and_leaves_a_row(county, wang, desk_of):
    deed = reverse("admin:coupons_consumer_rowdeed", args=[wang.pk, "reveal"])
    number = wang.person.phone
    assert desk_of(Department.FINANCE).post(deed, {"reason": "看看"}).status_code == 403
    unreasoned = desk_of(Department.AUDIT).post(deed, {"reason": " "})
    assert (unreasoned.status_code, number in unreasoned.content.decode()) == (422, False)
    shown = desk_of(Department.AUDIT).post(deed, {"reason": f"核对 {number} 的消费"})
    assert number in shown.content.decode()
    assert "no-store" in shown.headers["Cache-Control"]
    [row] = wang.person.reveal_set.all()
    assert (row.staff, number in row.reason) == (factories.a_staff(Department.AUDIT), False)
    # The trail outlives a person's data: what was typed as a reason keeps no number there.
    entry = AuditEntry.objects.get(deed="查看完整姓名和手机号")
    assert (number in entry.note, entry.note) == (False, row.reason)
    assert number not in desk_of(Department.AUDIT).get(reverse("admin:coupons_consumer_changelist")).content.decode()


def test_the_trail_is_found_by_staff_deed_table_row_and_day_and_cannot_be_changed(change, desk_of, finance):
    decide(desk_of(finance), change, note="同意")
    listed = reverse("admin:reports_auditentry_changelist")
    desk = desk_of(Department.DISCIPLINE)
    for query in (
        f"row={change.pk}&table=审批",
        "deed=批准",
        f"staff={finance.username}&deed=批准",
        "department=finance&deed=批准",
    ):
        assert "共 <b>1</b> 条" in desk.get(f"{listed}?{query}").content.decode(), query
    assert "共 <b>0</b> 条" in desk.get(f"{listed}?deed=批准&since=2022-06-26").content.decode()
    entry = AuditEntry.objects.first()
    for forge in (
        lambda: AuditEntry.objects.update(note="改"),
        lambda: AuditEntry.objects.filter(pk=entry.pk)._raw_delete("default"),
    ):
        with pytest.raises(Exception, match=r"permission denied|Cannot"), transaction.atomic():
            forge()


def test_the_exclusion_list_is_added_to_by_two_departments_and_left_by_one(county, desk_of):
    add = reverse("admin:coupons_exclusion_deed", args=["add"])
    entered = {"phone": "19900008899", "source": "staff", "reason": "本局人员"}
    assert desk_of(Department.FINANCE).post(add, entered).status_code == 403
    assert desk_of(Department.INDUSTRY).post(add, entered).status_code == 302
    row = Exclusion.objects.get()
    page = desk_of(Department.DISCIPLINE).get(reverse("admin:coupons_exclusion_changelist")).content.decode()
    assert "19900008899" not in page
    remove = reverse("admin:coupons_exclusion_rowdeed", args=[row.pk, "remove"])
    assert desk_of(Department.INDUSTRY).post(remove, {"reason": "调离"}).status_code == 403
    assert desk_of(Department.DISCIPLINE).post(remove, {"reason": "调离"}).status_code == 302
    row.refresh_from_db()
    assert row.removed_at is not None
