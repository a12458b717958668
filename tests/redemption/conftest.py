from __future__ import annotations

import pytest

from coupons import lifecycle
from tests import factories


@pytest.fixture
def trades(at) -> factories.County:  # type: ignore[no-untyped-def]
    """A live county with three trades, one of them without cash, dealt and open at five past nine."""
    at("2022-06-25 08:30")
    made = factories.a_county({("dining", 100): 60, ("fuel", 50): 60, ("book", 20): 60})
    made.categories["fuel"].cashless = True
    made.categories["fuel"].save()
    lifecycle.deal(made.rounds[0].pk)
    at("2022-06-25 09:05")
    return made
