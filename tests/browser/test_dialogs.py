"""What a deed's dialog says when the answer does not come from the deed: no network, logged out, no right any more."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from coupons.models import Notice
from huigou.models import Staff
from tests.browser import office
from tests.chromium import Opener
from tests.every_page import a_notice
from tests.serving import Site

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_dialog_never_loses_a_deed_in_silence(county, bureau, site: Site, opened: Opener) -> None:
    notice = a_notice(county.campaign)
    desk = office.at_work(opened, site, bureau, "公告")
    dialog = office.ask(desk, "撤下", notice.title)
    dialog.get_by_label("理由").fill("演示")

    desk.context.set_offline(True)
    office.agree(dialog)
    expect(dialog.get_by_role("alert")).to_contain_text("网络不通，不能确定是否办成")
    assert dialog.get_by_label("理由").input_value() == "演示"
    desk.context.set_offline(False)

    Staff.objects.filter(pk=bureau.pk).update(department="media_retired")
    office.agree(dialog)
    expect(dialog.get_by_role("alert")).to_contain_text("没有办成（403），请刷新本页后再试")
    assert Notice.objects.get(pk=notice.pk).shown_until is None

    desk.context.clear_cookies(name="sessionid")
    office.agree(dialog)
    expect(desk.get_by_role("button", name="登录")).to_be_visible()


def test_a_file_is_asked_for_in_chinese_and_shows_its_name_once_chosen(
    county, bureau, site: Site, opened: Opener
) -> None:
    desk = office.at_work(opened, site, bureau, "活动与方案")
    desk.get_by_role("link", name="导入方案").click()
    field = desk.locator("input[type=file]").first
    words = "e => getComputedStyle(e, '::before').content + getComputedStyle(e).color"
    assert field.evaluate(words) == '"选择文件"rgba(0, 0, 0, 0)'
    field.set_input_files({"name": "活动设置.xlsx", "mimeType": "application/zip", "buffer": b"PK"})
    assert field.evaluate("e => e.hasAttribute('data-empty')") is False
    assert field.evaluate("e => getComputedStyle(e).color") != "rgba(0, 0, 0, 0)"
