"""首页: the round, five category cards, what is left, the countdown."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from coupons import consumers
from coupons.lifecycle import freezing
from coupons.models import Allotment, Batch, Campaign, Category, Consumer, Coupon, Deck, Draw, Notice, Round
from coupons.views.page import me_of, nothing_yet, page
from huigou import clock
from huigou.money import short_yuan

NOTICES_ON_HOME = 3
KEPT = "huigou.kept"  # in the request's environment when coupons.welcome asks for a page to keep


@dataclass(frozen=True)
class Stage:
    """Where a campaign stands at an instant: the round that is open, or the next one, or none."""

    rounds: list[Round]
    current: Round | None
    following: Round | None
    phase: str  # before, open, over

    @property
    def shown(self) -> Round | None:
        return self.current or self.following

    @property
    def text(self) -> str:
        if self.current and self.current.paused_at:
            return "暂停"
        return {"before": "即将开抽", "open": "正在抽奖", "over": "本期活动已结束"}[self.phase]

    def marks(self) -> list[dict[str, str]]:
        """Return one mark a round for the line of progress."""
        number = self.shown.number if self.shown else len(self.rounds) + 1
        return [{"state": "past" if r.number < number else "now" if r is self.shown else "next"} for r in self.rounds]


def stage_of(campaign: Campaign, now: dt.datetime) -> Stage:
    """Return where the campaign stands; one query."""
    rounds = list(campaign.rounds.order_by("number"))
    current = next((r for r in rounds if r.state(now) == "open"), None)
    following = next((r for r in rounds if r.state(now) == "before"), None)
    phase = "open" if current else "before" if following else "over"
    return Stage(rounds, current, following, phase)


def category_cards(campaign: Campaign, stage: Stage, consumer: Consumer | None) -> list[dict[str, Any]]:
    """Return a card for each category that releases coupons; four queries, however many categories."""
    faces: dict[int, list[int]] = {}
    for category_id, face in Batch.objects.filter(category__campaign=campaign).values_list("category_id", "face_fen"):
        faces.setdefault(category_id, []).append(face)
    categories = [c for c in Category.objects.filter(campaign=campaign, is_active=True) if c.pk in faces]
    decks: dict[int, Deck] = {}
    if stage.shown:
        decks = {deck.category_id: deck for deck in Deck.objects.filter(round=stage.shown)}
    mine = _draws_by_deck(consumer, list(decks.values()))
    return [_card(category, faces[category.pk], decks.get(category.pk), stage, mine) for category in categories]


def _draws_by_deck(consumer: Consumer | None, decks: list[Deck]) -> dict[int, list[Draw]]:
    found: dict[int, list[Draw]] = {}
    if consumer is None or not decks:
        return found
    rows = Draw.objects.filter(deck__in=decks, consumer__person_id=consumer.person_id, kind=Draw.Kind.DRAW)
    for draw in rows.order_by("turn"):
        found.setdefault(draw.deck_id, []).append(draw)
    return found


def _card(
    category: Category, faces: list[int], deck: Deck | None, stage: Stage, mine: dict[int, list[Draw]]
) -> dict[str, Any]:
    draws = mine.get(deck.pk, []) if deck else []
    won = next((draw for draw in draws if draw.face_fen), None)
    state, action, primary = _state(category, deck, stage, won, draws)
    return {
        "code": category.code,
        "name": category.name,
        "faces_text": "、".join(short_yuan(face) for face in sorted(faces)) + " 元",
        "state": state,
        "action": action,
        "primary": primary,
        "url": reverse("m-coupon", args=[won.pk]) if won else reverse("m-draw", args=[category.code]),
        "left_text": _left_text(category, deck, stage),
        "left_percent": round(100 * deck.left / deck.size) if deck and deck.size else 0,
    }


def _state(
    category: Category, deck: Deck | None, stage: Stage, won: Draw | None, draws: list[Draw]
) -> tuple[str, str, bool]:
    """Return the card's state, its button's words, and whether the button is the red one."""
    if won:
        return "won", "看消费券", False
    if stage.phase == "over":
        return "over", "看一看", False
    if category.paused_at:
        return "paused", "已暂停", False
    if stage.phase == "before":
        return "soon", f"{clock.local(stage.shown.opens_at):%H:%M}开抽" if stage.shown else "看一看", False
    if deck is not None and deck.left <= 0:
        return "out", "已抽完", False
    if draws and len(draws) >= category.turns:
        return "blank", "已抽过", False
    return "open", "去抽奖", True


def _left_text(category: Category, deck: Deck | None, stage: Stage) -> str:
    if category.paused_at:
        return category.pause_notice or "暂停，恢复时间见公告"
    if stage.phase == "over" or stage.shown is None:
        return "本期已结束"
    if deck is None:
        return "本轮张数开抽前公布"
    unit = "张" if not category.blanks else "张奖票"
    if stage.phase == "before":
        return f"本轮 {deck.size:,} {unit}"
    if deck.left <= 0:
        following = stage.following
        return f"已抽完，第{following.number}轮{clock.spoken(following.opens_at)}" if following else "已抽完"
    return f"剩 {deck.left:,} {unit}，共 {deck.size:,}"


def planned_counts(campaign: Campaign) -> dict[int, int]:
    """Return how many coupons each round releases, as far as it is fixed or proposed."""
    counts: dict[int, int] = {}
    for round_id, count in Allotment.objects.filter(round__campaign=campaign).values_list("round_id", "count"):
        counts[round_id] = counts.get(round_id, 0) + count
    return counts


def home_data(campaign: Campaign, consumer: Consumer | None, now: dt.datetime) -> dict[str, Any]:
    """Return what the page's script refreshes: phase and cards."""
    stage = stage_of(campaign, now)
    return {"phase": stage.phase, "categories": category_cards(campaign, stage, consumer)}


def _in_words(fen: int) -> str:
    """Return 157 万元 for a sum of whole ten thousands, else 12,345 元."""
    ten_thousands, rest = divmod(fen, 10_000 * 100)
    return f"{fen // 100:,} 元" if rest else f"{ten_thousands:,} 万元"


def slot(what: str) -> str:
    """Return what stands in a kept page for something that is a person's own, here where no text of ours has it."""
    return f"\ue000{what}\ue001"


def _own(request: HttpRequest, stage: Stage, me: dict[str, Any] | None, cards: list[dict[str, Any]]) -> dict[str, Any]:
    """Return person and cards; slots for name and coupons where the page is kept for all who stand alike."""
    kept = request.META.get(KEPT)
    if kept is not None:
        kept["decks"] = dict(Deck.objects.filter(round=stage.shown).values_list("pk", "category__code"))
        me = me and {**me, "name": slot("name")}
        for card in cards:
            if card["state"] == "won":
                card["url"] = reverse("m-coupons") + "/" + slot(card["code"])
    return {"me": me, "cards": cards}


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show the round and the category cards; readable without binding."""
    campaign = Campaign.objects.current()
    if campaign is None:
        return nothing_yet(request)
    now = clock.now()
    consumer = consumers.current(request)
    stage = stage_of(campaign, now)
    live = Coupon.objects.held_by(consumer).redeemable(now).count() if consumer else 0
    notices = list(Notice.objects.shown(campaign, now)[: NOTICES_ON_HOME + 1])
    until = stage.shown and (stage.shown.closes_at if stage.phase == "open" else stage.shown.opens_at)
    paused = stage.current.pause_notice if stage.current and stage.current.paused_at else ""
    return page(
        request,
        "m/home.html",
        now=now,
        tab="home",
        campaign=campaign,
        budget=_in_words(campaign.budget_fen),
        round=stage.shown,
        phase=stage.phase,
        phase_text=stage.text,
        until=until,
        until_text="离本轮结束还有" if stage.phase == "open" else "离开抽还有",
        rounds=stage.marks(),
        **_own(request, stage, me_of(consumer, live=live), category_cards(campaign, stage, consumer)),
        notices=notices[:NOTICES_ON_HOME],
        more_notices=len(notices) > NOTICES_ON_HOME,
        frozen="账目核对中，抽奖和核销暂停，已得的消费券不受影响" if freezing.is_frozen(campaign.pk) else paused,
    )
