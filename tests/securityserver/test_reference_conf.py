"""A reference's rows become clients of ours: who may call what stays as it was."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from tests.securityserver.reference_tables import old_tables

from xgate.errors import Fault
from xgate.ids import parse_short_server
from xgate.securityserver.client_settings import (
    AllowSettings,
    ClientSettings,
    GroupSettings,
    ServiceSettings,
)
from xgate.securityserver.reference_conf import adopt
from xgate.securityserver.reference_rows import Row, Rows, read_rows
from xgate.securityserver.registry import read_document
from xgate.testing.authority import Authority
from xgate.testing.pki import issue_auth
from xgate.testing.postgres import Cluster

IDS: Mapping[int, Row] = {
    number: dict(zip(("type", "instance", "class", "code", "subsystem", "group"), row, strict=True))
    for number, row in {
        1: ("MEMBER", "XG", "GOV", "2", None, None),
        2: ("SUBSYSTEM", "XG", "GOV", "2", "reg", None),
        3: ("SUBSYSTEM", "XG", "COM", "1", "a/b", None),
        4: ("GLOBALGROUP", "XG", None, None, None, "all"),
        5: ("LOCALGROUP", None, None, None, None, "few"),
    }.items()
}
CLIENT = {"id": 7, "identifier": 2, "clientstatus": "registered", "isauthentication": "SSLAUTH"}
DESCRIBED = {"id": 1, "client_id": 7, "disabled": False, "disablednotice": "Out of order"}
SERVICE = {
    "servicedescription_id": 1,
    "serviceversion": None,
    "url": "http://h/s",
    "sslauthentication": None,
    "timeout": 30,
}


def rows(**tables: Any) -> Rows:
    owner = CLIENT | {"id": 1, "identifier": 1}
    told: dict[str, Any] = {
        "server": {"owner": 1, "servercode": "SS1"},
        "identifiers": IDS,
        "clients": (owner, CLIENT),
        **dict.fromkeys(
            (
                *("descriptions", "services", "endpoints", "rights"),
                *("groups", "members", "certificates", "timestamping"),
            ),
            (),
        ),
    }
    return Rows(**(told | tables))


def client_of(rows: Rows) -> ClientSettings:
    adopted = adopt(rows)
    read_document(adopted.document, parse_short_server(adopted.server), Path())
    (client,) = (c for c in adopted.document.client if c.id.endswith("/reg"))
    return client


def service_of(
    kind: str, described: Mapping[str, Any] | None = None, **service: Any
) -> ServiceSettings:
    url = {"url": "http://h/doc", "type": kind}
    made = rows(
        descriptions=(DESCRIBED | url | dict(described or {}),),
        services=(SERVICE | {"servicecode": "look"} | service,),
    )
    return client_of(made).service[0]


def test_the_owner_names_the_server() -> None:
    adopted = adopt(rows(timestamping=({"url": "http://tsa/1"}, {"url": "http://tsa/2"})))
    assert adopted.server == "XG/GOV/2/SS1"
    assert [client.id for client in adopted.document.client] == ["XG/GOV/2", "XG/GOV/2/reg"]
    assert adopted.document.timestamping_services == ("http://tsa/1", "http://tsa/2")
    assert adopt(rows()).document.timestamping_services is None
    assert adopted.left_out == ()


@pytest.mark.parametrize(
    "status", ["saved", "registration in progress", "disabled", "global error"]
)
def test_a_client_that_carries_no_messages_is_left_out_and_named(status: str) -> None:
    owner = CLIENT | {"id": 1, "identifier": 1}
    adopted = adopt(rows(clients=(owner, CLIENT | {"clientstatus": status})))
    assert [client.id for client in adopted.document.client] == ["XG/GOV/2"]
    assert adopted.left_out == (f"client XG/GOV/2/reg: it is not registered, but {status}",)


def test_certificates_and_groups_come_along() -> None:
    der = issue_auth(Authority().ca, "is").certificate.der
    client = client_of(
        rows(
            certificates=({"client_id": 7, "data": memoryview(der)}, {"client_id": 8, "data": b""}),
            groups=({"id": 1, "groupcode": "few", "client_id": 7},),
            members=({"groupmemberid": 3, "localgroup_id": 1},),
        )
    )
    assert client.authentication == "SSLAUTH"
    assert client.certificates[0].startswith("-----BEGIN CERTIFICATE-----\n")
    assert client.group == (GroupSettings("few", ("XG/COM/1/a%2Fb",)),)


def test_a_certificate_that_cannot_be_read_hides_no_client() -> None:
    der = issue_auth(Authority().ca, "is").certificate.der
    told = rows(certificates=({"client_id": 7, "data": b"none"}, {"client_id": 7, "data": der}))
    adopted = adopt(told)
    (found,) = adopted.left_out
    assert found.startswith("client XG/GOV/2/reg: a certificate of its: ")
    assert len(client_of(told).certificates) == 1


def test_services_keep_what_was_set_of_each() -> None:
    soap = service_of("WSDL", serviceversion="v1", sslauthentication=False, timeout=5)
    assert soap == ServiceSettings(
        "look", "http://h/s", "SOAP", "v1", 5.0, False, description="http://h/doc"
    )
    assert service_of("REST") == ServiceSettings("look", "http://h/s", timeout_seconds=30.0)
    api = service_of("OPENAPI3", {"disabled": True})
    assert (api.description, api.disabled, api.type) == ("http://h/doc", "Out of order", "REST")
    assert service_of("REST", {"disabled": True, "disablednotice": None}).disabled == ""


def test_rights_are_for_whom_and_for_what_they_were() -> None:
    place = {"client_id": 7, "servicecode": "look"}
    made = rows(
        descriptions=(DESCRIBED | {"url": "http://h/", "type": "REST"},),
        services=(SERVICE | {"servicecode": "look"}, SERVICE | {"servicecode": "other"}),
        endpoints=(
            place | {"id": 1, "method": "*", "path": "**"},
            place | {"id": 2, "method": "GET", "path": "/a/*"},
            place | {"id": 3, "method": "PUT", "path": "/b"},
        ),
        groups=({"id": 1, "groupcode": "few", "client_id": 7},),
        rights=(
            {"endpoint_id": 1, "subjectid": 3},
            {"endpoint_id": 2, "subjectid": 4},
            {"endpoint_id": 2, "subjectid": 5},
            {"endpoint_id": 99, "subjectid": 1},
        ),
    )
    look, other = client_of(made).service
    assert look.allow == (
        "XG/COM/1/a%2Fb",
        AllowSettings("group:XG/all", "GET", "/a/*"),
        AllowSettings("local:few", "GET", "/a/*"),
    )
    assert look.endpoints == ("GET /a/*", "PUT /b")
    assert (other.allow, other.endpoints) == ((), ())


@pytest.mark.parametrize(
    ("service", "described", "says"),
    [
        ({"url": "file:a.wsdl"}, {}, "service XG/GOV/2/reg/look: its address is 'file:a.wsdl'"),
        ({"url": None}, {}, "its address is None"),
        (
            {"url": "http://h/a?b"},
            {},
            "service XG/GOV/2/reg/look: url = 'http://h/a?b' has a query",
        ),
        ({"url": "http://me:secret@h/"}, {}, "service XG/GOV/2/reg/look: url names a user"),
        ({"url": "http://h:x/"}, {}, "service XG/GOV/2/reg/look: url = 'http://h:x/' is not"),
        ({"servicecode": "getWsdl"}, {}, "service XG/GOV/2/reg/getWsdl: its code is reserved"),
        ({"serviceversion": "v1"}, {}, "its version v1; REST services have none"),
        ({"timeout": 0}, {}, "that it may answer at any time"),
        ({}, {"url": "file:a.yaml"}, "its description 'file:a.yaml'"),
    ],
)
def test_what_cannot_be_taken_over_is_named(
    service: dict[str, Any], described: dict[str, Any], says: str
) -> None:
    url = {"url": "http://h/doc", "type": "OPENAPI3"}
    made = rows(
        descriptions=(DESCRIBED | url | described,),
        services=(SERVICE | {"servicecode": "look"} | service,),
    )
    adopted = adopt(made)
    (line,) = adopted.left_out
    assert says in line
    read_document(adopted.document, parse_short_server(adopted.server), Path())


@pytest.mark.parametrize(
    "broken",
    [
        {"clients": ()},
        {"clients": (CLIENT | {"id": 1, "identifier": 99},)},
        {"certificates": ({"client_id": 7, "data": None},)},
    ],
)
def test_rows_that_belong_not_together_are_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(Fault) as refused:
        adopt(rows(**broken))
    assert refused.value.code == "malformed_server_conf"


@pytest.mark.reference
def test_the_references_own_rows_become_a_configuration(golden: Path, postgres: Cluster) -> None:
    text = (golden / "serverconf" / "security-server-data.sql").read_text()
    text = re.sub(r"\{ts ('[^']*')\}", r"\1", text)  # JDBC's way to write a moment
    wanted = (
        "IDENTIFIER|CLIENT|LOCALGROUP|SERVERCONF|SERVICEDESCRIPTION|SERVICE|ENDPOINT|ACCESSRIGHT"
    )
    found = re.findall(rf"^(?:INSERT INTO (?:{wanted}) ?\(|UPDATE ).*?;$", text, re.M | re.S)
    loose = "ALTER TABLE servicedescription ALTER COLUMN disabled TYPE integer USING 0;"
    tight = "ALTER TABLE servicedescription ALTER COLUMN disabled TYPE boolean USING disabled = 1;"
    conninfo = postgres.make_database()
    with psycopg.connect(conninfo) as db:
        db.execute((old_tables() + loose + "".join(found) + tight).encode())
    adopted = adopt(read_rows(conninfo))
    conf = read_document(adopted.document, parse_short_server(adopted.server), Path())
    assert adopted.server == "FI/GOV/M1/TEST-INMEM-SS"
    assert [client.short for client in conf.clients] == [
        "FI/GOV/M1",
        "FI/GOV/M1/SS1",
        "FI/GOV/M1/SS2",
        "FI/GOV/M2/SS5",
    ]
    (ss1,) = (c for c in adopted.document.client if c.id == "FI/GOV/M1/SS1")
    assert [f"{s.code}.{s.version}" for s in ss1.service] == [
        *("getRandom.v1", "calculatePrime.v1", "openapi-servicecode.None", "getRandom.v2"),
        *("rest-servicecode.None", "serviceWithObsoleteScs.v1"),
    ]
    rest = ss1.service[4]
    assert rest.disabled == "Single test url"
    assert rest.endpoints == ("* /item", "DELETE /item")
    assert list(msgspec.to_builtins(rest.allow)) == [
        {"subject": "local:group2", "method": "*", "path": "/item"},
        {"subject": "FI/GOV/M2/SS6", "method": "*", "path": "/item"},
        "FI/GOV/M1/SS2",
        {"subject": "FI/GOV/M1/SS2", "method": "*", "path": "/item"},
    ]
    assert "client FI/GOV/M2/SS6: it is not registered, but saved" in adopted.left_out
