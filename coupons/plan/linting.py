"""Name everything in a readable plan that somebody should look at before public money follows it.

The cells are taken as right; printed totals are held against what the cells add up to, in counts and in money. Nothing
is changed. Each finding has a stable code, which is what a sign-off names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from coupons.plan.draft import Place, PlanDraft, Printed
from huigou import clock
from huigou.money import short_yuan, yuan


@dataclass(frozen=True)
class Finding:
    """One thing to be signed off."""

    code: str
    sheet: str
    cell: str
    message: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


Rule = Callable[[PlanDraft], Iterator[Finding]]


def lint(draft: PlanDraft) -> list[Finding]:
    """Return every finding, in the order of the rules and then of the sheet."""
    return [finding for rule in RULES for finding in rule(draft)]


def _at(code: str, place: Place, message: str) -> Finding:
    return Finding(code, place.sheet, place.cell, message)


def printed_totals(draft: PlanDraft) -> Iterator[Finding]:
    """Each printed subtotal and total against the cells."""
    names = {category.code: category.name for category in draft.categories}
    for printed in draft.printed:
        computed, what = _computed(draft, printed, names)
        if computed is None or computed == printed.value:
            continue
        money = printed.what.endswith("money")
        unit = "元" if money else "张"
        show = yuan if money else str
        yield _at(
            {
                "row_count": "annex1-row-count",
                "row_money": "annex1-row-money",
                "column_count": "annex1-column-count",
                "column_money": "annex1-column-money",
                "total_count": "annex1-total-count",
                "total_money": "annex1-total-money",
            }[printed.what],
            printed.place,
            f"{what}印作 {show(printed.value)} {unit}，各格相加为 {show(computed)} {unit}",
        )


def _computed(draft: PlanDraft, printed: Printed, names: dict[str, str]) -> tuple[int | None, str]:
    of_row = [b for b in draft.batches if str(b.face_fen) == printed.key]
    of_column = draft.of_category(printed.key)
    if printed.what == "row_count":
        return sum(b.count for b in of_row), f"{short_yuan(int(printed.key))}元一行的张数小计"
    if printed.what == "row_money":
        return sum(b.count * b.face_fen for b in of_row), f"{short_yuan(int(printed.key))}元一行的金额小计"
    if printed.what == "column_count":
        return sum(b.count for b in of_column), f"{names.get(printed.key, '')}一列的张数总计"
    if printed.what == "column_money":
        return sum(b.count * b.face_fen for b in of_column), f"{names.get(printed.key, '')}一列的金额总计"
    if printed.what == "total_count":
        return draft.coupons, "消费券张数总计"
    if printed.what == "total_money":
        return draft.fen, "金额总计"
    return None, ""


def title_amount(draft: PlanDraft) -> Iterator[Finding]:
    """The amount in annex 1's title against the cells."""
    for printed in draft.printed:
        if printed.what == "title" and printed.value != draft.fen:
            message = f"标题写作 {yuan(printed.value)} 元，各格相加为 {yuan(draft.fen)} 元"
            yield _at("annex1-title", printed.place, message)


def budget(draft: PlanDraft) -> Iterator[Finding]:
    """The budget against the cells."""
    if draft.settings.budget_fen != draft.fen:
        message = f"资金总额 {yuan(draft.settings.budget_fen)} 元，投放合计 {yuan(draft.fen)} 元"
        yield Finding("budget-differs", "设置", "", message)


def categories(draft: PlanDraft) -> Iterator[Finding]:
    """Categories without stock or shop, or with one single shop for all of it."""
    for category in draft.categories:
        stock = sum(batch.count for batch in draft.of_category(category.code))
        shops = [m for m in draft.merchants if category.code in m.category_codes]
        if not stock and not shops:
            yield _at("category-idle", category.place, f"品类“{category.name}”既无投放也无商家")
            continue
        if not stock:
            yield _at("category-without-stock", category.place, f"品类“{category.name}”有商家而无投放")
        if not shops:
            yield _at("category-without-shop", category.place, f"品类“{category.name}”投放 {stock} 张而无商家")
        elif stock and len(shops) == 1:
            message = f"品类“{category.name}”的 {stock} 张券只有一家商家可用：{shops[0].name}"
            yield _at("category-single-shop", category.place, message)
        if stock and not category.is_active:
            yield _at("category-inactive-stock", category.place, f"品类“{category.name}”未启用却有投放 {stock} 张")


def named_trades(draft: PlanDraft) -> Iterator[Finding]:
    """Trades that the plan's text names and that no category stands for: nothing can be drawn or spent there."""
    known = sorted({name for category in draft.categories for name in category.names}, key=len, reverse=True)
    for trade in draft.named:
        rest = trade.name
        for name in known:  # 住宿餐饮 is two that are there
            rest = rest.replace(name, "")
        if rest:
            yield _at("category-idle", trade.place, f"方案所列门类“{trade.name}”既无投放也无商家")


def unread(draft: PlanDraft) -> Iterator[Finding]:
    """Hidden rows and columns, which are read all the same, and settings that the platform does not know."""
    for thing in draft.unread:
        hidden = thing.name.startswith("隐藏")
        yield _at("sheet-hidden" if hidden else "setting-unknown", thing.place, thing.name)


def merchants(draft: PlanDraft) -> Iterator[Finding]:
    """Collectives, missing addresses, and names or phones that stand twice."""
    names = Counter(m.name for m in draft.merchants)
    phones = Counter(m.phone for m in draft.merchants if m.phone)
    for merchant in draft.merchants:
        if merchant.is_collective:
            message = f"“{merchant.name}”没有地址和电话，是集体名录，须先列明各站点"
            yield _at("merchant-collective", merchant.place, message)
        elif not merchant.address or not merchant.phone:
            missing = "地址" if not merchant.address else "电话"
            yield _at("merchant-incomplete", merchant.place, f"“{merchant.name}”没有{missing}")
        if names[merchant.name] > 1:
            yield _at("merchant-twice", merchant.place, f"企业“{merchant.name}”出现不止一次")
        if phones[merchant.phone] > 1:
            yield _at("merchant-phone-twice", merchant.place, f"“{merchant.name}”的电话与其他企业相同")


def rounds(draft: PlanDraft) -> Iterator[Finding]:
    """Rounds that overlap, stand out of order, end before they begin, or leave days between them."""
    expected = 1
    previous = None
    for row in draft.rounds:
        name = f"第{row.number}轮"
        if row.number != expected:
            yield _at("round-order", row.place, f"轮次应为 {expected}，写作 {row.number}")
        expected = row.number + 1
        if row.opens_at >= row.closes_at:
            yield _at("round-backwards", row.place, f"{name}的到期时间不在开始时间之后")
        if previous is not None and row.opens_at < previous.closes_at:
            yield _at("round-overlap", row.place, f"{name}在上一轮到期之前开始")
        elif previous is not None and (row.opens_at - previous.closes_at).days >= 1:
            until = clock.spoken(previous.closes_at, end=True)
            yield _at("round-gap", row.place, f"{name}与上一轮（{until}到期）之间空了一天以上")
        previous = row


def faces(draft: PlanDraft) -> Iterator[Finding]:
    """More coupons than the smallest release can spread: a batch with fewer coupons than there are rounds."""
    for batch in draft.batches:
        if batch.count < len(draft.rounds):
            message = (
                f"{short_yuan(batch.face_fen)}元券只有 {batch.count} 张，少于 {len(draft.rounds)} 轮，后几轮可能没有"
            )
            yield _at("batch-fewer-than-rounds", batch.place, message)


RULES: list[Rule] = [
    title_amount,
    printed_totals,
    budget,
    categories,
    named_trades,
    merchants,
    rounds,
    faces,
    unread,
]
# Without these no round can be made at all: they cannot be signed away.
FATAL = frozenset({"round-order", "round-backwards", "round-overlap", "category-inactive-stock", "merchant-twice"})
