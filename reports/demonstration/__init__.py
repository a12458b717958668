"""The demonstration: the county's plan brought up through the real approvals, and a first day of invented people.

Everything is written by the verbs that the pages call; only the clock is set back meanwhile, so that each deed stands
at a believable moment. All persons, numbers and the two shops with a bad record are invented.
"""

from reports.demonstration.bringing_up import PEOPLE, bring_up
from reports.demonstration.playing import play

__all__ = ["PEOPLE", "bring_up", "play"]
