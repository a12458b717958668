"""Twelve forgeries and some more, each made to a reveal file as somebody with full power over the database could."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from coupons import fairness
from coupons.fairness import signing
from tests.fairness.builder import CLOSES_AT_US, OPENS_AT_US, PRIVATE_KEY, Story, contents, person

TICKET, FACE, AT, WHO, TURN, KIND, AFTER = range(7)
ANY = -1  # some ticket that depends on the order of the cards
DECK = "qianan-1/1/dining"


@dataclass(frozen=True)
class Forgery:
    """A change to a fresh document, and what the verifier has to say: (code, ticket)."""

    name: str
    change: Callable[[dict[str, Any]], None]
    expected: tuple[tuple[str, int | None], ...]


def honest() -> Story:
    return Story([contents(), contents("lodging")], drawn=40)


def rechained(doc: dict[str, Any], *, keep_heads: bool = False) -> None:
    """Recompute everything that needs no secret, as a careful forger would; signatures he cannot make."""
    file = fairness.read_document(doc)
    for deck, parsed in zip(doc["decks"], file.decks, strict=True):
        head = fairness.chain_start(parsed.contents.deck_id, parsed.commitment, parsed.plan_hash)
        for row, entry in zip(deck["log"], parsed.log, strict=True):
            head = fairness.link(head, parsed.contents.deck_id, *entry)
            row[AFTER] = head.hex()
        deck["head"], deck["drawn"] = head.hex(), len(deck["log"])
        if not keep_heads:
            deck["heads"] = []


def resealed(doc: dict[str, Any]) -> None:
    """Recompute hashes and commitments as well."""
    for share in doc["shares"]:
        value = bytes.fromhex(share["share"])
        args = (doc["campaign"], doc["round"], share["custodian"], value)
        share["commitment"] = fairness.share_commitment(*args).hex()
    file = fairness.read_document(doc)
    commitments = {share.custodian: share.commitment for share in file.shares}
    doc["plan_hash"] = fairness.round_plan_hash(deck.contents for deck in file.decks).hex()
    for deck, parsed in zip(doc["decks"], file.decks, strict=True):
        plan = fairness.plan_hash(parsed.contents)
        where = (file.campaign, file.round_no, parsed.contents.category)
        deck["plan_hash"] = plan.hex()
        deck["commitment"] = fairness.deck_commitment(*where, plan, commitments, file.entropy).hex()
    rechained(doc)


def dining(doc: dict[str, Any]) -> dict[str, Any]:
    return doc["decks"][0]


def _swap_cards(doc):
    log = dining(doc)["log"]
    other = next(t for t in range(8, 40) if log[t][FACE] != log[7][FACE])
    log[7][FACE], log[other][FACE] = log[other][FACE], log[7][FACE]


def _swap_cards_rechained(doc):
    _swap_cards(doc)
    rechained(doc)


def _drop(doc):
    del dining(doc)["log"][20]


def _drop_renumbered(doc):
    log = dining(doc)["log"]
    del log[20]
    for ticket, row in enumerate(log):
        row[TICKET] = ticket
    rechained(doc)


def _insert(doc):
    log = dining(doc)["log"]
    row = copy.deepcopy(log[10])
    row[WHO], row[AT] = person(900).hex(), row[AT] + 1
    log.insert(11, row)
    rechained(doc)


def _retime(doc):
    dining(doc)["log"][12][AT] += 1000


def _retime_rechained(doc):
    _retime(doc)
    rechained(doc)


def _outside_the_round(doc):
    dining(doc)["log"][0][AT] = OPENS_AT_US - 1
    dining(doc)["log"][39][AT] = CLOSES_AT_US
    rechained(doc)


def _backwards(doc):
    dining(doc)["log"][30][AT] -= 60_000_000
    rechained(doc)


def _reown(doc):
    dining(doc)["log"][5][WHO] = person(901).hex()


def _reown_rechained(doc):
    _reown(doc)
    rechained(doc)


def _reorder(doc):
    log = dining(doc)["log"]
    log[14], log[15] = log[15], log[14]


def _cut_tail(doc):
    deck = dining(doc)
    del deck["log"][33:]
    rechained(doc, keep_heads=True)
    deck["heads"] = [head for head in deck["heads"] if head[0] <= 33]


def _full_rewrite(doc):
    """A whole new round under a key of the forger's own, flawless in itself."""
    other = honest()
    other.shares["system"] = hashlib.sha512(b"a share that suits").digest()
    other.private_key = hashlib.sha256(b"the forger's key").digest()
    doc.clear()
    doc.update(other.document())


def _full_rewrite_same_key_stated(doc):
    key = doc["public_key"]
    _full_rewrite(doc)
    doc["public_key"] = key


def _other_share(doc):
    doc["shares"][0]["share"] = hashlib.sha512(b"another").hexdigest()


def _other_share_resealed(doc):
    _other_share(doc)
    resealed(doc)


def _other_contents(doc):
    dining(doc)["contents"]["faces"][2][1] -= 1
    dining(doc)["contents"]["faces"][0][1] += 1


def _other_contents_resealed(doc):
    _other_contents(doc)
    resealed(doc)


def _other_multiplier(doc):
    dining(doc)["contents"]["multiplier"] = 2


def _larger_deck(doc):
    dining(doc)["size"] += 10


def _other_entropy(doc):
    doc["entropy"]["value"] = "99999"


def _no_entropy_resealed(doc):
    doc["entropy"] = None
    resealed(doc)


def _other_commitment(doc):
    dining(doc)["commitment"] = hashlib.sha256(b"another").hexdigest()


def _other_share_commitment(doc):
    doc["shares"][1]["commitment"] = hashlib.sha256(b"another").hexdigest()


def _custodian_left_out(doc):
    del doc["shares"][1]
    resealed(doc)


def _second_win(doc):
    log = dining(doc)["log"]
    first, second = [t for t in range(40) if log[t][FACE]][:2]
    log[second][WHO] = log[first][WHO]
    rechained(doc)


def _second_turn(doc):
    log = dining(doc)["log"]
    blank = next(t for t in range(1, 40) if not log[t][FACE])
    log[blank][WHO], log[blank][TURN] = log[0][WHO], 2
    rechained(doc)


def _beyond_the_deck(doc):
    row = copy.deepcopy(dining(doc)["log"][39])
    row[TICKET], row[WHO] = 50, person(902).hex()
    dining(doc)["log"].append(row)
    rechained(doc)


def _draw_made_void(doc):
    row = dining(doc)["log"][9]
    row[WHO], row[TURN], row[KIND] = bytes(32).hex(), 0, fairness.VOID


def _void_with_an_owner(doc):
    dining(doc)["log"][9][KIND] = fairness.VOID
    rechained(doc)


def _deck_left_out(doc):
    del doc["decks"][1]
    resealed(doc)


def _signature_made_up(doc):
    deck = dining(doc)
    deck["heads"][-1][3] = "00" * 64


def _wrong_totals(doc):
    dining(doc)["drawn"], dining(doc)["head"] = 39, "00" * 32


def _other_source(doc):
    doc["entropy"]["source"] = "另一期"
    resealed(doc)


def _other_plan_hash(doc):
    dining(doc)["plan_hash"] = hashlib.sha256(b"another plan").hexdigest()


def _other_campaign(doc):
    doc["campaign"] = "qianan-2"
    resealed(doc)


FORGERIES = [
    Forgery("另一份额，承诺不改", _other_share, (("share-commitment", None), ("card", 0))),
    Forgery("另一份额，承诺重算", _other_share_resealed, (("share-published", None), ("seal-mismatch", None))),
    Forgery("两张牌对调", _swap_cards, (("card", 7), ("link", 7))),
    Forgery("两张牌对调，重算链", _swap_cards_rechained, (("card", 7), ("head-mismatch", 0))),
    Forgery("删一条", _drop, (("ticket-missing", 20), ("link", 21), ("drawn", 39))),
    Forgery("删一条并重新编号", _drop_renumbered, (("head-mismatch", 16), ("tail-cut", 39))),
    Forgery("插一条", _insert, (("ticket-repeated", 10), ("head-mismatch", 0))),
    Forgery("改时间", _retime, (("link", 12),)),
    Forgery("改时间，重算链", _retime_rechained, (("head-mismatch", 0),)),
    Forgery("时间在轮次之外", _outside_the_round, (("time-window", 0), ("head-mismatch", 0))),
    Forgery("时间倒退", _backwards, (("time-backwards", 30), ("head-mismatch", 16))),
    Forgery("改持有人", _reown, (("link", 5),)),
    Forgery("改持有人，重算链", _reown_rechained, (("head-mismatch", 0),)),
    Forgery("调换次序", _reorder, (("ticket-order", 14), ("link", 15), ("time-backwards", 14))),
    Forgery("截尾", _cut_tail, (("tail-cut", 33),)),
    Forgery("整体改写，换公钥", _full_rewrite, (("key", None), ("share-published", None), ("signature", 0))),
    Forgery("整体改写，写原公钥", _full_rewrite_same_key_stated, (("seal-mismatch", None), ("head-mismatch", 0))),
    Forgery("改内容", _other_contents, (("plan-hash", None),)),
    Forgery("改内容，承诺重算", _other_contents_resealed, (("seal-mismatch", None), ("seal-published", None))),
    Forgery("改计划哈希", _other_plan_hash, (("plan-hash", None), ("seal-published", None), ("commitment", None))),
    Forgery("改公共随机数来源，承诺重算", _other_source, (("entropy-published", None), ("seal-published", None))),
    Forgery("改倍数", _other_multiplier, (("plan-hash", None),)),
    Forgery("改张数", _larger_deck, (("size", None),)),
    Forgery("改公共随机数", _other_entropy, (("commitment", None), ("card", 0))),
    Forgery("去掉公共随机数，承诺重算", _no_entropy_resealed, (("seal-mismatch", None), ("entropy-published", None))),
    Forgery("改封存承诺", _other_commitment, (("commitment", None), ("link", 0), ("seal-mismatch", None))),
    Forgery("改份额承诺", _other_share_commitment, (("share-commitment", None), ("share-published", None))),
    Forgery("去掉一名保管人", _custodian_left_out, (("share-published", None), ("seal-mismatch", None))),
    Forgery("同一人中两次", _second_win, (("second-win", ANY), ("turn-repeated", ANY))),
    Forgery("超过次数", _second_turn, (("turn-limit", ANY),)),
    Forgery("超出牌数", _beyond_the_deck, (("ticket-range", 50),)),
    Forgery("把一次抽奖改作废", _draw_made_void, (("link", 9),)),
    Forgery("作废却有持有人", _void_with_an_owner, (("void-owned", 9), ("head-mismatch", 0))),
    Forgery("少一副牌", _deck_left_out, (("deck-missing", None),)),
    Forgery("伪造签名", _signature_made_up, (("signature", 40),)),
    Forgery("总数与链头不符", _wrong_totals, (("drawn", 39), ("head", 40))),
    Forgery("换活动名", _other_campaign, (("no-published-head", None),)),
]


def lottery() -> Story:
    return Story([contents(mode=fairness.LOTTERY)], drawn=0, registrants=70)


def _extra_registrant(doc):
    people = dining(doc)["registrants"]["list"]
    people.append(person(999).hex())
    people.sort()


def _extra_registrant_signed_late(doc):
    """The platform itself signs another list after the published one."""
    _extra_registrant(doc)
    stated = dining(doc)["registrants"]
    people = [bytes.fromhex(item) for item in stated["list"]]
    digest = fairness.registrants_hash(DECK, people)
    signed = signing.sign_registrants(PRIVATE_KEY, DECK, len(people), digest, CLOSES_AT_US)
    stated.update(
        count=signed.people,
        hash=signed.digest.hex(),
        signed_at_us=signed.signed_at_us,
        signature=signed.signature.hex(),
    )


def _friend_first(doc):
    log = dining(doc)["log"]
    log[0][WHO], log[30][WHO] = log[30][WHO], log[0][WHO]
    rechained(doc)


def _no_list(doc):
    dining(doc)["registrants"] = None


def _unsorted_list(doc):
    dining(doc)["registrants"]["list"].reverse()


def _lottery_cut(doc):
    del dining(doc)["log"][45:]
    rechained(doc)


LOTTERY_FORGERIES = [
    Forgery("名单加人", _extra_registrant, (("registrants", None),)),
    Forgery("名单加人并补签", _extra_registrant_signed_late, (("registrants", None), ("registrants-late", None))),
    Forgery("熟人提前", _friend_first, (("lottery-order", 0), ("head-mismatch", 0))),
    Forgery("没有名单", _no_list, (("registrants", None),)),
    Forgery("名单乱序", _unsorted_list, (("registrants", None),)),
    Forgery("摇号截尾", _lottery_cut, (("lottery-incomplete", 45), ("tail-cut", 45))),
]
