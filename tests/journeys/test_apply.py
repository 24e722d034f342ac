"""A running server takes up what is applied, and no message is lost or changed by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import trio

from xgate.clock import SystemClock
from xgate.sandbox.country import CONSUMER, PROVIDER, Country
from xgate.securityserver.client_settings import ClientSettings, Document, ServiceSettings
from xgate.securityserver.serverconf_source import open_store
from xgate.securityserver.settings import load_settings
from xgate.serverconf.store import Revision

if TYPE_CHECKING:
    from tests.journeys.conftest import Caller, Starter

STORE = '[serverconf]\nuse = "sqlite"\nwatch-seconds = 0.05\n\n[globalconf]'
REFRESHED = "server configuration refreshed"


def stored(country: Country) -> Callable[[Document], None]:
    """The provider's clients move into a store; gives what applies a document to it."""
    text = country.provider.settings.read_text()
    head = text[: text.index("\n[[client]]")].replace("[globalconf]", STORE)
    country.provider.settings.write_text(head)
    store = open_store(load_settings(country.provider.settings).serverconf, country.provider.folder)

    def apply(document: Document) -> None:
        octets = msgspec.json.encode(document)
        store.put(Revision(store.newest() + 1, SystemClock().now(), "test", octets))

    return apply


def offering(country: Country, *allow: str, disabled: str | None = None) -> Document:
    base = f"http://127.0.0.1:{country.ports.services}/rest"
    service = ServiceSettings("rest", base, disabled=disabled, allow=allow)
    return Document((ClientSettings(PROVIDER.short, "NOSSL", service=(service,)),))


async def code_of(caller: Caller) -> str:
    return (await caller.rest("POST", "/echo", body=b"x")).code.rpartition(".")[2]


async def test_clients_services_and_rights_change_while_it_runs(
    found: Callable[..., Country], start: Starter
) -> None:
    country = found()
    apply = stored(country)
    apply(Document())
    async with start(country) as started:
        lines, caller = started.running.provider, started.caller
        assert await code_of(caller) == "unknown_member"
        for document, code in (
            (offering(country), "access_denied"),
            (offering(country, CONSUMER.short), ""),
            (offering(country, CONSUMER.short, disabled="closed"), "service_disabled"),
            (offering(country, CONSUMER.short), ""),
        ):
            seen = len(lines)
            apply(document)
            await lines.wait(REFRESHED, since=seen)
            assert await code_of(caller) == code


async def test_a_message_keeps_the_configuration_it_began_with(
    found: Callable[..., Country], start: Starter
) -> None:
    country = found()
    apply = stored(country)
    apply(offering(country, CONSUMER.short))
    async with start(country) as started:
        lines, caller = started.running.provider, started.caller
        answers = []

        async def call() -> None:
            answers.append(await caller.rest("GET", "/wait"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            await started.desk.waiting.wait()
            seen = len(lines)
            apply(Document())  # the service is gone, and so is its client
            await lines.wait(REFRESHED, since=seen)
            started.desk.gate.set()
        assert [(reply.status, reply.body) for reply in answers] == [(200, b"at last")]
        assert await code_of(caller) == "unknown_member"
