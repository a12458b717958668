"""Read the two public files strictly: nothing that the specification does not allow gets past here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from .document import (
    FORMAT,
    SIGNATURE_BYTES,
    VERSION,
    DeckFile,
    Malformed,
    Published,
    Registrants,
    RoundFile,
    Share,
)
from .encoding import DIGEST_BYTES, MAX_INTEGER, Contents, check_code, check_name
from .log import KINDS, Entry, SignedHead, SignedRegistrants
from .seeds import MAX_SHARE_BYTES, MAX_SHARES, MIN_SHARE_BYTES, Entropy

ROW_ITEMS = 7
_HEX = frozenset("0123456789abcdef")


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MAX_INTEGER:
        raise ValueError("要的是 0 到 2^53-1 的整数")
    return value


def _hex(value: Any, least: int = DIGEST_BYTES, most: int | None = None) -> bytes:
    if type(value) is not str or len(value) % 2 or not _HEX.issuperset(value):
        raise ValueError("要的是小写十六进制")
    if not least <= len(value) // 2 <= (most or least):
        raise ValueError("字节数不对")
    return bytes.fromhex(value)


def _text(value: Any, check: Callable[[str], str] = check_name) -> str:
    if type(value) is not str:
        raise ValueError("要的是文字")
    return check(value)


def _list(value: Any) -> list[Any]:
    if type(value) is not list:
        raise ValueError("要的是列表")
    return value


def _object(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise ValueError("要的是对象")
    return value


def _at(where: str, read: Callable[[Any], Any], value: Any) -> Any:
    """Read a part; whatever is wrong with it becomes one `Malformed` that names the place."""
    try:
        return read(value)
    except Malformed as inner:
        raise Malformed(f"{where} · {inner}") from inner
    except KeyError as missing:
        raise Malformed(f"{where}：缺 {missing.args[0]}") from missing
    except (ValueError, TypeError) as wrong:
        raise Malformed(f"{where}：{wrong}") from wrong


def read_document(document: Any) -> RoundFile:
    """Return the reveal file of a parsed JSON value; raise Malformed."""
    return _at("文件", _round, document)


def _round(value: Any) -> RoundFile:
    doc = _object(value)
    if doc["format"] != FORMAT or _number(doc["version"]) != VERSION:
        raise ValueError(f"不是 {FORMAT} 第 {VERSION} 版")
    shares = [_at("份额", _share, share) for share in _list(doc["shares"])]
    if not 1 <= len(shares) <= MAX_SHARES or len({share.custodian for share in shares}) != len(shares):
        raise ValueError(f"份额要有 1 到 {MAX_SHARES} 份，每人一份")
    file = RoundFile(
        campaign=_text(doc["campaign"], check_code),
        round_no=_number(doc["round"]),
        opens_at_us=_number(doc["opens_at_us"]),
        closes_at_us=_number(doc["closes_at_us"]),
        plan_hash=_hex(doc["plan_hash"]),
        shares=shares,
        entropy=None if doc["entropy"] is None else _at("公共随机数", _entropy, doc["entropy"]),
        public_key=_hex(doc["public_key"]),
        decks=[_deck(doc, deck) for deck in _list(doc["decks"])],
    )
    if not file.decks or len({deck.contents.category for deck in file.decks}) != len(file.decks):
        raise ValueError("至少要有一副牌，每个品类一副")
    return file


def _share(value: Any) -> Share:
    share = _object(value)
    revealed = share["share"]
    revealed = None if revealed is None else _hex(revealed, MIN_SHARE_BYTES, MAX_SHARE_BYTES)
    return Share(_text(share["custodian"]), _hex(share["commitment"]), revealed)


def _entropy(value: Any) -> Entropy:
    entropy = _object(value)
    return Entropy(_text(entropy["source"]), _text(entropy["value"]))


def _deck(doc: Mapping[str, Any], value: Any) -> DeckFile:
    category = _at("牌", lambda deck: _text(_object(deck)["category"], check_code), value)
    return _at(f"牌 {category}", lambda deck: _deck_parts(doc, deck), value)


def _deck_parts(doc: Mapping[str, Any], deck: Mapping[str, Any]) -> DeckFile:
    contents = _at("内容", lambda inner: _contents(doc, deck, _object(inner)), deck["contents"])
    rows = [_at(f"第 {number} 行", _row, row) for number, row in enumerate(_list(deck["log"]), 1)]
    name = contents.deck_id
    registrants = deck["registrants"]
    return DeckFile(
        contents=contents,
        plan_hash=_hex(deck["plan_hash"]),
        commitment=_hex(deck["commitment"]),
        size=_number(deck["size"]),
        drawn=_number(deck["drawn"]),
        head=_hex(deck["head"]),
        log=[entry for entry, _ in rows],
        links=[after for _, after in rows],
        heads=[_at("签名", lambda row: _head(name, *row), row) for row in _list(deck["heads"])],
        registrants=None if registrants is None else _at("报名名单", lambda r: _registrants(name, r), registrants),
    )


def _contents(doc: Mapping[str, Any], deck: Mapping[str, Any], inner: Mapping[str, Any]) -> Contents:
    return Contents(
        campaign=doc["campaign"],
        round_no=doc["round"],
        category=deck["category"],
        opens_at_us=doc["opens_at_us"],
        closes_at_us=doc["closes_at_us"],
        multiplier=inner["multiplier"],
        faces=tuple((_number(face_fen), _number(count)) for face_fen, count in _list(inner["faces"])),
        blanks=inner["blanks"],
        turns=inner["turns"],
        mode=inner["mode"],
    )


def _row(value: Any) -> tuple[Entry, bytes]:
    if len(_list(value)) != ROW_ITEMS:
        raise ValueError(f"一行要有 {ROW_ITEMS} 项")
    ticket, face_fen, drawn_at_us, pseudonym, turn, kind, after = value
    if kind not in KINDS or _number(turn) >= 2**32:
        raise ValueError("种类或次数不对")
    entry = Entry(_number(ticket), _number(face_fen), _number(drawn_at_us), _hex(pseudonym), turn, _number(kind))
    return entry, _hex(after)


def _head(deck: str, tickets: Any, head: Any, signed_at_us: Any, signature: Any) -> SignedHead:
    return SignedHead(deck, _number(tickets), _hex(head), _number(signed_at_us), _hex(signature, SIGNATURE_BYTES))


def _signed_registrants(deck: str, value: Mapping[str, Any]) -> SignedRegistrants:
    signature = _hex(value["signature"], SIGNATURE_BYTES)
    return SignedRegistrants(
        deck, _number(value["count"]), _hex(value["hash"]), _number(value["signed_at_us"]), signature
    )


def _registrants(deck: str, value: Any) -> Registrants:
    parts = _object(value)
    return Registrants(_signed_registrants(deck, parts), tuple(_hex(item) for item in _list(parts["list"])))


def read_published(text: str) -> Published:
    """Return the published file (JSON lines); lines of other kinds are left out. Raise Malformed."""
    published = Published()
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            _at(f"公布文件第 {number} 行", lambda raw: _published_line(published, json.loads(raw)), line)
    return published


def _published_line(published: Published, value: Any) -> None:
    line = _object(value)
    kind = line["kind"]
    if kind == "key":
        key = _hex(line["public_key"])
        if published.public_key not in (None, key):
            raise ValueError("公布文件里有两个不同的公钥")
        published.public_key = key
    elif kind == "commitment":
        name = (_text(line["campaign"], check_code), _number(line["round"]), _text(line["custodian"]))
        if published.commitments.setdefault(name, _hex(line["commitment"])) != _hex(line["commitment"]):
            raise ValueError("同一保管人公布过两个不同的承诺")
    elif kind == "source":
        place = (_text(line["campaign"], check_code), _number(line["round"]))
        if published.sources.setdefault(place, _text(line["source"])) != line["source"]:
            raise ValueError("同一轮公布过两个不同的公共随机数来源")
    elif kind == "seal":
        deck, seal = _text(line["deck"], str), (_hex(line["plan_hash"]), _hex(line["commitment"]))
        if published.seals.setdefault(deck, seal) != seal:
            raise ValueError("同一副牌公布过两个不同的封条")
    elif kind == "head":
        stated = (line["tickets"], line["head"], line["signed_at_us"], line["signature"])
        published.heads.append(_head(_text(line["deck"], str), *stated))
    elif kind == "registrants":
        published.registrants.append(_signed_registrants(_text(line["deck"], str), line))
