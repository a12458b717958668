"""Check a reveal file against itself and against what was published, and name the first wrong ticket of each kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from . import ed25519
from .deck import Deck, lottery_order, registrants_hash
from .document import DeckFile, Malformed, Published, RoundFile
from .encoding import LOTTERY, Contents, plan_hash, round_id, round_plan_hash
from .log import (
    DRAW,
    NOBODY,
    VOID,
    SignedHead,
    SignedRegistrants,
    chain_start,
    head_message,
    link,
    registrants_message,
)
from .reading import read_document
from .seeds import deck_commitment, deck_seed, round_seed, share_commitment

ERROR = "error"
NOTE = "note"

CheckSignature = Callable[[bytes, bytes, bytes], bool]


@dataclass(frozen=True, slots=True)
class Finding:
    """Hold one kind of fault in one deck: its first ticket, and how often it was seen.

    A level of "note" says something worth knowing that does not make the draw wrong.
    """

    code: str
    deck: str | None
    ticket: int | None
    message: str
    level: str = ERROR
    count: int = 1

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as an object for JSON."""
        return {name: getattr(self, name) for name in ("code", "deck", "ticket", "message", "level", "count")}


class _Report:
    """Collect findings; of each kind and deck the first is kept and the others are counted."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str | None], list[Any]] = {}

    def add(
        self, code: str, message: str, deck: str | None = None, ticket: int | None = None, level: str = ERROR
    ) -> None:
        self._first.setdefault((code, deck), [0, ticket, message, level])[0] += 1

    def findings(self) -> list[Finding]:
        return [
            Finding(code, deck, ticket, message + (f"（同类共 {count} 处）" if count > 1 else ""), level, count)
            for (code, deck), (count, ticket, message, level) in self._first.items()
        ]


@dataclass(frozen=True, slots=True)
class _Case:
    """Carry what every check of one file needs."""

    file: RoundFile
    published: Published | None
    key: bytes
    seed: bytes | None
    check_signature: CheckSignature
    report: _Report

    def signed(self, message: bytes, signature: bytes) -> bool:
        return self.check_signature(self.key, message, signature)


def verify(
    document: Any,
    heads: Published | None = None,
    *,
    public_key: bytes | None = None,
    check_signature: CheckSignature = ed25519.verify,
) -> list[Finding]:
    """Return what is wrong with a reveal file, or worth a note; an empty list or notes alone mean green.

    `document` is the parsed JSON, `heads` what `reading.read_published` returned, `public_key` a key known from
    elsewhere (it outranks the key in the published file, which outranks the one in the reveal file). Never raises.
    """
    report = _Report()
    try:
        file = read_document(document)
    except Malformed as wrong:
        report.add("format", str(wrong))
        return report.findings()
    key = _check_key(report, file, heads, public_key)
    _check_shares(report, file, heads)
    _check_source(report, file, heads)
    case = _Case(file, heads, key, _round_seed(file), check_signature, report)
    if round_plan_hash(deck.contents for deck in file.decks) != file.plan_hash:
        report.add("plan-hash", "本轮计划的哈希与各品类内容不符")
    for deck in file.decks:
        _check_deck(case, deck)
    _check_published_decks(case)
    return report.findings()


def is_green(findings: Sequence[Finding]) -> bool:
    """Say whether nothing worse than a note was found."""
    return all(finding.level == NOTE for finding in findings)


def _check_key(report: _Report, file: RoundFile, heads: Published | None, pinned: bytes | None) -> bytes:
    known = pinned or (heads and heads.public_key) or file.public_key
    stated = {file.public_key} | ({heads.public_key} if heads and heads.public_key else set())
    if stated != {known}:
        report.add("key", "文件里的签名公钥与事先公布的不是同一个")
    return known


def _check_shares(report: _Report, file: RoundFile, heads: Published | None) -> None:
    for share in file.shares:
        if share.value is None:
            report.add("not-revealed", f"“{share.custodian}”的份额尚未揭示，牌序还不能核对", level=NOTE)
        elif share_commitment(file.campaign, file.round_no, share.custodian, share.value) != share.commitment:
            report.add("share-commitment", f"“{share.custodian}”揭示的份额与其承诺不符：种子被换过")
    if heads is None:
        report.add("heads-not-given", "没有提供外部保存的公布文件：整体改写和截尾只能靠本文件内的签名", level=NOTE)
        return
    published = {
        custodian: commitment
        for (campaign, round_no, custodian), commitment in heads.commitments.items()
        if (campaign, round_no) == (file.campaign, file.round_no)
    }
    if not published:
        report.add("commitments-not-published", "公布文件里没有本轮的份额承诺", level=NOTE)
    elif published != {share.custodian: share.commitment for share in file.shares}:
        report.add("share-published", "份额承诺（保管人或承诺值）与事先公布的不同")


def _check_source(report: _Report, file: RoundFile, heads: Published | None) -> None:
    """Check the public entropy against the source named ahead; files of before this was published say nothing."""
    named = heads and heads.sources.get((file.campaign, file.round_no))
    if named and named != (file.entropy and file.entropy.source):
        report.add("entropy-published", "公共随机数的来源与事先公布的不同")


def _round_seed(file: RoundFile) -> bytes | None:
    shares = {share.custodian: share.value for share in file.shares if share.value is not None}
    if len(shares) != len(file.shares):
        return None
    return round_seed(file.campaign, file.round_no, shares, file.entropy)


def _check_deck(case: _Case, deck: DeckFile) -> None:
    _check_contents(case, deck)
    _check_tickets(case.report, deck)
    if case.seed is not None:
        _check_cards(case.report, deck, deck_seed(case.seed, deck.contents.category))
    _check_people(case.report, deck)
    start = chain_start(deck.contents.deck_id, deck.commitment, deck.plan_hash)
    _check_links(case.report, deck, start)
    _check_heads(case, deck, start)
    if deck.contents.mode == LOTTERY:
        _check_lottery(case, deck)


def _check_contents(case: _Case, deck: DeckFile) -> None:
    contents, file, name = deck.contents, case.file, deck.contents.deck_id
    if deck.size != contents.size:
        message = f"牌的张数写作 {deck.size}，按内容应为 {contents.size}"
        case.report.add("size", message, name)
    if plan_hash(contents) != deck.plan_hash:
        case.report.add("plan-hash", "牌的内容（面额、张数、空白、时间、倍数）与封存时的哈希不符", name)
    commitments = {share.custodian: share.commitment for share in file.shares}
    where = (file.campaign, file.round_no, contents.category)
    if deck_commitment(*where, deck.plan_hash, commitments, file.entropy) != deck.commitment:
        case.report.add("commitment", "封存承诺与份额承诺、公共随机数、内容三者不符", name)
    sealed = case.published and case.published.seals.get(name)
    if sealed and sealed != (deck.plan_hash, deck.commitment):
        case.report.add("seal-published", "计划哈希或封存承诺与发牌时公布的不同", name)


def _check_tickets(report: _Report, deck: DeckFile) -> None:
    """Check that tickets come in order without gaps; a lost one may be listed later, as void."""
    name, expected = deck.contents.deck_id, 0
    lost: set[int] = set()
    for entry in deck.log:
        ticket = entry.ticket
        if ticket >= deck.contents.size:
            report.add("ticket-range", f"奖票 {ticket} 超出牌的张数", name, ticket)
        elif ticket >= expected:
            lost.update(range(expected, ticket))
            expected = ticket + 1
        elif ticket not in lost:
            report.add("ticket-repeated", f"奖票 {ticket} 出现了不止一次", name, ticket)
        else:
            lost.discard(ticket)
            if entry.kind != VOID:
                report.add("ticket-order", f"奖票 {ticket} 排在了更大的号码之后", name, ticket)
        if entry.kind == VOID:
            report.add("void", f"奖票 {ticket} 列为作废，其券退回奖池", name, ticket, NOTE)
    for ticket in sorted(lost):
        report.add("ticket-missing", f"缺奖票 {ticket}", name, ticket)


def _check_cards(report: _Report, deck: DeckFile, seed: bytes) -> None:
    cards = Deck(seed, deck.contents)
    for entry in deck.log:
        if entry.ticket < cards.size:
            card = cards.card(entry.ticket)
            if card != entry.face_fen:
                message = f"奖票 {entry.ticket} 应是 {card} 分的牌，日志写作 {entry.face_fen} 分"
                report.add("card", message, deck.contents.deck_id, entry.ticket)


def _check_people(report: _Report, deck: DeckFile) -> None:
    """Check times and limits per person, in the order of the chain."""
    contents, latest = deck.contents, 0
    seen: set[tuple[bytes, int]] = set()
    winners: set[bytes] = set()
    for entry in deck.log:
        ticket = entry.ticket

        def wrong(code: str, message: str, ticket: int = ticket) -> None:
            report.add(code, f"奖票 {ticket} {message}", contents.deck_id, ticket)

        if entry.drawn_at_us < latest:
            wrong("time-backwards", "的时间早于前一条")
        latest = max(latest, entry.drawn_at_us)
        if entry.kind == VOID:
            if entry.pseudonym != NOBODY or entry.turn:
                wrong("void-owned", "已作废，却写着持有人")
            continue
        if not contents.opens_at_us <= entry.drawn_at_us < contents.closes_at_us:
            wrong("time-window", "的时间不在本轮之内")
        if not 1 <= entry.turn <= contents.turns:
            wrong("turn-limit", f"是同一人的第 {entry.turn} 次，限 {contents.turns} 次")
        if (entry.pseudonym, entry.turn) in seen:
            wrong("turn-repeated", "与前面某张是同一人的同一次抽奖")
        seen.add((entry.pseudonym, entry.turn))
        if entry.face_fen:
            if entry.pseudonym in winners:
                wrong("second-win", "让同一人在本品类第二次中奖")
            winners.add(entry.pseudonym)


def _check_links(report: _Report, deck: DeckFile, start: bytes) -> None:
    name, prev = deck.contents.deck_id, start
    for entry, after in zip(deck.log, deck.links, strict=True):
        if link(prev, name, *entry) != after:
            message = f"奖票 {entry.ticket} 与哈希链不符：此条或其前一条被改动、删去或插入"
            report.add("link", message, name, entry.ticket)
        prev = after  # so that one altered entry is named alone
    if deck.drawn != len(deck.log):
        message = f"写明抽出 {deck.drawn} 张，日志有 {len(deck.log)} 条"
        report.add("drawn", message, name, min(deck.drawn, len(deck.log)))
    if deck.head != prev:
        report.add("head", "写明的链头与日志最后一条不符", name, len(deck.log))


def _check_heads(case: _Case, deck: DeckFile, start: bytes) -> None:
    """Check the log against every signed head, the file's own and the published ones."""
    report, name = case.report, deck.contents.deck_id
    known = set(deck.heads)
    if case.published is not None:
        outside = {head for head in case.published.heads if head.deck == name}
        if not outside:
            report.add("no-published-head", "公布文件里没有这副牌的签名", name)
        known |= outside
    signed = []
    for head in sorted(known, key=lambda head: (head.tickets, head.signed_at_us)):
        if case.signed(head_message(*head[:4]), head.signature):
            signed.append(head)
        else:
            report.add("signature", f"第 {head.tickets} 张之后的链头签名无效", name, head.tickets)
    _check_chain_against(report, deck, start, signed)
    _note_signing_times(report, deck.contents, signed, len(deck.log))


def _check_chain_against(report: _Report, deck: DeckFile, start: bytes, signed: Sequence[SignedHead]) -> None:
    name, matched = deck.contents.deck_id, 0
    for head in signed:
        if head.tickets > len(deck.log):
            message = f"已签名公布过 {head.tickets} 条，日志只有 {len(deck.log)} 条：尾部被截去"
            report.add("tail-cut", message, name, len(deck.log))
        elif head.tickets == 0:
            if head.head != start:
                report.add("seal-mismatch", "签名公布的封存承诺与本文件不同：种子、公共随机数或内容被换过", name)
        elif head.head != deck.links[head.tickets - 1]:
            message = f"第 {matched + 1} 至 {head.tickets} 条之间与签名公布的链头不符：日志被改写过"
            report.add("head-mismatch", message, name, deck.log[matched].ticket)
        else:
            matched = head.tickets


def _note_signing_times(report: _Report, contents: Contents, signed: Sequence[SignedHead], drawn: int) -> None:
    name, seals = contents.deck_id, [head.signed_at_us for head in signed if head.tickets == 0]
    if not seals:
        report.add("seal-missing", "没有开抽之前的签名，不能证明封存在先", name, level=NOTE)
    elif min(seals) >= contents.opens_at_us:
        report.add("seal-late", "封存承诺的签名晚于开抽时间", name, level=NOTE)
    covered = max((head.tickets for head in signed), default=0)
    if covered < drawn:
        report.add("tail-unsigned", f"第 {covered} 条以后的记录没有签名覆盖", name, covered, NOTE)


def _check_lottery(case: _Case, deck: DeckFile) -> None:
    report, name = case.report, deck.contents.deck_id
    if deck.registrants is None:
        report.add("registrants", "摇号的牌没有报名名单", name)
        return
    signed, people = deck.registrants.signed, deck.registrants.pseudonyms
    if any(a >= b for a, b in pairwise(people)):
        report.add("registrants", "报名名单没有按升序排列，或有重复", name)
        return
    if len(people) != signed.people or registrants_hash(name, people) != signed.digest:
        report.add("registrants", "报名名单与公布的人数或哈希不符", name)
    _check_registrants_signed(case, deck, signed)
    if deck.log and signed.signed_at_us > min(entry.drawn_at_us for entry in deck.log):
        report.add("registrants-late", "报名名单的签名晚于摇号", name)
    if len(deck.log) != min(deck.contents.size, len(people)):
        message = f"应有 {min(deck.contents.size, len(people))} 张奖票，日志有 {len(deck.log)} 条"
        report.add("lottery-incomplete", message, name, len(deck.log))
    if case.seed is None:
        return
    order = lottery_order(deck_seed(case.seed, deck.contents.category), people)
    for entry in deck.log:
        due = order[entry.ticket] if entry.ticket < len(order) else None
        if entry.kind == DRAW and entry.pseudonym != due:
            report.add("lottery-order", f"奖票 {entry.ticket} 按摇号次序不属于此人", name, entry.ticket)


def _check_registrants_signed(case: _Case, deck: DeckFile, stated: SignedRegistrants) -> None:
    name, known = deck.contents.deck_id, {stated}
    if case.published is not None:
        known |= {signed for signed in case.published.registrants if signed.deck == name}
    for signed in sorted(known, key=lambda signed: signed.signed_at_us):
        if not case.signed(registrants_message(*signed[:4]), signed.signature):
            case.report.add("signature", "报名名单的签名无效", name)
        elif (signed.people, signed.digest) != (stated.people, stated.digest):
            case.report.add("registrants", "报名名单与签名公布的不同", name)


def _check_published_decks(case: _Case) -> None:
    """Check that no deck that was sealed for this round is missing from the file."""
    if case.published is None:
        return
    prefix = round_id(case.file.campaign, case.file.round_no) + "/"
    present = {deck.contents.deck_id for deck in case.file.decks}
    known = {head.deck for head in case.published.heads} | set(case.published.seals)
    for name in sorted({deck for deck in known if deck.startswith(prefix)} - present):
        case.report.add("deck-missing", "已签名公布过的牌不在文件里", name)
