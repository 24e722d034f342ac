"""From settings to the server's own configuration."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from xgate.ids import ClientId, GlobalGroupId, LocalGroupId, ServerId, ServiceId
from xgate.securityserver.client_settings import Document
from xgate.securityserver.registry import read_document, read_serverconf
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


FRIENDS = {"group": [{"code": "friends", "members": ["DEV/COM/2"]}]}
PART = {"subject": "DEV/COM/2", "method": "GET", "path": "/a"}


def test_rights_name_clients_groups_and_endpoints() -> None:
    allow = [
        "DEV/COM/2/app",
        "group:DEV/all",
        {"subject": "local:friends", "method": "GET", "path": "/pets/*"},
    ]
    rights = conf({**service(allow=allow), **FRIENDS}).clients[PROVIDER].rights
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
        (service(type="SOAP", allow=[PART]), "SOAP services have none: leave them out"),
        (service(allow=["local:x"]), r"local:x, which is no group of it; say \[\[client.group"),
        (
            {**service(allow=["local:freinds"]), **FRIENDS},
            "local:freinds, which is no group of it; did you mean local:friends?",
        ),
        (service(url="http://h/a?b=1"), "has a query or a fragment"),
        (service(url="http://h/a#b"), "has a query or a fragment"),
        (service(code=""), "the code of a service is ''"),
        (service(code=" "), "the code of a service is ' '"),
        (service(code="a\nb"), r"the code of a service is 'a\\nb'"),
        (service(code="a" * 256), "1 to 255 characters that show"),
        (service(type="SOAP", version="\u200b"), r"the version is '\\u200b'"),
        ({"group": [{"code": ""}]}, "the code of a group is ''"),
        (service(endpoints=["GET /a", "get /a"]), "the endpoint 'GET /a' is listed twice"),
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


def test_rights_are_for_all_versions_of_a_service() -> None:
    def versions(*allowed: str) -> dict[str, object]:
        entry = {"code": "a", "url": "http://h/", "type": "SOAP"}
        allow = [["DEV/COM/2"], list(allowed)]
        listed = zip(("v1", "v2"), allow, strict=True)
        return {"service": [{**entry, "version": v, "allow": a} for v, a in listed]}

    assert conf(versions("DEV/COM/2")).clients[PROVIDER].rights == (
        Right(ClientId("DEV", "COM", "2"), "a"),
    )
    for others in ((), ("DEV/COM/2", "DEV/COM/3")):
        with pytest.raises(SettingsError, match="reg/a/v2: a right holds for every version"):
            conf(versions(*others))


def test_an_address_that_names_a_user_is_refused_and_not_told() -> None:
    for more in ({"url": "http://me:secret@h/"}, {"description": "http://me:secret@h/api"}):
        with pytest.raises(SettingsError, match="names a user") as refused:
            conf(service(**more))
        assert "secret" not in str(refused.value)


def test_a_client_of_another_instance_is_refused() -> None:
    table = {"server": "DEV/COM/1234/SS0", "client": [{"id": "VED/GOV/1/reg"}]}
    with pytest.raises(SettingsError, match="client VED/GOV/1/reg: this server is in DEV"):
        read_serverconf(msgspec.convert(table, Settings), Path())


@pytest.mark.parametrize(
    ("urls", "said"),
    [
        (["ftp://h/"], "'ftp://h/' is not http"),
        (["http://h/ a"], "'http://h/ a' is not http"),
        (["http://[::1"], "is not http"),
        (["http://h/", "http://h/"], "http://h/ is listed twice"),
    ],
)
def test_timestamping_services_are_addresses(urls: list[str], said: str) -> None:
    document = Document(timestamping_services=tuple(urls))
    with pytest.raises(SettingsError, match=said):
        read_document(document, ServerId(ClientId("DEV", "COM", "1234"), "SS0"), Path())


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
