"""The words of the audit trail, found by their pairs of characters: Chinese has no spaces and no extension helps.

An entry's words are what stands before and after and why; its pairs are every two characters that follow each other.
Whatever holds a searched text holds all of its pairs, which an index answers; the few that are left are read.
"""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import F, Func, IntegerField, QuerySet, TextField, Value
from django.db.models.functions import Lower

CREATE = """
CREATE FUNCTION reports_audit_words(before jsonb, after jsonb, note text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT lower(before::text || ' ' || after::text || ' ' || note)
$$;
-- The cost keeps the planner from reading every entry's words where the index has its pairs.
CREATE FUNCTION reports_pairs(words text) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 10000 AS $$
  SELECT array_agg(DISTINCT letter || follower) FILTER (WHERE follower IS NOT NULL)
    FROM (SELECT letter, lead(letter) OVER (ORDER BY place) AS follower
            FROM unnest(string_to_array(lower(words), NULL)) WITH ORDINALITY AS each(letter, place)) AS pairs
$$;
"""
INDEX = """
CREATE INDEX audit_pairs ON reports_auditentry
 USING gin (reports_pairs(reports_audit_words(before, after, note))) WITH (fastupdate = off)
"""
# Of the words in a column of their own: to write them out anew for every entry of a common word takes too long.
BY_COLUMN = """
CREATE INDEX audit_pairs ON reports_auditentry USING gin (reports_pairs(words)) WITH (fastupdate = off)
"""
DROP = """
DROP FUNCTION reports_pairs(text);
DROP FUNCTION reports_audit_words(jsonb, jsonb, text);
"""
LEAST = 2  # characters of a search: one has no pair


def words() -> Func:
    """Return the expression for an entry's words, in small letters."""
    return Func(F("before"), F("after"), F("note"), function="reports_audit_words", output_field=TextField())


def is_one_pair(text: str) -> bool:
    """Say whether who has the pair has the text: then nobody's words need to be read."""
    return len(text) == LEAST and text.lower() == text.upper()


def with_pairs(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    """Return the entries that have all pairs of a text; an index answers it."""
    return rows.alias(pairs=_pairs(F("words"))).filter(pairs__contains=_pairs(_text(text)))


def with_text(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    """Return the entries whose words hold a text, in large or small letters; their words are read."""
    place = Func(F("words"), Lower(_text(text)), function="strpos", output_field=IntegerField())
    return rows.alias(place=place).filter(place__gt=0)


def _text(text: str) -> Value:
    return Value(text, output_field=TextField())


def _pairs(of: F | Value) -> Func:
    return Func(of, function="reports_pairs", output_field=ArrayField(TextField()))
