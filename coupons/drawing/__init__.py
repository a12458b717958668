"""The only door by which a coupon is born.

``draw`` is what everybody calls: it hands the request to this process's batcher, which lets draws that arrive together
share one transaction. ``write_together`` is that transaction.
"""

from coupons.drawing.batcher import draw, draw_async
from coupons.drawing.facts import DeckFacts, facts_of, forget
from coupons.drawing.together import Answer, Ask, void_lost, write_together

__all__ = ["Answer", "Ask", "DeckFacts", "draw", "draw_async", "facts_of", "forget", "void_lost", "write_together"]
