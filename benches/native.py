"""The C core beside what says the same in plain Python, lxml and hashlib: ``python native.py``.

The rule: the same work on the same octets, results compared before anything is timed; runs of the
contenders take turns, so that a slow moment of the machine hits all of them, and the median counts.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from random import Random

from lxml import etree

from gauges import commit_now, machine, rsa2048_sign
from xgate._native import (
    c14n,
    digest,
    hashchain,
    table,
    twin_c14n,
    twin_digest,
    twin_hashchain,
    twin_table,
)
from xgate.ids import ClientId
from xgate.testing.pki import issue_sign, make_ca, make_key
from xgate.trust.xades import draft_signature

__all__ = ["compare"]

Contenders = Mapping[str, Callable[[], object]]

_SLICE_SECONDS = 0.002


def compare(contenders: Contenders, seconds: float) -> dict[str, float]:
    """Microseconds per call of each contender, the median of slices that take turns.

    :raises ValueError: they do not give the same result.
    """
    results = [contender() for contender in contenders.values()]
    if any(result != results[0] for result in results):
        raise ValueError(f"the results of {', '.join(contenders)} differ")
    calls = {name: _calls_in_a_slice(call) for name, call in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for name, call in contenders.items():
            times[name].append(_time(call, calls[name]) / calls[name] * 1e6)
    return {name: statistics.median(took) for name, took in times.items()}


def _calls_in_a_slice(call: Callable[[], object]) -> int:
    once = min(_time(call, 1) for _ in range(5))
    return max(1, int(_SLICE_SECONDS / once))


def _time(call: Callable[[], object], times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        call()
    return time.perf_counter() - began


def _rounds() -> dict[str, Contenders]:
    return {**_canonical(), **_digests(), **_chains(), **_tables()}


def _canonical() -> dict[str, Contenders]:
    """A signature document, whole, in both forms."""
    document = _signature()
    return {
        f"canonicalise {form}, {len(document)} octets": {
            "C": partial(c14n.canonicalise, document, exclusive=exclusive),
            "twin": partial(twin_c14n.canonicalise, document, exclusive=exclusive),
            "lxml": partial(_lxml, document, exclusive),
        }
        for form, exclusive in (("inclusive", False), ("exclusive", True))
    }


def _lxml(document: bytes, exclusive: bool) -> bytes:
    out = io.BytesIO()
    tree = etree.ElementTree(etree.fromstring(document))
    tree.write(out, method="c14n", exclusive=exclusive, with_comments=False)
    return out.getvalue()


def _signature() -> bytes:
    """A signature as our servers make them; its value is not a signature, only as long as one."""
    ca = make_ca("Bench CA", key=make_key("bench ca", "RSA-2048"))
    signer = issue_sign(ca, ClientId("XG", "COM", "100"), key=make_key("bench", "RSA-2048"))
    draft = draft_signature(
        certificate=signer.certificate,
        algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
        reference="/sig-hashchainresult.xml",
        digest=bytes(64),
        signing_time=datetime(2025, 1, 1, tzinfo=UTC),
        ocsp=[bytes(1500)],
    )
    return draft.finish(bytes(256))


def _digests() -> dict[str, Contenders]:
    """The parts of one message, and a body that comes in pieces."""
    parts = [bytes(1024), bytes(600)]
    pieces = [bytes(65536)] * 16
    return {
        "SHA-512 of two parts, 1.6 KB": {
            "C": lambda: digest.digest_parts("SHA-512", parts),
            "twin": lambda: twin_digest.digest_parts("SHA-512", parts),
            "hashlib": lambda: [hashlib.sha512(part).digest() for part in parts],
        },
        "SHA-512 of a stream, 1 KB": {
            "C": lambda: _stream(digest.Hasher("SHA-512"), parts[:1]),
            "twin": lambda: _stream(twin_digest.Hasher("SHA-512"), parts[:1]),
            "hashlib": lambda: _stream(hashlib.sha512(), parts[:1]),
        },
        "SHA-512 of a stream, 1 MB": {
            "C": lambda: _stream(digest.Hasher("SHA-512"), pieces),
            "twin": lambda: _stream(twin_digest.Hasher("SHA-512"), pieces),
            "hashlib": lambda: _stream(hashlib.sha512(), pieces),
        },
    }


def _stream(
    hasher: digest.Hasher | twin_digest.Hasher | hashlib._Hash, pieces: list[bytes]
) -> bytes:
    for piece in pieces:
        hasher.update(piece)
    return hasher.digest()


def _chains() -> dict[str, Contenders]:
    """A batch of 32 messages of two parts each, and one message's chain in it."""
    inputs = [[bytes([n]) * 64, bytes([n, 1]) * 32] for n in range(32)]
    value = hashchain.Value("SHA-512", bytes(64))
    above = [[hashchain.Value("SHA-512", b"", number), value] for number in range(5)]
    steps = [[value, value], *above]
    return {
        "hash chain, build for 32 messages": {
            "C": lambda: hashchain.merge("SHA-512", inputs),
            "twin": lambda: twin_hashchain.merge("SHA-512", inputs),
        },
        "hash chain, evaluate 6 steps": {
            "C": lambda: hashchain.evaluate("SHA-512", steps),
            "twin": lambda: twin_hashchain.evaluate("SHA-512", steps),
        },
    }


def _tables() -> dict[str, Contenders]:
    """One of 100,000 keys after the other."""
    items = {b"XX/COM/%d/main" % number: b"Company %d" % number for number in range(100_000)}
    block = twin_table.write_table(items, 0)
    some = Random(1).sample(list(items), 1000)

    def all_in(found: twin_table.Table) -> Callable[[], object]:
        return lambda: [found.find(key) for key in some]

    return {
        "look up 1,000 of 100,000 keys": {
            "C": all_in(table.Table(block, 0, len(items))),
            "twin": all_in(twin_table.Table(block, 0, len(items))),
            "dict": lambda: [items.get(key) for key in some],
        }
    }


def main() -> int:
    """Compare all and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each comparison")
    options = parser.parse_args()
    medians = {name: compare(round_, options.seconds) for name, round_ in _rounds().items()}
    if options.json:
        facts = {"rsa2048_signs_per_s": rsa2048_sign()[0], **machine(), **commit_now()}
        print(json.dumps({"us": medians, **facts}))
        return 0
    for name, took in medians.items():
        print(f"{name:45}", *(f"{who} {us:9,.1f} us" for who, us in took.items()), sep="  ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
