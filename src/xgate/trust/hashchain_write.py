"""Hash chains and their results, written as the reference writes them since 7.4.

The rule: octet for octet its form: ds is the default namespace, four blanks per level, a line feed
at the end. Result octets are what gets signed, so nobody formats them again. Source: hashchain 1.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Iterable
from typing import Final
from xml.sax.saxutils import quoteattr

from xgate.algorithms import Digest

__all__ = [
    "write_chain",
    "write_data_ref",
    "write_hash_value",
    "write_result",
    "write_step_ref",
]

_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_NAMESPACES: Final = (
    ' xmlns="http://www.w3.org/2000/09/xmldsig#" xmlns:ns2="http://cyber.ee/hashchain"'
)


def write_result(uri: str, digest: Digest, top: bytes) -> bytes:
    """A HashChainResult: ``top`` is the hash, by ``digest``, of the step at ``uri``."""
    text = (
        f"{_DECLARATION}<ns2:HashChainResult URI={quoteattr(uri)}{_NAMESPACES}>\n"
        f'    <DigestMethod Algorithm="{digest.uri}"/>\n'
        f"    <DigestValue>{_base64(top)}</DigestValue>\n"
        "</ns2:HashChainResult>\n"
    )
    return text.encode()


def write_chain(digest: Digest, steps: Iterable[str]) -> bytes:
    """A HashChain whose steps, ``STEP0`` first, hold what the next three functions wrote."""
    text = "".join(
        f'    <ns2:HashStep id="STEP{number}">\n{values}    </ns2:HashStep>\n'
        for number, values in enumerate(steps)
    )
    return (
        f"{_DECLARATION}<ns2:HashChain{_NAMESPACES}>\n"
        f'    <ns2:DefaultDigestMethod Algorithm="{digest.uri}"/>\n'
        f"{text}</ns2:HashChain>\n"
    ).encode()


def write_hash_value(digest: bytes) -> str:
    """A HashValue inside a step."""
    return f"        <ns2:HashValue>\n{_written(digest)}        </ns2:HashValue>\n"


def write_step_ref(number: int) -> str:
    """A StepRef inside a step, to the step with this number."""
    return f'        <ns2:StepRef URI="#STEP{number}"/>\n'


def write_data_ref(uri: str, digest: bytes) -> str:
    """A DataRef inside a step."""
    return f"        <ns2:DataRef URI={quoteattr(uri)}>\n{_written(digest)}        </ns2:DataRef>\n"


def _written(digest: bytes) -> str:
    return f"            <DigestValue>{_base64(digest)}</DigestValue>\n"


def _base64(octets: bytes) -> str:
    return b2a_base64(octets, newline=False).decode("ascii")
