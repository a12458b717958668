"""A round is postponed to a day and time typed as the plan writes them, whatever language the browser speaks."""

from __future__ import annotations

import html
import re

import pytest
from django.forms import ValidationError
from django.urls import reverse

from coupons.models import ChangeRequest
from huigou.admin.moment import MomentField
from huigou.models import Department
from tests import factories
from tests.conftest import moment

NINE = moment("2022-06-26 09:00")
MIDNIGHT = moment("2022-06-30 00:00")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("2022-06-26 09:00", NINE),
        (" 2022/6/26 9:00 ", NINE),
        ("2022.06.26 09：00", NINE),
        ("2022年6月26日 9时00分", NINE),
        ("2022-06-26T09:00", NINE),
        ("2022-06-26 09:00:30", moment("2022-06-26 09:00:30")),
        ("2022-06-30 00:00", MIDNIGHT),
        ("2022-06-29 24:00", MIDNIGHT),  # as the plan prints it
        ("2022-12-31 24:00", moment("2023-01-01 00:00")),
    ],
)
def test_what_is_typed_is_the_countys_time(typed, meant):
    assert MomentField("抽奖开始").clean(typed) == meant


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "该字段是必填项。"),
        ("明天九点", "请按“年-月-日 时:分”填写"),
        ("06/26/2022 09:00 AM", "请按“年-月-日 时:分”填写"),
        ("2022-06-26", "请按“年-月-日 时:分”填写"),
        ("26-06-2022 09:00", "请按“年-月-日 时:分”填写"),
        ("2022-06-31 09:00", "没有这个日期或时间"),
        ("2022-06-26 24:01", "没有这个日期或时间"),
        ("9999-12-31 24:00", "没有这个日期或时间"),
        ("0001-01-01 09:00", "请填 2000 年至 2099 年之间的日期"),
        ("2126-06-26 09:00", "请填 2000 年至 2099 年之间的日期"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_chinese(typed, said):
    with pytest.raises(ValidationError) as refused:
        MomentField("抽奖开始").clean(typed)
    assert refused.value.messages[0].startswith(said)


@pytest.mark.parametrize(
    ("at", "is_end", "shown"),
    [(NINE, False, "2022-06-26 09:00"), (MIDNIGHT, False, "2022-06-30 00:00"), (MIDNIGHT, True, "2022-06-29 24:00")],
)
def test_what_is_shown_is_what_may_be_typed(at, is_end, shown):
    field = MomentField("使用到期", is_end=is_end)
    assert field.prepare_value(at) == shown
    assert field.clean(shown) == at


@pytest.mark.django_db
def test_the_dialog_asks_for_a_postponement_in_plain_text(at, desk_of):
    at("2022-06-20 09:00")
    round_ = factories.a_county({("dining", 100): 8}).rounds[0]
    desk, address = desk_of(Department.INDUSTRY), reverse("admin:coupons_round_rowdeed", args=[round_.pk, "postpone"])
    page = html.unescape(desk.get(address, headers={"X-Requested-With": "dialog"}).content.decode())
    assert "datetime-local" not in page
    fields = dict(re.findall(r'<input type="text" name="(\w+)" value="([^"]*)"', page))
    assert fields == {"opens_at": "2022-06-26 09:00", "closes_at": "2022-06-29 24:00"}
    assert page.count("北京时间，年-月-日 时:分，24 小时制") == 2
    for name in fields:  # a screen reader tells how to type it
        assert f'aria-describedby="id_{name}_helptext"' in page
        assert f'id="id_{name}_helptext"' in page
    wrong = desk.post(address, fields | {"opens_at": "6/26/2022", "notice": "延期一天", "reason": "份额未交"})
    assert (wrong.status_code, "请按“年-月-日 时:分”填写" in html.unescape(wrong.content.decode())) == (422, True)
    assert 'value="6/26/2022"' in wrong.content.decode()  # what was typed stays, to be put right
    assert desk.post(address, fields | {"notice": "延期一天", "reason": "份额未交"}).status_code == 302
    asked = ChangeRequest.objects.get(verb="postpone").payload
    assert {moment(asked[name]) for name in fields} == {NINE, MIDNIGHT}
