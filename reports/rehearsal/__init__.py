"""A whole campaign in compressed time, through the same verbs as the real one, in a database of its own.

The same seed gives the same report, byte for byte: the decks' shares come from the seed, and what happens to a coupon
is a function of (seed, round, category, ticket), not of who drew it or when.
"""

from reports.rehearsal.play import SILENT, Aside, Options, rehearse
from reports.rehearsal.telling import as_text

__all__ = ["SILENT", "Aside", "Options", "as_text", "rehearse"]
