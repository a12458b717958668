"""Consumers' pages under /m/. They show and hand on; every rule is in a verb module."""
