"""The seed of a round in the plan desk: a custodian's commitment and share, the public number, a postponement."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.http import HttpRequest

from coupons import custody, seeds
from coupons.fairness.seeds import MAX_SHARE_BYTES, MIN_SHARE_BYTES
from coupons.models import Round
from huigou import clock
from huigou.admin.deed import Deed
from huigou.admin.desk import Section
from huigou.admin.moment import MomentField


def _hexadecimal(text: str, least: int, most: int) -> bytes:
    try:
        found = bytes.fromhex("".join(text.split()))
    except ValueError:
        raise forms.ValidationError("请填写十六进制数字") from None
    if not least <= len(found) <= most:
        raise forms.ValidationError("长度不对，请核对后重新粘贴")
    return found


class CommitmentForm(forms.Form):
    """The hash that binds a custodian to a share that nobody else has seen."""

    commitment = forms.CharField(label="承诺值（64 位十六进制）", widget=forms.TextInput(attrs={"autocomplete": "off"}))

    def clean_commitment(self) -> bytes:
        return _hexadecimal(self.cleaned_data["commitment"], 32, 32)


class ShareForm(forms.Form):
    """The share itself; it is sealed at once and shown nowhere before the round is over."""

    share = forms.CharField(
        label="份额（十六进制）", widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "off", "spellcheck": "false"})
    )

    def clean_share(self) -> bytes:
        return _hexadecimal(self.cleaned_data["share"], MIN_SHARE_BYTES, MAX_SHARE_BYTES)


class PostponementForm(forms.Form):
    """New times and the notice that everybody reads."""

    opens_at = MomentField("抽奖开始")
    closes_at = MomentField("使用到期", is_end=True)
    notice = forms.CharField(label="延期公告", max_length=200, widget=forms.Textarea(attrs={"rows": 3}))
    reason = forms.CharField(label="理由", max_length=300, widget=forms.Textarea(attrs={"rows": 2}))


class SourceForm(forms.Form):
    """Where the public number will come from."""

    text = forms.CharField(
        label="来源", max_length=200, help_text="例：中国体彩排列五第 22164 期，开奖时间须在承诺截止之后"
    )
    reason = forms.CharField(label="理由", max_length=300, widget=forms.Textarea(attrs={"rows": 2}))


class ValueForm(SourceForm):
    """The public number, once it is known."""

    text = forms.CharField(label="公开随机数", max_length=200)


def _is_mine_missing(row: Round) -> bool:
    return row.dealt_at is None and not row.postponed_notice


def _how_to_commit(row: Round) -> str:
    until = clock.spoken(row.opens_at - seeds.COMMIT_AHEAD)
    return (
        f"{until}前提交。请在本单位自己的电脑上运行核验程序生成份额：\n"
        f'python3 verify_round_standalone.py --new-share "{row.campaign.code}" {row.number} 本单位代码\n'
        "本单位代码：工信局 industry，纪委监委 discipline，审计局 audit。"
        "只提交“承诺值”；份额由本单位保管，备奖前再交付。"
    )


def _commit(request: HttpRequest, row: Round, data: dict[str, Any]) -> str:
    seeds.commit(row, request.user, data["commitment"])  # type: ignore[arg-type]
    return f"{row}的份额承诺已登记并将公布"


def _hand_over(request: HttpRequest, row: Round, data: dict[str, Any]) -> str:
    seeds.hand_over(row, request.user, data["share"])  # type: ignore[arg-type]
    return f"{row}的份额与承诺相符，已加密封存"


def _postpone(request: HttpRequest, row: Round, data: dict[str, Any]) -> str:
    custody.propose_postponement(row, maker=request.user, **data)  # type: ignore[arg-type]
    return "已提交审批：轮次延期"


def _source(request: HttpRequest, row: Round, data: dict[str, Any]) -> str:
    custody.propose_entropy_source(row, data["text"], maker=request.user, reason=data["reason"])  # type: ignore[arg-type]
    return "已提交审批：公开随机数来源"


def _value(request: HttpRequest, row: Round, data: dict[str, Any]) -> str:
    custody.propose_entropy_value(row, data["text"], maker=request.user, reason=data["reason"])  # type: ignore[arg-type]
    return "已提交审批：公开随机数"


def _offer_times(form: forms.Form, request: HttpRequest, row: Round) -> None:
    day = dt.timedelta(days=1)
    form.fields["opens_at"].initial, form.fields["closes_at"].initial = row.opens_at + day, row.closes_at


DEEDS = (
    Deed(
        "commit",
        "提交份额承诺",
        "coupons.hold_share",
        _commit,
        CommitmentForm,
        offered=_is_mine_missing,
        on_row=False,
        say=_how_to_commit,
    ),
    Deed(
        "handover",
        "交付份额",
        "coupons.hold_share",
        _hand_over,
        ShareForm,
        offered=lambda row: row.dealt_at is None,
        on_row=False,
        say=lambda row: "系统当场核对份额与已公布的承诺是否相符，随即加密封存，轮次结束后公开。",
    ),
    Deed(
        "postpone",
        "申请延期",
        "coupons.propose_change",
        _postpone,
        PostponementForm,
        offered=lambda row: row.dealt_at is None,
        prepare=_offer_times,
        on_row=False,
        say=lambda row: f"份额未交齐等情况下推迟{row}。由纪委监委或领导小组批准，公告即时公开。",
    ),
    Deed(
        "source",
        "登记公开随机数来源",
        "coupons.propose_change",
        _source,
        SourceForm,
        offered=lambda row: row.dealt_at is None and not row.entropy_source and not row.postponed_notice,
        on_row=False,
        say=lambda row: "来源须在开始前一天之前由两个部门登记，数值在承诺截止之后才会揭晓。",
    ),
    Deed(
        "value",
        "登记公开随机数",
        "coupons.propose_change",
        _value,
        ValueForm,
        offered=lambda row: row.dealt_at is None and bool(row.entropy_source),
        on_row=False,
        say=lambda row: f"来源：{row.entropy_source}。由纪委监委或审计局核对后批准。",
    ),
)


def section(row: Round) -> Section:
    """Return who holds a share of a round's seed, what is missing, and the public number."""
    number = f"{row.entropy_source}：{row.entropy_value or '尚未揭晓'}" if row.entropy_source else "不用公开随机数"
    return Section(
        f"种子份额（{number}）",
        headings=("保管单位", "承诺值", "承诺时间", "交付时间"),
        rows=[
            (seeds.custodian_name(s.custodian), bytes(s.commitment).hex(), s.committed_at, s.handed_at or "待交付")
            for s in row.shares.order_by("pk")
        ],
    )
