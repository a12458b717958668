"""The citizens' and clerks' pages, by request and in a real browser."""
