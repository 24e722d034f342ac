"""Requests with everything wrong at once: what is told first, and what once that is mended.

pipeline 3 and 8: the order is part of the protocol, for a caller mends what it is told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from tests.journeys.rows import for_server, good

from xgate.ids import ClientId
from xgate.sandbox.country import CONSUMER, PROVIDER
from xgate.sandbox.draft import Draft, rest_draft, rest_head, soap_draft
from xgate.sandbox.peer import Peer, Piece
from xgate.wire.transport_parts import OCSP_RESPONSE, SIGNATURE

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller

pytestmark = pytest.mark.usefixtures("served_on")

CSS, PSS = "server.clientproxy.", "server.serverproxy."
NOBODY = ClientId("XG", "GOV", "200", "nobody")
GHOST, SEALED = (ClientId("XG", "COM", "100", name) for name in ("ghost", "sealed"))


async def test_at_the_consumer_in_soap(caller: Caller) -> None:
    headers = {"Content-Type": "image/png", "SOAPAction": "bare"}
    message = {"octets": b"no xml"}
    method = "PUT"
    told = []

    async def ask() -> None:
        reply = await caller.send(method, "/", list(headers.items()), message["octets"])
        told.append(reply.code)

    await ask()
    method = "POST"
    await ask()
    headers["SOAPAction"] = ""
    await ask()
    headers["Content-Type"] = "text/xml"
    await ask()
    elsewhere = for_server("GOV/200", "NONE")
    for client, provider in ((GHOST, NOBODY), (SEALED, NOBODY), (CONSUMER, NOBODY)):
        message["octets"] = elsewhere(good(client=client, provider=provider))
        await ask()
    message["octets"] = elsewhere(good())
    await ask()
    message["octets"] = good()
    await ask()

    assert told == [
        "client.invalid_http_method",
        "client.invalid_soap_action",
        "client.invalid_content_type",
        "client.invalid_soap",
        CSS + "unknown_member",
        CSS + "ssl_authentication_failed",
        CSS + "unknown_member",
        CSS + "invalid_security_server",
        "",
    ]


async def test_at_the_consumer_in_rest(caller: Caller) -> None:
    no_path, nobody, echo = (f"/r1/{who.url}" for who in (NOBODY, NOBODY, PROVIDER))
    bad, none = ("X-Road-Security-Server", "XG"), ("X-Road-Security-Server", "XG/GOV/200/NONE")
    asked = [
        ("PROPFIND", no_path, [bad]),
        ("GET", no_path, [bad]),
        ("GET", f"{nobody}/echo", []),
        ("GET", f"{nobody}/echo", [("X-Road-Client", GHOST.url), bad]),
        ("GET", f"{nobody}/echo", [("X-Road-Client", GHOST.url), none]),
        ("GET", f"{nobody}/echo", [("X-Road-Client", SEALED.url), none]),
        ("GET", f"{nobody}/echo", [("X-Road-Client", CONSUMER.url), none]),
        ("GET", f"{echo}/echo", [("X-Road-Client", CONSUMER.url), none]),
        ("GET", f"{echo}/echo", [("X-Road-Client", CONSUMER.url)]),
    ]
    told = [(await caller.send(verb, path, headers)).code for verb, path, headers in asked]

    assert told == [
        CSS + "internal_error",
        CSS + "internal_error",
        CSS + "invalid_client_identifier",
        CSS + "internal_error",
        CSS + "unknown_member",
        CSS + "ssl_authentication_failed",
        CSS + "unknown_member",
        CSS + "invalid_security_server",
        "",
    ]


Mend = Callable[[Draft], None]


def spoilt(draft: Draft, *left: str) -> Draft:
    """The draft with these defects."""
    defects: dict[str, Mend] = {
        "method": lambda draft: setattr(draft, "method", "PUT"),
        "action": lambda draft: draft.header("x-original-soapaction", "bare"),
        "hash": lambda draft: draft.header("x-hash-algorithm", None),
        "ocsp": lambda draft: draft.swap(OCSP_RESPONSE),
        "no signature": lambda draft: draft.swap(SIGNATURE),
        "signature": lambda draft: draft.swap(SIGNATURE, Piece(SIGNATURE, b"<a/>")),
    }
    for name in left:
        defects[name](draft)
    return draft


async def test_at_the_provider_in_soap(peer: Peer) -> None:
    other = for_server("GOV/200", "OTHER")
    worst = other(good("order-1", provider=NOBODY))
    steps = [
        (worst, ["method", "action", "hash", "ocsp", "no signature"]),
        (worst, ["action", "hash", "ocsp", "no signature"]),
        (worst, ["hash", "ocsp", "no signature"]),
        (worst, ["ocsp", "no signature"]),
        (good("order-1", provider=NOBODY), ["ocsp", "no signature"]),
        (good("order-1", "nothing"), ["ocsp", "no signature"]),
        (good("order-1", "nothing"), ["no signature"]),
        *(
            (good("order-1", code), ["signature"])
            for code in ("nothing", "rest", "hidden", "closed", "tell")
        ),
        (good("order-1"), []),
    ]
    told = []
    for octets, left in steps:
        fault = await spoilt(soap_draft(peer, octets), *left).send()
        told.append(fault.code if fault else "")

    assert told == [
        PSS + "invalid_http_method",
        PSS + "invalid_soap_action",
        PSS + "internal_error",
        PSS + "service_failed.invalid_security_server",
        PSS + "service_failed.unknown_member",
        PSS + "service_failed.ssl_authentication_failed",
        PSS + "missing_signature",
        PSS + "unknown_service",
        PSS + "service_type",
        PSS + "access_denied",
        PSS + "service_disabled",
        PSS + "signature_verification.malformed_signature",
        "",
    ]


async def test_at_the_provider_in_rest(peer: Peer) -> None:
    def draft(service: str, provider: ClientId = PROVIDER, path: str = "") -> Draft:
        target = f"/r1/{provider.url}/{service}{path}"
        return rest_draft(peer, rest_head("order-2", "GET", target))

    bad = "/%FF"  # no path: found out before the service is looked for
    steps = [
        (draft("nothing", NOBODY, bad), ["ocsp", "no signature"]),
        (draft("nothing", path=bad), ["ocsp", "no signature"]),
        (draft("nothing", path=bad), ["no signature"]),
        (draft("nothing", path=bad), ["signature"]),
        *((draft(code), ["signature"]) for code in ("nothing", "wsdl", "secret", "off", "echo")),
        (draft("echo"), []),
    ]
    told = []
    for made, left in steps:
        fault = await spoilt(made, *left).send()
        told.append(fault.code if fault else "")

    assert told == [
        PSS + "service_failed.unknown_member",
        PSS + "service_failed.ssl_authentication_failed",
        PSS + "missing_signature",
        PSS + "internal_error",
        PSS + "unknown_service",
        PSS + "service_type",
        PSS + "access_denied",
        PSS + "service_disabled",
        PSS + "signature_verification.malformed_signature",
        "",
    ]
