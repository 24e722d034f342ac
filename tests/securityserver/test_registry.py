"""From settings to the server's own configuration."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from xgate.ids import ClientId, GlobalGroupId, LocalGroupId, ServiceId
from xgate.securityserver.registry import read_serverconf
from xgate.securityserver.settings import Settings, SettingsError
from xgate.serverconf.model import Authentication, Endpoint, Protocol, Right, ServerConf

PROVIDER = ClientId("DEV", "GOV", "1", "reg")


def conf(client: dict[str, object], folder: Path = Path()) -> ServerConf:
    table = {"server": "DEV/COM/1234/SS0", "client": [{"id": PROVIDER.short, **client}]}
    return read_serverconf(msgspec.convert(table, Settings), folder)


def service(**more: object) -> dict[str, object]:
    return {"service": [{"code": "people", "url": "http://h:1/x", **more}]}


def test_a_client_alone_has_no_services_and_wants_a_certificate() -> None:
    client = conf({}).clients[PROVIDER]
    assert client.authentication is Authentication.SSLAUTH
    assert not client.services
    assert not client.rights


def test_services_are_found_by_code_and_version() -> None:
    found = conf(service(type="SOAP", version="v1", **{"timeout-seconds": 5})).find_service(
        ServiceId(PROVIDER, "people", "v1")
    )
    assert found is not None
    assert (found.protocol, found.timeout) == (Protocol.SOAP, 5.0)
    assert conf(service()).find_service(ServiceId(PROVIDER, "people", "v1")) is None


def test_rights_name_clients_groups_and_endpoints() -> None:
    allow = [
        "DEV/COM/2/app",
        "group:DEV/all",
        {"subject": "local:friends", "method": "GET", "path": "/pets/*"},
    ]
    rights = conf(service(allow=allow)).clients[PROVIDER].rights
    assert rights == (
        Right(ClientId("DEV", "COM", "2", "app"), "people"),
        Right(GlobalGroupId("DEV", "all"), "people"),
        Right(LocalGroupId("friends"), "people", "GET", "/pets/*"),
    )
    assert [right.whole_service for right in rights] == [True, True, False]


@pytest.mark.parametrize(
    ("client", "said"),
    [
        (service(url="ftp://h/"), "is not http"),
        (service(url="http://"), "is not http"),
        *[
            (service(url=f"http://{rest}"), "is not http")
            for rest in ("[::1", "h:99999/", "h:x/", "h:0/", "h/a b", "h/\nX: y", "h/\xe4")
        ],
        (service(allow=[{"subject": "DEV/COM/2", "method": "GIT"}]), "which no request has"),
        (service(allow=[{"subject": "DEV/COM/2", "path": "people"}]), "which no request has"),
        ({"group": [{"code": "a"}, {"code": "a"}]}, "the group a is listed twice"),
        ({"description": [{"url": "http://h/d"}] * 2}, "http://h/d is described twice"),
        (
            {
                "description": [
                    {"url": f"http://{h}/d", "services": [{"code": "a", "url": f"http://{h}/"}]}
                    for h in ("h", "i")
                ]
            },
            "/a is in two descriptions",
        ),
        (service(version="v1"), "REST services have no version"),
        ({"service": [service()["service"][0]] * 2}, "is listed twice"),  # type: ignore[index]  # our own list
        (service(allow=["nobody"]), "is not INSTANCE/CLASS/MEMBER"),
        (service(allow=["group:all"]), "is not group:INSTANCE/CODE"),
        ({"certificates": ["a\0b"]}, "cannot be a file's name"),
        ({"certificates": ["none.pem"]}, "certificate none.pem: No such file"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_place(client: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        conf(client)


def test_a_client_listed_twice_is_refused() -> None:
    table = {"server": "DEV/COM/1234/SS0", "client": [{"id": PROVIDER.short}] * 2}
    with pytest.raises(SettingsError, match="is listed twice"):
        read_serverconf(msgspec.convert(table, Settings), Path())


def test_a_file_that_is_no_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "is.pem").write_text("hello")
    with pytest.raises(SettingsError, match=r"certificate is\.pem"):
        conf({"certificates": ["is.pem"]}, tmp_path)


def test_a_service_is_described_by_a_document_and_its_endpoints() -> None:
    more = {"description": "https://h/api.yaml", "endpoints": ["GET /people/*", "* /pets/**"]}
    found = conf(service(**more)).find_service(ServiceId(PROVIDER, "people"))
    assert found is not None
    assert found.description == "https://h/api.yaml"
    assert found.endpoints == (Endpoint("GET", "/people/*"), Endpoint("*", "/pets/**"))


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"code": "listMethods"}, "the code listMethods is reserved"),
        ({"description": "file:///etc/passwd"}, "description = 'file:///etc/passwd' is not http"),
        ({"endpoints": ["/people"]}, "the endpoint '/people' is not METHOD /path"),
        ({"endpoints": ["FETCH /people"]}, "the endpoint 'FETCH /people' is not METHOD /path"),
        ({"endpoints": ["GET people"]}, "the endpoint 'GET people' is not METHOD /path"),
        ({"type": "SOAP", "endpoints": ["GET /a"]}, "SOAP services have no endpoints"),
    ],
)
def test_a_description_that_cannot_be_used_is_refused(more: dict[str, object], text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        conf(service(**more))
    assert text in str(refused.value)


def test_the_method_of_a_right_is_read_in_any_case() -> None:
    allow = [{"subject": "DEV/COM/2", "method": "get", "path": "/a"}]
    assert conf(service(allow=allow)).clients[PROVIDER].rights[0].method == "GET"


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf"), 86_401.0])
@pytest.mark.parametrize("what", ["service", "description"])
def test_a_time_is_one_that_can_be_waited(what: str, seconds: float) -> None:
    entry = {"code": "a", "url": "http://h/", "timeout-seconds": seconds}
    with pytest.raises(msgspec.ValidationError, match="timeout-seconds"):
        conf({what: [entry]})


def test_a_key_in_place_of_a_certificate_is_not_told() -> None:
    key = "-----BEGIN PRIVATE KEY-----"
    for text in (f"{key}\nsecret\n", f"{key} secret"):
        with pytest.raises(SettingsError, match="certificate in PEM: ") as refused:
            conf({"certificates": [text]})
        assert "secret" not in str(refused.value)
