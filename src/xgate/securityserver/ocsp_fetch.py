"""OCSP responses of a peer's certificates, asked of the peer itself (port 5577).

The rule: what we have at hand is used; the rest is asked in one request, and answers count by their
position (transport 1.2, pipeline 10). They are judged by whoever asked, not here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from xgate.errors import Fault
from xgate.net.errors import NetError
from xgate.net.fetch import fetch
from xgate.net.resolve import in_url
from xgate.trust.certificate import Certificate
from xgate.wire.content_type import read_content_type
from xgate.wire.fields import find_header
from xgate.wire.mime import MultipartReader, PartBegin, PartData, PartEnd

__all__ = ["fetch_ocsp", "read_ocsp_parts"]

_MOST = 256 * 1024
_CONNECT_SECONDS, _ANSWER_SECONDS = 20.0, 30.0


async def fetch_ocsp(
    chain: Sequence[Certificate],
    find: Callable[[str], bytes | None],
    host: str,
    port: int,
) -> list[bytes]:
    """One response for each certificate, in order.

    :param find: by the SHA-1 of a certificate, the response at hand that is still fresh.
    :raises Fault: ``internal_error`` when the peer does not give them all.
    """
    found = {c.sha1: find(c.sha1) for c in chain}
    missing = [c for c in chain if found[c.sha1] is None]
    if missing:
        found.update(zip((c.sha1 for c in missing), await _ask(missing, host, port), strict=True))
    return [found[c.sha1] or b"" for c in chain]


async def _ask(certificates: Sequence[Certificate], host: str, port: int) -> list[bytes]:
    by_sha1 = "&".join(f"cert={c.sha1}" for c in certificates)
    by_sha256 = "&".join(f"cert_hash={c.sha256.hex()}" for c in certificates)
    url = f"http://{in_url(host)}:{port}/?{by_sha1}&{by_sha256}"
    try:
        answer = await fetch(
            url,
            headers=[("Accept", "multipart/related")],
            timeout=_CONNECT_SECONDS + _ANSWER_SECONDS,
            connect_timeout=_CONNECT_SECONDS,
            max_bytes=_MOST,
        )
    except NetError as error:
        raise Fault(
            "internal_error", f"Could not get OCSP responses from server: {error}"
        ) from None
    if answer.status not in (*range(200, 209), 226):
        raise Fault("internal_error", f"Could not get OCSP responses: status {answer.status}")
    responses = read_ocsp_parts(find_header(answer.headers, "content-type") or "", answer.body)
    if len(responses) != len(certificates):
        raise Fault(
            "internal_error",
            "Could not get all OCSP responses from server "
            f"(expected {len(certificates)}, but got {len(responses)})",
        )
    return responses


def read_ocsp_parts(content_type: str, body: bytes) -> list[bytes]:
    """The bodies of a multipart answer, in order.

    :raises Fault: ``invalid_content_type`` or as ``MultipartReader``.
    """
    boundary = read_content_type(content_type).parameters.get("boundary")
    if not boundary:
        raise Fault("invalid_content_type", f"Invalid content type: {content_type}")
    reader = MultipartReader(boundary)
    found: list[bytes] = []
    current: list[bytes] = []
    for event in (*reader.feed(body), *reader.finish()):
        match event:
            case PartBegin():
                current = []
            case PartData(data=data):
                current.append(bytes(data))
            case PartEnd():
                found.append(b"".join(current))
    return found
