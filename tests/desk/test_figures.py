"""商家统计: per shop, place, category, day, hour, round and statistical status; every line leads to what it counts."""

from __future__ import annotations

from itertools import product
from urllib.parse import parse_qsl, urlsplit

from django.db.models import Sum

from merchants.desk import Uses
from merchants.models import Redemption
from reports.figures import GROUPS, ShopFigures

FIGURES = "/admin/reports/shopfigures/"
FILTERS = ["", "category=fuel", "round=2", "stat=listed", "merchant=乾安火锅店", "since=2022-07-01&until=2022-07-01"]


def lines(scene, query: str) -> ShopFigures:
    listing = ShopFigures.open(dict(parse_qsl(query)), scene.now)
    assert listing.is_valid, query
    return listing


def test_every_line_leads_to_the_list_that_it_counts_and_to_its_own_parts(scene):
    looked = 0
    for group, more in product(GROUPS, FILTERS):
        listing = lines(scene, f"group={group}&{more}")
        assert sum(figure.uses for figure in listing.figures) == listing.sums()["uses"] > 0
        for figure in listing.figures:
            counted = Uses.open(dict(parse_qsl(urlsplit(listing._drill(figure)).query)), scene.now)
            assert counted.is_valid
            sums = counted.sums()
            assert (counted.count(), sums["face"], sums["amount"]) == (figure.uses, figure.face, figure.amount)
            closer = urlsplit(listing._closer(figure))
            if closer.path == FIGURES:
                parts = lines(scene, closer.query)
                assert parts.group != group
                assert (parts.sums()["uses"], parts.sums()["amount"]) == (figure.uses, figure.amount), closer.query
            looked += 1
    assert looked > 60


def test_the_last_line_is_what_the_rows_come_to(scene):
    used = Redemption.objects.finished().aggregate(face=Sum("face_fen"), amount=Sum("amount_fen"))
    for group in GROUPS:
        sums = lines(scene, f"group={group}").sums()
        assert (sums["uses"], sums["face"], sums["amount"]) == (3, used["face"], used["amount"])
        assert sums["ratio"] == used["amount"] / used["face"]
    sums = lines(scene, "group=merchant").sums()
    assert (sums["pending"], sums["forfeited"]) == (1, 1)


def test_lines_are_named_as_people_say_them(scene):
    named = {group: [figure.label for figure in lines(scene, f"group={group}").figures] for group in GROUPS}
    assert named == {
        "merchant": ["乾安火锅店", "乾安加油站"],
        "outlet": ["乾安火锅店", "乾安加油站"],
        "category": ["餐饮", "加油站"],
        "day": ["2022/6/25", "2022/7/1"],
        "hour": ["2022/6/25 09:00–10:00", "2022/7/1 10:00–11:00", "2022/7/1 11:00–12:00"],
        "round": ["第1轮", "第2轮"],
        "stat": ["限上在库", "待核"],
    }


def test_a_list_reached_by_a_hidden_filter_says_so(scene, desk):
    page = desk.get("/admin/merchants/redemption/?hour=2022-07-01T10").content.decode()
    assert "仅看：2022/7/1 10:00–11:00" in page
    assert desk.get("/admin/merchants/redemption/?hour=2022-13-01T10").context["listing"].is_valid is False


def test_what_is_shown_can_be_exported_as_it_is_filtered(scene, desk):
    answer = desk.get(f"{FIGURES}?group=day&category=fuel")
    assert answer.context["export_to"].endswith("?kind=figures")
    assert f"{answer.context['export_to']}&group=day&category=fuel".replace("&", "&amp;") in answer.content.decode()
