"""What the server knows of itself: exact look-ups, nothing by default."""

from __future__ import annotations

from xgate.ids import ClientId, ServerId, ServiceId
from xgate.serverconf.model import Client, Protocol, Right, ServerConf, Service

OWNER = ClientId("DEV", "COM", "1")
SUB = ClientId("DEV", "COM", "1", "sub")
SERVICE = Service(ServiceId(SUB, "x", "v1"), Protocol.SOAP, "http://h/")
CONF = ServerConf(ServerId(OWNER, "SS"), {SUB: Client(SUB, services={("x", "v1"): SERVICE})})


def test_clients_are_found_exactly() -> None:
    assert CONF.find_client(SUB) is CONF.clients[SUB]
    assert CONF.find_client(OWNER) is None


def test_services_are_found_exactly() -> None:
    assert CONF.find_service(SERVICE.id) is SERVICE
    assert CONF.find_service(ServiceId(SUB, "x")) is None
    assert CONF.find_service(ServiceId(OWNER, "x", "v1")) is None


def test_only_a_right_without_conditions_covers_the_whole_service() -> None:
    assert Right(SUB, "x").whole_service
    assert not Right(SUB, "x", method="GET").whole_service
    assert not Right(SUB, "x", path="/a").whole_service


def test_a_rest_service_with_a_description_is_an_openapi_one() -> None:
    plain = Service(ServiceId(SUB, "y"), Protocol.REST, "http://h/")
    described = Service(ServiceId(SUB, "y"), Protocol.REST, "http://h/", description="http://h/o")
    assert [s.kind for s in (SERVICE, plain, described)] == ["WSDL", "REST", "OPENAPI3"]
