"""Spouts: where tuples come from. Each record gets a name, is journaled, and only then published."""
