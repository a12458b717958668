"""公示: rounds, odds, commitments, revealed seeds and logs, for anybody, without a person in them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any

from django.core.cache import cache
from django.db.models import Count, Q, Sum
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from coupons import disclosure, lottery, seeds
from coupons.models import Campaign, Coupon, Deck, Draw, Head, RegistrantList, Round, SeedShare
from coupons.views.page import nothing_yet, page
from huigou import clock
from huigou.money import short_yuan

FIGURES_LIFE_S = 10
ROWS = 50  # log entries a page
STATES = {"before": "未开始", "open": "进行中", "over": "已结束"}
PILLS = {"before": "pill-wait", "open": "pill-live", "over": ""}
HEADS_TYPE = "application/jsonl; charset=utf-8"
KINDS = ("drawn", "used", "live", "returned")
Heads = dict[int, Head]
Lists = dict[int, RegistrantList]
Missed = dict[int, lottery.Undrawn]


def campaign_of(request: HttpRequest) -> Campaign | None:
    """Return the campaign that the page is about: the current one, or a former one that the address names."""
    named = request.GET.get("campaign", "")
    if not named:
        return Campaign.objects.current()
    found = Campaign.objects.filter(launched_at__isnull=False, pk=named).first() if named.isdecimal() else None
    if found is None:
        raise Http404
    return found


def _round_of(request: HttpRequest, number: int) -> Round:
    campaign = campaign_of(request)
    found = campaign and Round.objects.filter(campaign=campaign, number=number).select_related("campaign").first()
    if not found:
        raise Http404
    return found


def _url(name: str, campaign: Campaign, request: HttpRequest, **args: Any) -> str:
    tail = f"?campaign={campaign.pk}" if request.GET.get("campaign") else ""
    return reverse(name, kwargs=args) + tail


# ---- the pages


@require_safe
def rounds(request: HttpRequest) -> HttpResponse:
    """Show every round with its decks, commitments and what is out, and the figures; ten queries, however many."""
    campaign = campaign_of(request)
    if campaign is None:
        return nothing_yet(request)
    now = clock.now()
    every = list(campaign.rounds.order_by("number").select_related("campaign").prefetch_related("shares"))
    decks: dict[int, list[Deck]] = {}
    for deck in Deck.objects.filter(round__campaign=campaign).select_related("category"):
        decks.setdefault(deck.round_id, []).append(deck)
    heads = _last_heads(deck for found in decks.values() for deck in found)
    lists, missed = _lists(campaign), _missed(campaign, now)
    shown = [_round(request, each, decks.get(each.pk, []), heads, lists, missed, now) for each in every]
    figures = figures_of(campaign, now)
    return page(
        request,
        "public/rounds.html",
        now=now,
        campaign=campaign,
        rounds=shown,
        current=next(
            (r for r in shown if r["state"] == "open"), next((r for r in shown if r["state"] == "before"), None)
        ),
        figures=figures,
        sums=_sums(figures),
        public_key=disclosure.public_key(),
        heads_url=_url("public-heads", campaign, request),
        others=Campaign.objects.filter(launched_at__isnull=False).exclude(pk=campaign.pk).order_by("-launched_at"),
    )


@require_safe
def round_page(request: HttpRequest, number: int) -> HttpResponse:
    """Show one round: decks, odds, commitments, shares once revealed, and a part of a deck's log."""
    round_ = _round_of(request, number)
    now = clock.now()
    disclosure.sign_if_late(round_, now)
    decks = disclosure.decks_of(round_)
    heads = _last_heads(decks)
    missed = _missed(round_.campaign, now)
    shown = _round(request, round_, decks, heads, _lists(round_.campaign), missed, now)
    chosen = next((deck for deck in decks if deck.category.code == request.GET.get("deck")), None)
    return page(
        request,
        "public/round.html",
        now=now,
        campaign=round_.campaign,
        round=shown,
        log=_log_page(request, chosen, heads) if chosen else None,
        public_key=disclosure.public_key(),
        heads_url=_url("public-heads", round_.campaign, request),
    )


@require_safe
def verify(request: HttpRequest) -> HttpResponse:
    """Let anybody verify a round on the own device."""
    campaign = campaign_of(request)
    if campaign is None:
        return nothing_yet(request)
    now = clock.now()
    dealt = campaign.rounds.filter(decks__isnull=False).distinct().order_by("number")
    wanted = request.GET.get("round", "")
    choices = [
        {
            "number": each.number,
            "document_url": _url("public-document", campaign, request, number=each.number),
            "selected": wanted == str(each.number),
            "opens_at": each.opens_at,
        }
        for each in dealt
    ]
    if choices and not any(choice["selected"] for choice in choices):
        begun = [choice for choice in choices if choice["opens_at"] <= now] or choices[:1]
        begun[-1]["selected"] = True
    return page(
        request,
        "public/verify.html",
        now=now,
        campaign=campaign,
        rounds=choices,
        heads_url=_url("public-heads", campaign, request),
        public_key=disclosure.public_key(),
    )


# ---- the files


@require_safe
def document(request: HttpRequest, number: int) -> HttpResponseBase:
    """Send a round's one JSON file; while it runs, as far as the last signed head."""
    round_ = _round_of(request, number)
    if not Deck.objects.filter(round=round_).exists():
        raise Http404
    disclosure.sign_if_late(round_, clock.now())
    path, state = disclosure.file_of(round_)
    name = f"round-{round_.number}.json"
    return _unless_known(
        request,
        state,
        lambda: FileResponse(path.open("rb"), content_type="application/json; charset=utf-8", filename=name),
    )


@require_safe
def heads(request: HttpRequest) -> HttpResponseBase:
    """Send everything published of a campaign as JSON lines."""
    campaign = campaign_of(request)
    if campaign is None:
        raise Http404
    state = disclosure.published_state(campaign)
    named = {"Content-Disposition": 'inline; filename="heads.jsonl"'}
    return _unless_known(
        request,
        state,
        lambda: StreamingHttpResponse(disclosure.published_lines(campaign), content_type=HEADS_TYPE, headers=named),
    )


def _unless_known(request: HttpRequest, state: str, make: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    etag = f'"{state}"'
    known = get_conditional_response(request, etag=etag)
    response = known if known is not None and known.status_code == 304 else make()
    response.headers["ETag"] = etag
    # Shared caches may keep it and have to ask whether it still holds.
    response.headers["Cache-Control"] = "public, no-cache"
    response.headers["Access-Control-Allow-Origin"] = "*"  # somebody else's verifier may fetch it from a page
    return response


# ---- what the pages show


def _lists(campaign: Campaign) -> Lists:
    """Return {deck id: the signed list of a joint draw}; no query for the wheel."""
    if campaign.draw_mode != Campaign.DrawMode.LOTTERY:
        return {}
    return {row.deck_id: row for row in RegistrantList.objects.filter(deck__round__campaign=campaign)}


def _missed(campaign: Campaign, now: dt.datetime) -> Missed:
    """Return {deck id: what a joint draw did not give out before its round was over}; no query for the wheel."""
    return lottery.undrawn(campaign, now) if campaign.draw_mode == Campaign.DrawMode.LOTTERY else {}


def _last_heads(decks: Iterable[Deck]) -> Heads:
    """Return {deck id: the newest signed head}; one query."""
    rows = Head.objects.filter(deck__in=[deck.pk for deck in decks])
    return {row.deck_id: row for row in rows.order_by("deck", "-tickets").distinct("deck")}


def _round(
    request: HttpRequest, round_: Round, decks: list[Deck], heads: Heads, lists: Lists, missed: Missed, now: dt.datetime
) -> dict[str, Any]:
    campaign, state = round_.campaign, round_.state(now)
    is_lottery = campaign.draw_mode == Campaign.DrawMode.LOTTERY
    revealed = seeds.open_shares(round_) if round_.revealed_at else {}
    return {
        "number": round_.number,
        "state": state,
        "state_text": STATES[state],
        "pill": PILLS[state],
        "opens_at": round_.opens_at,
        "closes_at": round_.closes_at,
        "revealed_at": round_.revealed_at,
        "postponed": round_.postponed_notice,
        "paused": round_.pause_notice if round_.paused_at and state == "open" else "",
        "entropy_source": round_.entropy_source,
        "entropy_value": round_.entropy_value,
        "dealt": round_.dealt_at is not None,
        "decks": [_deck(deck, heads.get(deck.pk), lists.get(deck.pk), missed.get(deck.pk)) for deck in decks],
        "size": sum(deck.size for deck in decks),
        "out": sum(deck.next_ticket for deck in decks),
        "shares": [_share(share, revealed.get(share.custodian)) for share in round_.shares.all()],
        "registration_until": lottery.ends_at(round_) if is_lottery else None,
        "url": _url("public-round", campaign, request, number=round_.number),
        "document_url": _url("public-document", campaign, request, number=round_.number) if decks else "",
        "verify_url": reverse("public-verify") + f"?round={round_.number}",
    }


def _deck(
    deck: Deck, head: Head | None, signed_list: RegistrantList | None, missed: lottery.Undrawn | None
) -> dict[str, Any]:
    cards = [(face, count) for face, count, *_ in deck.stock]
    blanks = deck.size - sum(count for _, count in cards)
    rows = [
        {"name": f"{short_yuan(face)} 元", "count": count, "share": _percent(count, deck.size)} for face, count in cards
    ]
    if blanks:
        rows.append({"name": "谢谢参与", "count": blanks, "share": _percent(blanks, deck.size)})
    return {
        "pk": deck.pk,
        "category": deck.category.name,
        "code": deck.category.code,
        "rows": rows,
        "size": deck.size,
        "money_fen": sum(face * count for face, count in cards),
        "out": deck.next_ticket,
        "left": deck.left,
        "percent": round(100 * deck.next_ticket / deck.size) if deck.size else 0,
        "plan_hash": bytes(deck.plan_hash).hex(),
        "commitment": bytes(deck.commitment).hex(),
        "head": bytes(head.head).hex() if head else "",
        "head_tickets": head.tickets if head else 0,
        "signed_at": head.signed_at if head else None,
        "signature": bytes(head.signature).hex() if head else "",
        "missed": missed,
        "list_count": signed_list.count if signed_list else None,
        "list_digest": bytes(signed_list.digest).hex() if signed_list else "",
    }


def _percent(count: int, size: int) -> str:
    return f"{100 * count / size:.2f}%"


def _share(share: SeedShare, revealed: bytes | None) -> dict[str, Any]:
    return {
        "custodian": seeds.custodian_name(share.custodian),
        "commitment": bytes(share.commitment).hex(),
        "committed_at": share.committed_at,
        "handed_at": share.handed_at,
        "revealed": revealed.hex() if revealed else "",
    }


def _log_page(request: HttpRequest, deck: Deck, heads: Heads) -> dict[str, Any]:
    """Return a page of a deck's log, reached by ticket through its index, never by counting."""
    out = heads[deck.pk].tickets if deck.pk in heads else 0
    wanted = request.GET.get("from", "0")
    first = min(int(wanted), max(out - 1, 0)) if wanted.isdecimal() and len(wanted) < 12 else 0
    first -= first % ROWS
    rows = Draw.objects.filter(deck=deck, ticket__gte=first, ticket__lt=min(first + ROWS, out)).order_by("ticket")
    return {
        "category": deck.category.name,
        "code": deck.category.code,
        "out": out,
        "first": first,
        "last": max(min(first + ROWS, out) - 1, 0),
        "previous": first - ROWS if first else None,
        "next": first + ROWS if first + ROWS < out else None,
        "rows": [
            {
                "ticket": row.ticket,
                "result": "作废"
                if row.kind == Draw.Kind.VOID
                else f"{short_yuan(row.face_fen)} 元"
                if row.face_fen
                else "谢谢参与",
                "at": row.drawn_at,
                "pseudonym": bytes(row.pseudonym).hex(),
                "entry": bytes(row.entry_hash).hex(),
            }
            for row in rows
        ],
    }


def figures_of(campaign: Campaign, now: dt.datetime) -> list[dict[str, Any]]:
    """Return drawn, used, live and returned coupons by category; counted every ten seconds at most."""
    return cache.get_or_set(f"public-figures:{campaign.pk}", lambda: _count(campaign, now), FIGURES_LIFE_S)


def _sums(figures: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the figures over all categories, and how many times their face the used coupons brought in."""
    if not figures:
        return None
    sums: dict[str, Any] = {key: sum(line[key] for line in figures) for key in figures[0] if key != "name"}
    sums["ratio"] = f"{sums['spent_fen'] / sums['used_fen']:.1f}" if sums["used_fen"] else "—"
    return sums


def _count(campaign: Campaign, now: dt.datetime) -> list[dict[str, Any]]:
    coupons = Coupon.objects.filter(batch__category__campaign=campaign)
    grouped = coupons.values_list("batch__category__name", "state", "expires_at", "batch__category__position")
    lines: dict[str, dict[str, Any]] = {}
    for name, state, expires_at, _, count, fen in grouped.annotate(n=Count("pk"), fen=Sum("face_fen")).order_by(
        "batch__category__position", "batch__category__name"
    ):
        line = lines.setdefault(
            name, {"name": name, "spent_fen": 0, **{f"{k}{e}": 0 for k in KINDS for e in ("", "_fen")}}
        )
        kind = {"used": "used", "forfeited": "used", "expired": "returned"}.get(state, "live")
        if state == Coupon.State.HELD and now >= expires_at:  # over, whether booked or not
            kind = "returned"
        for key in ("drawn", kind):
            line[key] += count
            line[f"{key}_fen"] += fen
    used = coupons.filter(redemptions__state="used").values_list("batch__category__name")
    for name, fen in used.annotate(fen=Sum("redemptions__amount_fen", filter=Q(redemptions__state="used"))):
        lines[name]["spent_fen"] = fen or 0
    return list(lines.values())
