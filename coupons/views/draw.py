"""抽奖: the wheel, the table of faces and odds, and the result, which is the server's."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from coupons import consumers
from coupons.drawing.foresight import draws_of, foresee
from coupons.models import Batch, Campaign, Category, Consumer, Deck, Draw, Round
from coupons.views.home import Stage, stage_of
from coupons.views.page import bind_url, nothing_yet, page
from coupons.views.waiting import sent_to_wait
from huigou import clock
from huigou.errors import Refusal
from huigou.money import short_yuan


@dataclass(frozen=True)
class Face:
    """One sector: a face and how many of it are in the deck; face 0 is a blank."""

    face_fen: int
    count: int | None

    def on_wheel(self) -> dict[str, Any]:
        """Return the sector as the wheel draws it."""
        if not self.face_fen:
            return {"fen": 0, "text": "谢谢参与", "unit": "", "blank": True}
        return {"fen": self.face_fen, "text": short_yuan(self.face_fen), "unit": "元", "blank": False}


def faces_of(deck: Deck | None, category: Category) -> list[Face]:
    """Return the sectors, ascending by face, blanks last; before the deck is dealt, the plan's faces without counts."""
    if deck is None:
        faces = Batch.objects.filter(category=category).order_by("face_fen").values_list("face_fen", flat=True)
        return [Face(face, None) for face in faces] + ([Face(0, None)] if category.blanks else [])
    won = sorted((face, count) for face, count, *_ in deck.stock if face)
    blanks = deck.size - sum(count for _, count in won)
    return [Face(face, count) for face, count in won] + ([Face(0, blanks)] if blanks else [])


def result_of(draw: Draw, faces: list[Face], round_: Round, multiplier: int, following: str) -> dict[str, Any]:
    """Return a draw as the result card shows it."""
    sector = next((i for i, face in enumerate(faces) if face.face_fen == draw.face_fen), 0)
    return {
        "won": draw.face_fen > 0,
        "sector": sector,
        "face": short_yuan(draw.face_fen),
        "threshold": short_yuan(draw.face_fen * multiplier),
        "expires": clock.spoken(round_.closes_at, end=True),
        "ticket": f"第 {draw.ticket} 号",
        "receipt": bytes(draw.entry_hash).hex(),
        "url": reverse("m-coupon", args=[draw.pk]) if draw.face_fen else "",
        "next_round": following,
    }


def following_text(stage: Stage) -> str:
    """Say when the next round opens."""
    if stage.following is None:
        return "这是最后一轮，感谢参与。"
    return f"第{stage.following.number}轮{clock.spoken(stage.following.opens_at)}开抽，欢迎再来。"


@require_safe
def draw(request: HttpRequest, category: str) -> HttpResponse:
    """Show the wheel of a category in the round that is open, or in the next one with its countdown."""
    campaign = Campaign.objects.current()
    if campaign is None:
        return nothing_yet(request)
    row = Category.objects.filter(campaign=campaign, code=category, is_active=True).first()
    if row is None:
        raise Http404
    if campaign.draw_mode == Campaign.DrawMode.LOTTERY:
        return redirect("m-register", category)
    now = clock.now()
    stage = stage_of(campaign, now)
    round_ = stage.shown
    if round_ is None:
        return page(request, "m/over.html", now=now, campaign=campaign, category=row, tab="home")
    consumer = consumers.current(request)
    deck = Deck.objects.filter(round=round_, category=row).first()
    draws = draws_of(consumer, deck.pk) if consumer and deck else []
    # A rush sends to the waiting room whoever still has something to wait for here.
    something_left = stage.current and not draws and (deck is None or deck.left > 0)
    if consumer and something_left and (way := sent_to_wait(request, round_.pk, consumer.pk)):
        return way
    refusal = foresee(consumer, deck.pk, draws, now) if consumer and deck else None
    faces = faces_of(deck, row)
    last = next((d for d in draws if d.face_fen), draws[-1] if draws else None)
    drawn = result_of(last, faces, round_, campaign.multiplier, following_text(stage)) if last else None
    return page(
        request,
        "m/draw.html",
        now=now,
        tab="home",
        campaign=campaign,
        category=row,
        round=round_,
        faces=_table(faces, campaign.multiplier),
        deck_size_text=f"共 {deck.size:,} 张" if deck else "（张数开抽前公布）",
        drawn=drawn,
        **_button(request, stage, deck, consumer, refusal, drawn),
        draw_page={
            "category": row.code,
            "round_id": round_.pk,
            "turn": len(draws) + 1,
            "turns": row.turns,
            "opens_at": int(round_.opens_at.timestamp() * 1000),
            "can_draw": consumer is not None and refusal is None,
            "drawn": bool(drawn) and refusal is not None,
            "faces": [face.on_wheel() for face in faces],
            "sector": drawn["sector"] if drawn else None,
            "name": row.name,
            "coupon_url": reverse("m-coupon", args=[0]),
            "next_round": following_text(stage),
        },
    )


def _table(faces: list[Face], multiplier: int) -> list[dict[str, Any]]:
    total = sum(face.count or 0 for face in faces)
    return [
        {
            "blank": not face.face_fen,
            "face": short_yuan(face.face_fen),
            "count": "—" if face.count is None else f"{face.count:,}",
            "percent": round(100 * face.count / total) if face.count and total else None,
            "share": f"{100 * face.count / total:.1f}%" if face.count and total else "—",
            "threshold": short_yuan(face.face_fen * multiplier),
        }
        for face in faces
    ]


def _button(
    request: HttpRequest,
    stage: Stage,
    deck: Deck | None,
    consumer: Consumer | None,
    refusal: Refusal | None,
    drawn: dict[str, Any] | None,
) -> dict[str, Any]:
    """Return what the hub of the wheel says, and the sentence and the link below it."""
    is_open = stage.phase == "open"
    shown: dict[str, Any] = {"open": is_open, "can_draw": False, "waiting_until": None}
    if drawn and refusal is not None:
        text = f"抽中 {drawn['face']} 元" if drawn["won"] else "谢谢参与"
        return {**shown, "go_label": "已抽中" if drawn["won"] else "已抽奖", "headline": text}
    if consumer is None:
        text = "先绑定手机号，再来抽奖"
        return {**shown, "go_label": "未绑定", "headline": text, "need_url": bind_url(request), "need_text": "去绑定"}
    if refusal is not None:
        link = {}
        if refusal.code == "place_needed":
            link = {"need_url": f"{reverse('m-place')}?next={request.path}", "need_text": "确认所在地"}
        return {**shown, "go_label": "不能抽", "headline": f"{refusal.message}。{refusal.next_step}", **link}
    if not is_open:
        return {**shown, "can_draw": True, "go_label": "未开始", "waiting_until": _opening(stage)}
    # Without a deck the round is not dealt yet: the first draw deals it.
    return {**shown, "can_draw": True, "go_label": "抽奖", "headline": "点中间的“抽奖”"}


def _opening(stage: Stage) -> dt.datetime | None:
    return stage.following.opens_at if stage.following else None
