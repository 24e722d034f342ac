"""From a reference's own server configuration to ours: a document for ``xgate apply``.

The rule: whoever may call what stays exactly as it was; each service becomes a service of its own,
with its URL, time and rights. What cannot be taken over is left out and named, never changed in
silence. Source: DM-SS 2, admin-api 7.3, 7.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.securityserver.client_settings import (
    AllowSettings,
    ClientSettings,
    Document,
    GroupSettings,
    ServiceSettings,
)
from xgate.securityserver.reference_rows import Row, Rows
from xgate.securityserver.registry import check_client, read_client_id
from xgate.securityserver.section import SettingsError
from xgate.trust.certificate import Certificate
from xgate.trust.pem import write_pem
from xgate.wire.method_list import METASERVICES

__all__ = ["Adopted", "adopt"]

_BASE = ("*", "**")


class Adopted(msgspec.Struct, frozen=True):
    """What was taken over.

    :ivar server: ``INSTANCE/CLASS/CODE/SERVER``. :ivar left_out: what was not, and why.
    """

    server: str
    document: Document
    left_out: tuple[str, ...]


def adopt(rows: Rows) -> Adopted:
    """The configuration that these rows are.

    :raises Fault: ``malformed_server_conf``: the rows belong not together.
    """
    try:
        return _Adoption(rows).run()
    except (KeyError, TypeError, ValueError) as error:
        raise Fault("malformed_server_conf", f"Rows do not belong together: {error!r}") from None


class _Adoption:
    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._left_out: list[str] = []

    def run(self) -> Adopted:
        rows = self._rows
        (owner,) = (row for row in rows.clients if row["id"] == rows.server["owner"])
        member = _client_text(rows.identifiers[owner["identifier"]])
        document = Document(
            tuple(self._client(row) for row in rows.clients if self._counts(row)),
            tuple(row["url"] for row in rows.timestamping) or None,
        )
        server = f"{member}/{rows.server['servercode']}"
        return Adopted(server, document, tuple(self._left_out))

    def _counts(self, row: Row) -> bool:
        if row["clientstatus"] == "registered":
            return True
        name = _client_text(self._rows.identifiers[row["identifier"]])
        self._left_out.append(f"client {name}: it is not registered, but {row['clientstatus']}")
        return False

    def _client(self, row: Row) -> ClientSettings:
        rows, name = self._rows, _client_text(self._rows.identifiers[row["identifier"]])
        bare = ClientSettings(
            id=name,
            authentication=row["isauthentication"],
            group=tuple(
                GroupSettings(found["groupcode"], tuple(self._members(found["id"])))
                for found in rows.groups
                if found["client_id"] == row["id"]
            ),
        )
        return msgspec.structs.replace(
            bare,
            certificates=tuple(self._certificates(row["id"], name)),
            service=tuple(self._services(row["id"], bare)),
        )

    def _certificates(self, client: int, name: str) -> Iterator[str]:
        for row in self._rows.certificates:
            if row["client_id"] == client:
                try:
                    yield write_pem("CERTIFICATE", Certificate.load(bytes(row["data"])).der)
                except Fault as fault:
                    self._left_out.append(f"client {name}: a certificate of its: {fault.text}")

    def _members(self, group: int) -> Iterator[str]:
        for row in self._rows.members:
            if row["localgroup_id"] == group:
                yield _client_text(self._rows.identifiers[row["groupmemberid"]])

    def _services(self, client: int, bare: ClientSettings) -> Iterator[ServiceSettings]:
        """Those that can be taken over into the client as it is without services."""
        described = {d["id"]: d for d in self._rows.descriptions if d["client_id"] == client}
        for row in self._rows.services:
            described_by = described.get(row["servicedescription_id"])
            if described_by is None or not self._usable(row, bare.id):
                continue
            service = self._service(row, described_by, client, bare.id)
            try:
                check_client(msgspec.structs.replace(bare, service=(service,)), Path())
            except SettingsError as error:
                self._left_out.append(str(error))
            else:
                yield service

    def _usable(self, row: Row, client: str) -> bool:
        what = f"service {client}/{row['servicecode']}"
        if row["servicecode"] in METASERVICES:
            self._left_out.append(f"{what}: its code is reserved")
            return False
        if not _is_web(row["url"]):
            self._left_out.append(f"{what}: its address is {row['url']!r}, not http(s)://...")
            return False
        return True

    def _service(self, row: Row, described: Row, client: int, name: str) -> ServiceSettings:
        soap = described["type"] == "WSDL"
        what = f"service {name}/{row['servicecode']}"
        version = row["serviceversion"] or None
        if version is not None and not soap:
            self._left_out.append(f"{what}: its version {version}; REST services have none")
            version = None
        if not row["timeout"]:
            self._left_out.append(f"{what}: that it may answer at any time; it has 60 seconds")
        document = "" if described["type"] == "REST" else described["url"]
        if document and not _is_web(document):
            self._left_out.append(f"{what}: its description {document!r}, not http(s)://...")
            document = ""
        told = () if soap else tuple(self._told_endpoints(client, row["servicecode"]))
        return ServiceSettings(
            code=row["servicecode"],
            url=row["url"],
            type="SOAP" if soap else "REST",
            version=version,
            timeout_seconds=float(row["timeout"] or 60),
            verify_tls=row["sslauthentication"] is not False,
            disabled=(described["disablednotice"] or "") if described["disabled"] else None,
            description=document,
            endpoints=told,
            allow=tuple(self._allowed(client, row["servicecode"])),
        )

    def _told_endpoints(self, client: int, code: str) -> Iterator[str]:
        for row in self._rows.endpoints:
            place = (row["method"], row["path"])
            if (row["client_id"], row["servicecode"]) == (client, code) and place != _BASE:
                yield " ".join(place)

    def _allowed(self, client: int, code: str) -> Iterator[str | AllowSettings]:
        endpoints = {
            row["id"]: (row["method"], row["path"])
            for row in self._rows.endpoints
            if (row["client_id"], row["servicecode"]) == (client, code)
        }
        for row in self._rows.rights:
            place = endpoints.get(row["endpoint_id"])
            if place is not None:
                subject = _subject_text(self._rows.identifiers[row["subjectid"]])
                yield subject if place == _BASE else AllowSettings(subject, *place)


def _subject_text(row: Row) -> str:
    if row["type"] == "GLOBALGROUP":
        return f"group:{row['instance']}/{row['group']}"
    return f"local:{row['group']}" if row["type"] == "LOCALGROUP" else _client_text(row)


def _client_text(row: Row) -> str:
    """As settings have it; percent-encoded only where it must be."""
    client = ClientId(row["instance"], row["class"], row["code"], row["subsystem"] or None)
    try:
        plain = read_client_id(client.short) == client
    except SettingsError:
        plain = False
    return client.short if plain else client.url


def _is_web(url: str | None) -> bool:
    return bool(url) and str(url).lower().startswith(("http://", "https://"))
