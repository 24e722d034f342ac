"""PEM, as it is written: what is read is read by what it is for.

The rule: lines of 64 characters and a line feed at the end of each. Source: RFC 7468.
"""

from __future__ import annotations

import base64
import textwrap

__all__ = ["write_pem"]


def write_pem(label: str, der: bytes) -> str:
    """One block of PEM. :param label: what it is, as ``CERTIFICATE``."""
    body = "\n".join(textwrap.wrap(base64.b64encode(der).decode("ascii"), 64))
    return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"
