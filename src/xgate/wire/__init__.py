"""Bytes to values and back: every codec of the protocol, without sockets, clocks or trust."""
