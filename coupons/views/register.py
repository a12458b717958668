"""报名摇号: register, see that one is on the list, and see what the joint draw gave."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from coupons import consumers, lottery
from coupons.drawing.facts import facts_of, open_deck, pseudonym
from coupons.models import Campaign, Category, Consumer, Deck, RegistrantList, Round
from coupons.views.home import stage_of
from coupons.views.page import bind_url, nothing_yet, page
from huigou import clock
from huigou.errors import Refusal
from huigou.money import short_yuan


@require_http_methods(["GET", "HEAD", "POST"])
def register(request: HttpRequest, category: str) -> HttpResponse:
    """Show a category's list and deck, or put the person on the list."""
    campaign = Campaign.objects.current()
    if campaign is None:
        return nothing_yet(request)
    row = Category.objects.filter(campaign=campaign, code=category, is_active=True).first()
    if row is None:
        raise Http404
    if campaign.draw_mode != Campaign.DrawMode.LOTTERY:
        return redirect("m-draw", category)
    now = clock.now()
    round_, missed = stage_of(campaign, now).shown, _missed(campaign, row, now)
    if round_ is None:
        return page(request, "m/over.html", now=now, campaign=campaign, category=row, tab="home", **missed)
    consumer = consumers.current(request)
    refusal = None
    if request.method == "POST":
        if consumer is None:
            return redirect(bind_url(request))
        try:
            deck = Deck.objects.select_related("round").get(pk=open_deck(category, now).deck_id)
            lottery.register(consumer, deck)
            messages.success(request, "报名成功，摇号结果到时在本页查看")
            return redirect(request.path)
        except Refusal as refused:
            refusal = refused
    deck = Deck.objects.select_related("round").filter(round=round_, category=row).first()
    drawn = _drawn(deck)
    return page(
        request,
        "m/register.html",
        now=now,
        status=refusal.status if refusal else 200,
        tab="home",
        campaign=campaign,
        category=row,
        round=round_,
        faces=_faces(deck),
        size=deck.size if deck else None,
        refusal=refusal,
        until=lottery.ends_at(round_),
        phase="before" if now < round_.opens_at else "open" if now < lottery.ends_at(round_) else "over",
        bind_url=None if consumer else bind_url(request),
        registered=deck.registrations.count() if deck else 0,
        drawn=drawn,
        **missed,
        **_mine(consumer, deck, round_),
    )


def _missed(campaign: Campaign, category: Category, now: dt.datetime) -> dict[str, Any]:
    """Return what the category's last joint draw did not give out, while no later one has been held."""
    last = Deck.objects.filter(round__campaign=campaign, category=category, round__closes_at__lte=now)
    deck = last.select_related("round").order_by("-round__number").first()
    missed = lottery.undrawn(campaign, now).get(deck.pk) if deck else None
    return {"missed": missed, "missed_round": deck.round.number if deck and missed else None}


def _drawn(deck: Deck | None) -> RegistrantList | None:
    """Hold the joint draw if it is due and nobody did yet; return the signed list once everybody's result stands."""
    if deck is None:
        return None
    try:
        lottery.joint_draw(deck)
    except Refusal:  # paused or frozen: the page says that the draw is still to come
        return None
    listed = RegistrantList.objects.filter(deck=deck).first()
    deck.refresh_from_db(fields=["next_ticket"])
    return listed if listed and deck.next_ticket >= min(deck.size, listed.count) else None


def _faces(deck: Deck | None) -> list[dict[str, Any]]:
    return [{"face": short_yuan(face), "count": count} for face, count, *_ in deck.stock] if deck else []


def _mine(consumer: Consumer | None, deck: Deck | None, round_: Round) -> dict[str, Any]:
    if consumer is None or deck is None or not lottery.is_registered(consumer, deck):
        return {"is_registered": False, "result": None}
    draw = lottery.result_of(consumer, deck)
    name = pseudonym(facts_of(deck.pk), bytes(consumer.phone_key)).hex()
    result = draw and {
        "won": draw.face_fen > 0,
        "face": short_yuan(draw.face_fen),
        "threshold": short_yuan(draw.face_fen * round_.campaign.multiplier),
        "ticket": draw.ticket,
        "receipt": bytes(draw.entry_hash).hex(),
        "url": reverse("m-coupon", args=[draw.pk]) if draw.face_fen else "",
    }
    return {"is_registered": True, "pseudonym": name, "result": result}
