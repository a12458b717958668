"""What a draw must know of a deck and never changes once the deck is dealt; kept in memory by process."""

from __future__ import annotations

import datetime as dt
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from coupons import fairness, lifecycle, seeds
from coupons.errors import (
    CATEGORY_INACTIVE,
    NO_CATEGORY,
    NO_ROUND,
    ROUND_NOT_OPEN,
    ROUND_OVER,
    ROUND_POSTPONED,
    SOLD_OUT,
)
from coupons.models import Campaign, Category, Deck, Round
from huigou import clock
from huigou.fields import derived_key

NEXT_ROUND_LIFE_S = 5.0


@dataclass
class DeckFacts:
    """A dealt deck's frozen facts, and its cards as far as they have been asked for."""

    deck_id: int
    round_id: int
    round_number: int
    campaign_id: int
    category_id: int
    category_name: str
    county: str
    label: str  # the deck's id in the log
    round_label: str
    opens_at: dt.datetime
    closes_at: dt.datetime
    multiplier: int
    turns: int
    size: int
    place_policy: str
    exclusion_policy: str
    mode: str
    batches: dict[int, tuple[int, int]]  # face_fen: (batch, allotment)
    cards: fairness.Deck
    sold_out: bool = field(default=False)  # once true it stays: tickets only grow
    _next_round: tuple[float, str] | None = field(default=None, repr=False)

    def next_round_text(self) -> str:
        """Say when the next round opens; asked of the database every few seconds at most, since thousands ask."""
        known = self._next_round
        if known is None or time.monotonic() - known[0] > NEXT_ROUND_LIFE_S:
            known = self._next_round = (time.monotonic(), self._read_next_round())
        return known[1]

    def _read_next_round(self) -> str:
        later = Round.objects.filter(campaign_id=self.campaign_id, number__gt=self.round_number).order_by("number")
        following = later.first()
        if following is None:
            return "这是最后一轮，感谢参与"
        return f"第{following.number}轮将于{clock.spoken(following.opens_at)}开始，请届时再来"

    def sold_out_refusal(self):  # type: ignore[no-untyped-def]
        return SOLD_OUT(category=self.category_name, next_round=self.next_round_text())


_facts: dict[int, DeckFacts] = {}
_lock = threading.Lock()


def pseudonym_key() -> bytes:
    """Return the key of the pseudonyms in the logs; it is never revealed."""
    return derived_key("pseudonym")


def pseudonym(facts_or_label: DeckFacts | str, phone_key: bytes) -> bytes:
    """Return a person's name in one round's logs."""
    label = facts_or_label.round_label if isinstance(facts_or_label, DeckFacts) else facts_or_label
    return fairness.pseudonym(pseudonym_key(), label, bytes(phone_key))


def facts_of(deck_id: int) -> DeckFacts:
    """Return a deck's facts, reading them once per process."""
    if (known := _facts.get(deck_id)) is not None:
        return known
    with _lock:
        if deck_id not in _facts:
            _facts[deck_id] = _read(deck_id)
        return _facts[deck_id]


def facts_at_hand(deck_id: int) -> DeckFacts | None:
    """Return a deck's facts if this process has read them already."""
    return _facts.get(deck_id)


def contents_from(canonical: dict[str, Any]) -> fairness.Contents:
    """Return a deck's contents from the canonical object that its row keeps."""
    rest = {key: value for key, value in canonical.items() if key not in ("round", "faces")}
    faces = tuple((face, count) for face, count in canonical["faces"])
    return fairness.Contents(round_no=canonical["round"], faces=faces, **rest)


def _read(deck_id: int) -> DeckFacts:
    deck = Deck.objects.select_related("round__campaign", "category").get(pk=deck_id)
    round_, campaign, category = deck.round, deck.round.campaign, deck.category
    contents = contents_from(deck.contents)
    return DeckFacts(
        deck_id=deck.pk,
        round_id=round_.pk,
        round_number=round_.number,
        campaign_id=campaign.pk,
        category_id=category.pk,
        category_name=category.name,
        county=campaign.county,
        label=contents.deck_id,
        round_label=fairness.round_id(campaign.code, round_.number),
        opens_at=round_.opens_at,
        closes_at=round_.closes_at,
        multiplier=contents.multiplier,
        turns=contents.turns,
        size=deck.size,
        place_policy=campaign.place_policy,
        exclusion_policy=campaign.exclusion_policy,
        mode=contents.mode,
        batches={face: (batch, allotment) for face, _, batch, allotment in deck.stock},
        cards=fairness.Deck(seeds.deck_seed(round_.pk, category.code), contents),
    )


def open_deck(category_code: str, now: dt.datetime) -> DeckFacts:
    """Return the deck that a draw in this category goes to at ``now``; deals the round if no sweep did.

    Raises NO_ROUND, ROUND_NOT_OPEN, ROUND_POSTPONED, ROUND_OVER, NO_CATEGORY, CATEGORY_INACTIVE, SOLD_OUT.
    """
    campaign = Campaign.objects.current()
    if campaign is None:
        raise NO_ROUND()
    category = Category.objects.filter(campaign=campaign, code=category_code).first()
    if category is None:
        raise NO_CATEGORY()
    if not category.is_active:
        raise CATEGORY_INACTIVE(category=category.name)
    round_ = campaign.rounds.open_at(now).first()
    if round_ is None:
        following = campaign.rounds.filter(opens_at__gt=now).order_by("number").first()
        if following is not None and following.postponed_notice:
            raise ROUND_POSTPONED(notice=following.postponed_notice)
        if following is not None:
            raise ROUND_NOT_OPEN(number=following.number, opens=clock.spoken(following.opens_at))
        last = campaign.rounds.order_by("-number").first()
        raise ROUND_OVER(number=last.number, closes=clock.spoken(last.closes_at, end=True)) if last else NO_ROUND()
    deck_id = _deck_id(round_.pk, category.pk)
    if deck_id is None and round_.dealt_at is None:
        lifecycle.ensure_dealt(round_.pk)
        deck_id = _deck_id(round_.pk, category.pk)
    if deck_id is None:
        following = campaign.rounds.filter(number__gt=round_.number).order_by("number").first()
        text = f"第{following.number}轮将于{clock.spoken(following.opens_at)}开始" if following else "请选择其他品类"
        raise SOLD_OUT(category=category.name, next_round=text)
    return facts_of(deck_id)


def _deck_id(round_id: int, category_id: int) -> int | None:
    return Deck.objects.filter(round_id=round_id, category_id=category_id).values_list("pk", flat=True).first()


def forget() -> None:
    """Drop everything kept in memory: after a fork, and for tests whose rows reuse numbers."""
    _facts.clear()
    seeds.forget()
