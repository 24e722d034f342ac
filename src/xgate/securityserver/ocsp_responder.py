"""Port 5577: OCSP responses for this server's certificates, for peers that connect to it.

The rule: one part for each hash asked for, in the order of the query, or none at all. Errors are
500 with a text (transport 1.2, pipeline 10).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from urllib.parse import parse_qsl

from xgate.net.server import Exchange
from xgate.securityserver.server import new_token
from xgate.trust.certificate import Certificate
from xgate.wire.fields import close_multipart, open_part

__all__ = ["answer_ocsp_query"]

_MOST = 32
_SHA1 = re.compile("[0-9a-f]{40}")
_TYPE = "application/ocsp-response"


async def answer_ocsp_query(
    exchange: Exchange,
    find: Callable[[Sequence[str]], Awaitable[Sequence[bytes | None]]],
    own: Callable[[], Iterable[Certificate]],
) -> None:
    """Answer one query.

    :param find: by the SHA-1 of each certificate, a fresh response or None.
    :param own: this server's certificates: they may be asked for by SHA-256 too.
    """
    if exchange.method == "HEAD":
        await exchange.respond(200, [])
        return
    if exchange.method != "GET":
        await _refuse(exchange, f"Method {exchange.method} is not served")
        return
    hashes = _asked(exchange.target, own)
    if not hashes or len(hashes) > _MOST:
        await _refuse(exchange, "Could not get cert hashes")
        return
    responses = await find(hashes)
    for sha1, response in zip(hashes, responses, strict=True):
        if response is None:
            await _refuse(exchange, f"Could not find OCSP response for certificate {sha1}")
            return
    boundary = f"jetty{new_token()}"
    pieces = [
        open_part(boundary, _TYPE, (), first=index == 0) + (response or b"")
        for index, response in enumerate(responses)
    ]
    content_type = f'multipart/related; type="{_TYPE}"; charset=UTF-8; boundary={boundary}'
    body = b"".join((*pieces, close_multipart(boundary)))
    await exchange.respond(200, [("Content-Type", content_type)], body)


def _asked(target: str, own: Callable[[], Iterable[Certificate]]) -> list[str]:
    """SHA-1 hashes in the query's order: the list ``cert`` counts, ``cert_hash`` without it."""
    _, _, query = target.partition("?")
    fields = parse_qsl(query, max_num_fields=4 * _MOST) if query.count("&") < 4 * _MOST else []
    by_sha1 = [value for name, value in fields if name == "cert"]
    if by_sha1:
        return by_sha1 if all(map(_SHA1.fullmatch, by_sha1)) else []
    known = {certificate.sha256.hex(): certificate.sha1 for certificate in own()}
    return [known.get(value, value[:64]) for name, value in fields if name == "cert_hash"]


async def _refuse(exchange: Exchange, text: str) -> None:
    await exchange.respond(500, [("Content-Type", "text/plain; charset=UTF-8")], text.encode())
