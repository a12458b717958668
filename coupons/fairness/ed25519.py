"""Verify Ed25519 signatures (RFC 8032) with the standard library alone; signing is in `signing`.

Only public values pass here, so nothing needs to run in constant time.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

KEY_BYTES = 32
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
BASE_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202
BASE_Y = 4 * pow(5, -1, P) % P
_SQRT_MINUS_1 = pow(2, (P - 1) // 4, P)

# (X, Y, Z, T) with x = X/Z, y = Y/Z, x*y = T/Z
Point = tuple[int, int, int, int]
ZERO: Point = (0, 1, 1, 0)


def _add(a: Point, b: Point) -> Point:
    """Add two points (RFC 8032, 5.1.4)."""
    p = (a[1] - a[0]) * (b[1] - b[0]) % P
    q = (a[1] + a[0]) * (b[1] + b[0]) % P
    r = 2 * a[3] * b[3] * D % P
    s = 2 * a[2] * b[2] % P
    e, f, g, h = q - p, s - r, s + r, q + p
    return e * f % P, g * h % P, f * g % P, e * h % P


def _decode(data: bytes) -> Point | None:
    """Return the point of 32 bytes, or None when there is none (RFC 8032, 5.1.3)."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * _SQRT_MINUS_1 % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def _encode(point: Point) -> bytes:
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _table(point: Point) -> list[list[Point]]:
    """Return rows of the multiples 0 to 15 of 16**i times the point: one key signs many heads."""
    rows = []
    for _ in range(64):
        row = [ZERO]
        for _ in range(15):
            row.append(_add(row[-1], point))
        rows.append(row)
        point = _add(row[-1], point)
    return rows


def _times(scalar: int, table: list[list[Point]], total: Point) -> Point:
    for row in table:
        total = _add(total, row[scalar & 15])
        scalar >>= 4
    return total


@lru_cache(maxsize=8)
def _key_table(public_key: bytes) -> list[list[Point]] | None:
    """Return the table of the key's negative, or None for bytes that are no key."""
    point = _decode(public_key)
    if point is None:
        return None
    return _table((P - point[0], point[1], point[2], P - point[3]))


@lru_cache(maxsize=1)
def _base_table() -> list[list[Point]]:
    return _table((BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P))


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Say whether the signature of 64 bytes over the message is the key's; False for malformed input."""
    if len(public_key) != KEY_BYTES or len(signature) != 64:
        return False
    key, s = _key_table(public_key), int.from_bytes(signature[32:], "little")
    if key is None or s >= ORDER:
        return False
    digest = hashlib.sha512(signature[:32] + public_key + message).digest()
    challenge = int.from_bytes(digest, "little") % ORDER
    return _encode(_times(challenge, key, _times(s, _base_table(), ZERO))) == signature[:32]
