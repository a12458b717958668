"""The words of the audit trail, found by their pairs of characters: Chinese has no spaces and no extension helps.

An entry's words are what stands before and after and why; its pairs are every two characters that follow each other.
Whatever holds a searched text holds all of its pairs, which an index answers; the few that are left are read.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db.models import F, Func, TextField, Value

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
CREATE INDEX audit_pairs ON reports_auditentry
 USING gin (reports_pairs(reports_audit_words(before, after, note))) WITH (fastupdate = off);
"""
DROP = """
DROP INDEX audit_pairs;
DROP FUNCTION reports_pairs(text);
DROP FUNCTION reports_audit_words(jsonb, jsonb, text);
"""
LEAST = 2  # characters of a search: one has no pair


def words() -> Func:
    """Return the expression for an entry's words, in small letters."""
    return Func(F("before"), F("after"), F("note"), function="reports_audit_words", output_field=TextField())


def pairs(of: F | str) -> Func:
    """Return the expression for the pairs of a text or of another expression."""
    text = Value(of, output_field=TextField()) if isinstance(of, str) else of
    return Func(text, function="reports_pairs", output_field=ArrayField(TextField()))
