"""Operational monitoring: who called what, when, for how long, and whether it went well."""
