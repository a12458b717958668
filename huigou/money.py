"""Fen to yuan and back, at the edges only. Everything inside counts whole fen."""

from __future__ import annotations

import re
from decimal import Decimal

from huigou.errors import BAD_INPUT

FEN_PER_YUAN = 100
MAX_AMOUNT_FEN = 100_000_000 * FEN_PER_YUAN  # a hundred million yuan: no bill in a county is larger

_YUAN = re.compile(r"\d{1,9}(\.\d{1,2})?")


def yuan(fen: int) -> str:
    """Return 1,234.50 for 123450 fen."""
    sign = "-" if fen < 0 else ""
    whole, rest = divmod(abs(fen), FEN_PER_YUAN)
    return f"{sign}{whole:,}.{rest:02d}"


def short_yuan(fen: int) -> str:
    """Return 50 for 5000 fen and 50.50 for 5050: a face or threshold as people say it."""
    whole, rest = divmod(fen, FEN_PER_YUAN)
    return f"{whole}.{rest:02d}" if rest else str(whole)


def yuan_decimal(fen: int) -> Decimal:
    """Return the exact yuan of a sum, for a spreadsheet's number cell."""
    return Decimal(fen) / FEN_PER_YUAN


def parse_yuan(text: str, *, what: str = "金额") -> int:
    """Return the fen of a typed amount of yuan; full-width digits are taken.

    Raises BAD_INPUT for anything but a non-negative number with at most two decimals below 10^9.
    """
    plain = str(text).translate(str.maketrans("０１２３４５６７８９．，", "0123456789.,")).strip().replace(",", "")
    if not _YUAN.fullmatch(plain):
        raise BAD_INPUT(what=what)
    return int(Decimal(plain) * FEN_PER_YUAN)
