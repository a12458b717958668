"""The closing report of a rehearsal: figures that depend on the seed alone, so no time and no number of a row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Q, Sum

from coupons import ledger
from coupons.models import Batch, Coupon, Transfer
from coupons.models.books import Account
from huigou.money import short_yuan, yuan
from reports import settlement
from reports.models import Settlement

if TYPE_CHECKING:
    from reports.rehearsal.play import Stage
    from reports.rehearsal.watching import Watcher


def report(stage: Stage, watcher: Watcher) -> dict[str, Any]:
    """Return the report; amounts in fen, counts in coupons."""
    campaign = stage.campaign
    sums: dict[str, int] = {}
    for party, fen in ledger.balances(campaign.pk).items():
        sums[party.kind] = sums.get(party.kind, 0) + fen
    inside = {kind: sums.get(kind, 0) for kind in Account.values if kind != Account.TREASURY}
    findings = [found for check in stage.acts["checks"] for found in check["findings"]]
    always = {figure for pair in watcher.sums for figure in pair}
    made = settlement.summary(Settlement.objects.get(campaign=campaign))
    return {
        "seed": stage.options.seed,
        "consumers": stage.options.consumers,
        "campaign": str(campaign),
        "batches": list(_batches(stage)),
        "rounds": list(_rounds(stage)),
        "outcomes": dict(sorted(stage.outcomes.items())),
        "reallocation": stage.acts.get("reallocation"),
        # Its hash is taken over numbers of rows, which depend on who was faster.
        "settlement": {key: value for key, value in made.items() if key != "sha256"},
        "settled_early": stage.acts["settled_early"],
        "write_after_closing": stage.acts["write_after_closing"],
        "accounts_fen": inside,
        "total_fen": sum(inside.values()),
        "budget_fen": campaign.budget_fen,
        "every_snapshot_fen": sorted(always),
        "checks": len(stage.acts["checks"]),
        "findings": findings,
        "transfers": Transfer.objects.filter(campaign=campaign).count(),
        "green": not findings and always == {campaign.budget_fen} == {sum(inside.values())},
    }


def _batches(stage: Stage) -> Iterator[dict[str, Any]]:
    State = Coupon.State
    counts = {
        row["batch"]: row
        for row in Coupon.objects.filter(round__campaign=stage.campaign)
        .values("batch")
        .annotate(
            issued=Count("pk"),
            used=Count("pk", filter=Q(state=State.USED)),
            expired=Count("pk", filter=Q(state=State.EXPIRED)),
            forfeited=Count("pk", filter=Q(state=State.FORFEITED)),
        )
    }
    back = {
        row["debit_key"]: row["fen"]
        for row in Transfer.objects.filter(campaign=stage.campaign, code__in=["return", "carry"], debit_kind="pool")
        .values("debit_key")
        .annotate(fen=Sum("amount_fen"))
    }
    batches = Batch.objects.filter(category__campaign=stage.campaign).select_related("category")
    for batch in batches.order_by("category__position", "face_fen"):
        row: Mapping[str, Any] = counts.get(batch.pk, {})
        yield {
            "category": batch.category.name,
            "face_fen": batch.face_fen,
            "planned": batch.planned,
            **{key: row.get(key, 0) for key in ("issued", "used", "expired", "forfeited")},
            "returned_fen": back.get(batch.pk, 0),
        }


def _rounds(stage: Stage) -> Iterator[dict[str, Any]]:
    for round_ in stage.campaign.rounds.order_by("number"):
        coupons = Coupon.objects.filter(round=round_)
        yield {
            "number": round_.number,
            "released": round_.allotments.aggregate(s=Sum("count"))["s"] or 0,
            "issued": coupons.count(),
            "used": coupons.filter(state=Coupon.State.USED).count(),
        }


def as_text(told: dict[str, Any]) -> str:
    """Return the report as text for a person."""
    lines = [
        f"演练：{told['campaign']}，买家 {told['consumers']} 人，种子 {told['seed']}",
        "",
        "品类　面额　计划　发出　使用　到期　放弃　退出奖池（元）",
    ]
    for row in told["batches"]:
        figures = "　".join(str(row[key]) for key in ("planned", "issued", "used", "expired", "forfeited"))
        lines.append(f"{row['category']}　{short_yuan(row['face_fen'])}　{figures}　{yuan(row['returned_fen'])}")
    lines += ["", "轮次　投放　发出　使用"]
    lines += [f"第{r['number']}轮　{r['released']}　{r['issued']}　{r['used']}" for r in told["rounds"]]
    if told["reallocation"]:
        lines += ["", f"品类调整：{told['reallocation'].get('summary', '无')}"]
        lines.append(f"除不尽的调整：{told['reallocation']['refused']}")
    made = told["settlement"]
    lines += [
        "",
        f"商家结算：{made['shops']} 家，计入 {yuan(made['counted_fen'])} 元，已付 {yuan(made['paid_fen'])} 元，"
        f"追回 {yuan(made['clawed_back_fen'])} 元；提前一秒批准：{told['settled_early']}",
        f"结账之后写入：{told['write_after_closing']}",
        "",
    ]
    names = dict(Account.choices)
    lines += [f"{names[kind]}　{yuan(fen)} 元" for kind, fen in told["accounts_fen"].items()]
    lines.append(f"合计　{yuan(told['total_fen'])} 元（资金总额 {yuan(told['budget_fen'])} 元）")
    seen = "、".join(yuan(fen) for fen in told["every_snapshot_fen"])
    lines.append(f"运行中每次快照的合计：{seen} 元；核对 {told['checks']} 次，问题 {len(told['findings'])} 个")
    lines += [f"  {found['message']}" for found in told["findings"]]
    text = "\n".join(lines)
    return f"{text}\n报告散列 {hashlib.sha256(text.encode()).hexdigest()}\n账目{'相符' if told['green'] else '不符'}"
