"""``xgate apply``, ``show`` and ``refresh``: a server's own configuration as a document.

The rule: a document is applied whole or not at all: it is read, its certificates with it, its
descriptions are fetched and judged, it becomes a configuration on trial, and only then it takes the
place of the revision that was seen at the beginning. Applying the same once more changes nothing.
"""

from __future__ import annotations

import getpass
import os
from pathlib import Path

import msgspec
import trio

from xgate.cli.changes import Change, change_line, changes_between
from xgate.cli.document_text import (
    facts_of_document,
    read_document_file,
    with_certificates,
    write_document_text,
)
from xgate.cli.output import Unusable, print_json, print_line, print_rows
from xgate.cli.process import read_settings
from xgate.cli.show import time_text
from xgate.clock import SystemClock
from xgate.errors import Fault
from xgate.net.context import TlsIdentity
from xgate.securityserver.client_settings import Document
from xgate.securityserver.describe import Problem, read_descriptions
from xgate.securityserver.internal_identity import load_internal_identity
from xgate.securityserver.registry import read_document
from xgate.securityserver.section import SettingsError
from xgate.securityserver.serverconf_source import open_store, read_revision
from xgate.securityserver.settings import Settings
from xgate.serverconf.store import ConfigurationStore, Revision

__all__ = ["apply", "refresh", "show"]

_MOST_HISTORY = 100


class _Outcome(msgspec.Struct, frozen=True):
    """What a script reads. ``revision`` is the one that counts now."""

    applied: bool
    revision: int
    changes: tuple[Change, ...]
    problems: tuple[Problem, ...] = ()


def apply(
    file: Path,
    /,
    *,
    config: Path,
    dry_run: bool = False,
    force: bool = False,
    json: bool = False,
) -> int:
    """Make a document the server's own configuration: clients, services, rights, groups.

    Everything or nothing; a running server takes it up within seconds, between messages. Exit code
    0 when it is in force, or would be (--dry-run), 1 when it cannot be, 2 when a file cannot be
    used.

    :param file: The document: [[client]] tables as in a settings file.
    :param config: The server's settings file; its [serverconf] names the store.
    :param dry_run: Show what would change, and change nothing.
    :param force: Apply it although descriptions cannot be read; they stay as they were.
    :param json: Print one JSON object.
    """
    settings, store = _open(config, begin=not dry_run)
    document = with_certificates(read_document_file(file), file.resolve().parent)
    return _put(document, settings, store, config, dry_run=dry_run, force=force, json=json)


def refresh(*, config: Path, dry_run: bool = False, force: bool = False, json: bool = False) -> int:
    """Read the WSDL and OpenAPI descriptions of all services anew.

    Exit code 0 when all were read, 1 when some were not (nothing changes then, unless --force), 2
    when a file cannot be used.

    :param config: The server's settings file.
    :param dry_run: Show what would change, and change nothing.
    :param force: Take what could be read, and leave the rest as it was.
    :param json: Print one JSON object.
    """
    settings, store = _open(config, begin=False)
    current = _current(store)
    if current is None:
        raise _nothing_applied()
    document = read_revision(current)
    return _put(document, settings, store, config, dry_run=dry_run, force=force, json=json)


def show(
    *, config: Path, revision: int | None = None, history: bool = False, json: bool = False
) -> int:
    """Show the server's own configuration, as a document that can be applied again.

    Exit code 0 when there is one, 1 when nothing was applied yet, 2 when a file cannot be used.

    :param config: The server's settings file.
    :param revision: Show this revision instead of the one that counts.
    :param history: List the revisions, the newest first.
    :param json: Print one JSON object.
    """
    _, store = _open(config, begin=False)
    if store is None:
        raise _nothing_applied()
    if history:
        revisions = [(r.number, r.time, r.author) for r in store.history(_MOST_HISTORY)]
        if json:
            names = ("revision", "time", "author")
            print_json({"history": [dict(zip(names, row, strict=True)) for row in revisions]})
        for number, time, author in () if json else revisions:
            print_line(f"{number}  {time_text(time)}  {author}")
        return 0
    found = _current(store) if revision is None else store.read(revision)
    if found is None:
        raise Fault("not_found", "There is no such revision; see xgate show --history, xgate apply")
    document = read_revision(found)
    if json:
        print_json({"revision": found.number, "document": document})
    else:
        print_line(f"# revision {found.number}, {time_text(found.time)}, {found.author}")
        for line in write_document_text(document).splitlines():
            print_line(line)
    return 0


def _open(config: Path, *, begin: bool) -> tuple[Settings, ConfigurationStore | None]:
    """:param begin: make the store if there is none; who only looks might make one that the
    server's own user cannot open, and gets None.
    """
    settings = read_settings(config)
    folder, chosen = config.resolve().parent, settings.serverconf
    if not begin and chosen.use == "sqlite" and not (folder / chosen.path).exists():
        return settings, None
    try:
        return settings, open_store(chosen, folder)
    except (SettingsError, Fault) as error:
        raise Unusable(str(error)) from None


def _nothing_applied() -> Fault:
    return Fault("not_found", "Nothing has been applied yet; see xgate apply")


def _current(store: ConfigurationStore | None) -> Revision | None:
    newest = 0 if store is None else store.newest()
    return None if store is None or not newest else store.read(newest)


def _put(
    document: Document,
    settings: Settings,
    store: ConfigurationStore | None,
    config: Path,
    *,
    dry_run: bool,
    force: bool,
    json: bool,
) -> int:
    folder = config.resolve().parent
    current = _current(store)
    before = Document() if current is None else read_revision(current)
    number = 0 if current is None else current.number
    try:
        read_document(document, settings.server_id, folder)  # before anybody is asked anything
        told = _remembering(document, before)
        identity = _identity_for(told, settings, folder)
        whole, problems = trio.run(read_descriptions, told, folder, identity)
        read_document(whole, settings.server_id, folder)
    except SettingsError as error:
        raise Fault("malformed_server_conf", str(error)) from None
    changes = changes_between(facts_of_document(before), facts_of_document(whole))
    refused = bool(problems) and not force
    applied = bool(changes) and not (dry_run or refused)
    if applied:
        assert store is not None  # there is none yet for a dry run alone
        octets = msgspec.json.encode(whole)
        revision = Revision(number + 1, SystemClock().now(), _author(), octets)
        store.put(revision)
        number = revision.number
    _tell(_Outcome(applied, number, changes, tuple(problems)), json=json, dry_run=dry_run)
    return 1 if refused else 0


def _identity_for(document: Document, settings: Settings, folder: Path) -> TlsIdentity | None:
    """The server's certificate, where somebody may ask for it before telling of a service.

    :raises SettingsError: it cannot be read.
    """
    urls = [described.url for client in document.client for described in client.description]
    if not settings.tls.certificate or not any(url.lower().startswith("https:") for url in urls):
        return None
    return load_internal_identity(settings.tls, folder, SystemClock().now())


def _author() -> str:
    """Who runs this; in a container a user may have a number alone."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _remembering(document: Document, before: Document) -> Document:
    """What descriptions said last stands in for those that cannot be read now."""
    known = {
        (client.id, described.url, described.type): described
        for client in before.client
        for described in client.description
    }
    clients = []
    for client in document.client:
        described = []
        for one in client.description:
            old = known.get((client.id, one.url, one.type))
            read = {} if old is None else {f: getattr(old, f) for f in _READ}
            described.append(msgspec.structs.replace(one, **read))
        clients.append(msgspec.structs.replace(client, description=tuple(described)))
    return msgspec.structs.replace(document, client=tuple(clients))


_READ = ("services", "endpoints", "read_url")


def _tell(outcome: _Outcome, *, json: bool, dry_run: bool) -> None:
    if json:
        print_json(outcome)
        return
    for change in outcome.changes:
        print_line(change_line(change))
    for problem in outcome.problems:
        print_rows([("not read", problem.url), ("", f"of {problem.client}: {problem.cause}")])
    if outcome.applied:
        print_line(f"Applied as revision {outcome.revision}.")
    elif outcome.problems:
        print_line("Nothing is applied. Mend the descriptions, or say --force.")
    elif not outcome.changes:
        print_line("Nothing changes.")
    else:
        assert dry_run
        print_line("Nothing is applied: --dry-run.")
