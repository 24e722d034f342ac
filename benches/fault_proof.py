"""Whether both logs hold what was acknowledged, once and proven.

The rule: the journal of those who sent is held against the logs as they lie there, read with the
program's own reader and verified with its own verifier. Every record is counted and compared; how
many containers are made and verified is up to the caller, and is told.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

from fault_archives import read_archives
from fault_calls import Acknowledged, digest
from xgate.cli.workers import in_order
from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.globalconf.disk import read_disk
from xgate.ids import ClientId
from xgate.messagelog.evidence import write_evidence
from xgate.messagelog.record import LoggedRecord, whole
from xgate.messagelog.store import LogStore
from xgate.sandbox.country import Country, Place
from xgate.securityserver.log_store import open_log
from xgate.securityserver.settings import load_settings
from xgate.trust.asic import container_name
from xgate.trust.verify import verify_container
from xgate.wire.rest import read_rest_response, request_hash
from xgate.wire.soap import read_soap

__all__ = ["Findings", "archive_folder", "open_for_reading", "prove"]


class Findings:
    """What was found; the lists are of sentences, one for each thing that is wrong."""

    def __init__(self) -> None:
        self.lost: list[str] = []
        """Acknowledged, and not in a log."""
        self.duplicated: list[str] = []
        """In a log more than once, acknowledged or not."""
        self.unverifiable: list[str] = []
        """In a log, and not what was sent or answered, or not proven."""
        self.records = 0
        """How many there are in both logs."""
        self.verified = 0
        """From how many a container was made and verified."""
        self.archived = 0
        """How many containers the archives of both have."""


Chooser = Callable[[str], bool]


class _Container(NamedTuple):
    name: str
    octets: bytes
    signer: ClientId


def prove(country: Country, journal: Mapping[str, Acknowledged], most: int, seed: int) -> Findings:
    """Hold the logs of both servers against the journal; the servers need not run.

    :param most: about how many records are verified at most; a seed says which.
    """
    findings = Findings()
    octets: dict[tuple[str, bool], str] = {}
    for place in country.places:
        with closing(open_for_reading(place)) as store:
            count = store.statistics().records
            findings.records += count
            share = most / 2 / max(count, 1)
            log = _Log(country, place, journal, findings, octets)
            chosen = log.read(store, partial(_chosen, seed, share))
            _verify(chosen, country.verification, findings)
            log.tell_missing()
            folder = archive_folder(place)
            if folder is not None:
                log.look_into(folder)
    return findings


def archive_folder(place: Place) -> Path | None:
    """Where a server's archives are; None if it makes none."""
    directory = load_settings(place.settings).messagelog.archive.directory
    return place.folder / directory if directory else None


def open_for_reading(place: Place) -> LogStore:
    """A server's log, beside it or after it."""
    return open_log(load_settings(place.settings).messagelog, place.folder, read_only=True)


def _chosen(seed: int, share: float, query_id: str) -> bool:
    """The same for all records of an exchange."""
    return share >= 1 or Random(f"{seed}/{query_id}").random() < share


def _verify(containers: Iterator[_Container], verification: Path, findings: Findings) -> None:
    read_trust = partial(_read_trust, verification)
    for wrong in in_order(containers, _check, read_trust, size=lambda item: len(item.octets)):
        findings.verified += 1
        if wrong:
            findings.unverifiable.append(wrong)


def _read_trust(verification: Path) -> GlobalConf:
    return read_disk(verification, datetime.now(UTC)).conf


def _check(trust: GlobalConf, container: _Container) -> str | None:
    """What is wrong with it, if anything is."""
    try:
        proof = verify_container(trust, container.octets)
    except Fault as fault:
        return f"{container.name}: {fault}"
    if proof.proven.signer.member != container.signer.member:
        return f"{container.name}: signed by {proof.proven.signer}"
    return None if all(part.verified for part in proof.parts) else f"{container.name}: other parts"


class _Log:
    """One server's log, read once from the oldest record to the newest."""

    def __init__(
        self,
        country: Country,
        place: Place,
        journal: Mapping[str, Acknowledged],
        findings: Findings,
        octets: dict[tuple[str, bool], str],
    ) -> None:
        """:param octets: digests of messages in the log that was read before."""
        self._country = country
        self._place = place
        self._journal = journal
        self._findings = findings
        self._octets = octets
        self._seen: Counter[tuple[str, bool]] = Counter()
        self._hashes: dict[str, str] = {}
        self._names: Counter[str] = Counter()

    def read(self, store: LogStore, chosen: Chooser) -> Iterator[_Container]:
        """Look at each record; containers of those that are chosen."""
        for logged in store.find():
            record = logged.record
            key = record.query_id, record.response
            name = self._name(*key)
            self._names[container_name(*key, logged.id)] += 1
            self._seen[key] += 1
            if self._seen[key] == 2:
                self._findings.duplicated.append(name)
            entry = self._journal.get(record.query_id)
            wrong = [] if entry is None else list(self._compare(logged, entry))
            self._findings.unverifiable += [f"{name}: {text}" for text in wrong]
            if not chosen(record.query_id):
                continue
            try:
                _, octets = write_evidence(logged)
            except Fault as fault:
                self._findings.unverifiable.append(f"{name}: {fault}")
                continue
            place = self._country.provider if record.response else self._country.consumer
            yield _Container(name, octets, place.client)

    def tell_missing(self) -> None:
        """After all is read: what was acknowledged and is not there."""
        for query_id in self._journal:
            for response in (False, True):
                if not self._seen[query_id, response]:
                    self._findings.lost.append(self._name(query_id, response))

    def look_into(self, folder: Path) -> None:
        """After all is read and archived: whether the archives have the same."""
        archives, whose = read_archives(folder), f"{self._place.name}'s archives"
        self._findings.archived += archives.containers.total()
        self._findings.lost += [f"{whose}, {name}" for name in archives.missing(self._names)]
        self._findings.duplicated += [f"{whose}, {name}" for name in archives.doubled()]
        self._findings.unverifiable += [f"{whose}, {text}" for text in archives.broken]

    def _name(self, query_id: str, response: bool) -> str:
        what = "answer" if response else "request"
        return f"{self._place.name}'s log, {what} {query_id}"

    def _compare(self, logged: LoggedRecord, entry: Acknowledged) -> Iterator[str]:
        record = logged.record
        if record.owner != self._place.client:
            yield f"owned by {record.owner}"
        if logged.stamp is None:
            yield "without a timestamp"
        rest = entry.protocol == "REST"
        told = entry.answer if record.response else entry.request
        kept = (record.attachments or (b"",))[0] if rest else record.message
        if kept is None or digest(whole(kept)) != told:
            yield "not the octets that went over the wire"
        known = self._octets.setdefault((entry.id, record.response), digest(record.message))
        if known != digest(record.message):
            yield "not the octets in the other server's log"
        if not record.response:
            self._hashes[entry.id] = _request_hash(logged, rest=rest)
        elif _answered_hash(record.message, rest=rest) != self._hashes.get(entry.id):
            yield "not the answer to the request before it"


def _request_hash(logged: LoggedRecord, *, rest: bool) -> str:
    head = hashlib.sha512(logged.record.message).digest()
    if not rest:
        return base64.b64encode(head).decode()
    bodies = logged.record.attachments
    body = hashlib.sha512(whole(bodies[0] or b"")).digest() if bodies else None
    return request_hash(head, body)


def _answered_hash(octets: bytes, *, rest: bool) -> str | None:
    """What an answer says it is the answer to."""
    if rest:
        return read_rest_response(octets).request_hash
    answer = read_soap(octets, "text/xml; charset=UTF-8")
    return (
        None if isinstance(answer, Fault) or not answer.request_hash else answer.request_hash.value
    )
