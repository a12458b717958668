"""Say, byte for byte, how everything that is hashed or signed is written down.

`docs/fairness.md` is the specification of these bytes; a change here is a new version there.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

PROTOCOL = b"huigou-fairness/1/"
DIGEST_BYTES = 32
# Every integer of the format stays exact in a JavaScript number.
MAX_INTEGER = 2**53 - 1
# A card is kept as one byte, its index among the faces; the last index is the blank.
MAX_FACES = 254
MAX_CARDS = 50_000_000
MAX_NAME_BYTES = 200

WHEEL = "wheel"
LOTTERY = "lottery"
MODES = (WHEEL, LOTTERY)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")


def framed(data: bytes) -> bytes:
    """Return the data behind its length in bytes (u32, big endian)."""
    return _U32.pack(len(data)) + data


def framed_text(text: str) -> bytes:
    """Return the text's UTF-8 bytes behind their length."""
    return framed(text.encode())


def u64(number: int) -> bytes:
    """Return eight bytes, big endian."""
    return _U64.pack(number)


def tag(name: str) -> bytes:
    """Return the prefix that keeps one kind of hashed bytes apart from every other kind."""
    return framed(PROTOCOL + name.encode())


def sha256(data: bytes) -> bytes:
    """Return the 32 bytes of SHA-256."""
    return hashlib.sha256(data).digest()


def microseconds(moment: datetime) -> int:
    """Return whole microseconds since 1970-01-01T00:00:00Z of an aware datetime."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment_of(at_us: int) -> datetime:
    """Return the aware datetime (UTC) of microseconds since the epoch."""
    return _EPOCH + timedelta(microseconds=at_us)


def check_name(name: str) -> str:
    """Return the name; raise ValueError when it is empty, too long or holds a control character."""
    if not name or len(name.encode()) > MAX_NAME_BYTES or any(c < " " or c == "\x7f" for c in name):
        raise ValueError(f"名称为空、过长或含控制字符：{name!r}")
    return name


def check_code(code: str) -> str:
    """Return the code; raise ValueError when it could not stand between the slashes of a deck's id."""
    if "/" in code:
        raise ValueError(f"代码里不能有斜线：{code!r}")
    return check_name(code)


def round_id(campaign: str, round_no: int) -> str:
    """Return "campaign/round"."""
    return f"{check_code(campaign)}/{round_no}"


def deck_id(campaign: str, round_no: int, category: str) -> str:
    """Return "campaign/round/category"."""
    return f"{round_id(campaign, round_no)}/{check_code(category)}"


def canonical_json(value: object) -> bytes:
    """Return the one JSON text of a value: keys ascending, no spaces, UTF-8 unescaped."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode()


@dataclass(frozen=True, slots=True)
class Contents:
    """Hold what a dealt deck is made of, frozen.

    `faces` are (face_fen, count) with faces strictly ascending and counts of at least one; the window is half-open,
    in microseconds since the epoch. Raises ValueError for anything that has no canonical form.
    """

    campaign: str
    round_no: int
    category: str
    opens_at_us: int
    closes_at_us: int
    multiplier: int
    faces: tuple[tuple[int, int], ...]
    blanks: int = 0
    turns: int = 1
    mode: str = WHEEL

    def __post_init__(self) -> None:
        deck_id(self.campaign, self.round_no, self.category)
        numbers = (self.round_no, self.opens_at_us, self.closes_at_us, self.multiplier, self.blanks, self.turns)
        if any(type(n) is not int or not 0 <= n <= MAX_INTEGER for n in numbers):
            raise ValueError("要的是 0 到 2^53-1 的整数")
        if self.round_no < 1 or self.turns < 1 or self.multiplier < 1 or self.opens_at_us >= self.closes_at_us:
            raise ValueError("轮次、次数、倍数从 1 起，结束时间要晚于开始时间")
        if self.mode not in MODES:
            raise ValueError(f"没有这种抽奖方式：{self.mode!r}")
        if any(type(n) is not int or not 1 <= n <= MAX_INTEGER for pair in self.faces for n in pair):
            raise ValueError("面额与张数要是不小于 1 的整数")
        faces = [face_fen for face_fen, _ in self.faces]
        if len(faces) > MAX_FACES or any(a >= b for a, b in pairwise(faces)):
            raise ValueError(f"面额要严格升序，至多 {MAX_FACES} 种")
        if self.size > MAX_CARDS:
            raise ValueError(f"一副牌至多 {MAX_CARDS} 张")

    @property
    def deck_id(self) -> str:
        """Return the id under which the deck is hashed, signed and published."""
        return deck_id(self.campaign, self.round_no, self.category)

    @property
    def coupons(self) -> int:
        """Return how many cards win."""
        return sum(count for _, count in self.faces)

    @property
    def size(self) -> int:
        """Return how many cards there are, blanks included."""
        return self.coupons + self.blanks

    def canonical(self) -> bytes:
        """Return the canonical JSON that the plan's hash covers."""
        return canonical_json(
            {
                "blanks": self.blanks,
                "campaign": self.campaign,
                "category": self.category,
                "closes_at_us": self.closes_at_us,
                "faces": [list(pair) for pair in self.faces],
                "mode": self.mode,
                "multiplier": self.multiplier,
                "opens_at_us": self.opens_at_us,
                "round": self.round_no,
                "turns": self.turns,
            }
        )


def sorted_faces(counts: Mapping[int, int]) -> tuple[tuple[int, int], ...]:
    """Return {face_fen: count} as the pairs of `Contents.faces`, faces without a card left out."""
    return tuple((face_fen, count) for face_fen, count in sorted(counts.items()) if count)


def plan_hash(contents: Contents) -> bytes:
    """Return the hash of one deck's frozen contents."""
    return sha256(contents.canonical())


def round_plan_hash(decks: Iterable[Contents]) -> bytes:
    """Return the hash of a round's frozen plan: its decks' hashes, categories ascending."""
    ordered = sorted(decks, key=lambda contents: contents.category.encode())
    body = b"".join(framed_text(contents.category) + plan_hash(contents) for contents in ordered)
    return sha256(tag("round-plan") + u64(len(ordered)) + body)
