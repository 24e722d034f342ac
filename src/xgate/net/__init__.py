"""Sockets, TLS and HTTP on trio; no byte of the protocol gets its meaning here."""
