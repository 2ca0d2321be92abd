"""Measurements: each command prints what it measured and the ratio to a reference run beside it."""
