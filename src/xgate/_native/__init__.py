"""The only door to C: one thin file per C file, and the plain-Python twin that is its oracle."""
