"""Merchants' pages under /shop/, and the consumers' pages that need both sides."""
