"""Loops that keep what we know fresh, one per file."""
