"""Which requests the security server answers itself; journeys show the answers."""

from __future__ import annotations

import pytest

from xgate.ids import ClientId
from xgate.sandbox.messages import soap_request
from xgate.securityserver.metaservices import find_metaservice
from xgate.wire.rest import read_rest_call
from xgate.wire.soap import SoapMessage, read_soap

CLIENT = ClientId("XG", "COM", "1", "app")
PROVIDER = ClientId("XG", "GOV", "2", "reg")


@pytest.mark.parametrize(
    ("verb", "code", "answered"),
    [
        ("GET", "listMethods", True),
        ("GET", "allowedMethods", True),
        ("GET", "getOpenAPI", True),
        ("GET", "getWsdl", False),
        ("POST", "listMethods", False),
        ("HEAD", "getOpenAPI", False),
        ("GET", "people", False),
        ("GET", "listmethods", False),
    ],
)
def test_rest_is_answered_when_it_is_got(verb: str, code: str, answered: bool) -> None:
    headers = [("X-Road-Client", CLIENT.url)]
    target = f"/r1/{PROVIDER.url}/{code}"
    request = read_rest_call(verb, target, headers, request_id="r", fresh_id="i")
    assert (find_metaservice(request) is not None) is answered


@pytest.mark.parametrize(
    ("code", "version", "answered"),
    [
        ("listMethods", "", True),
        ("allowedMethods", "v9", True),
        ("getWsdl", "", True),
        ("getOpenAPI", "", False),
        ("getRandom", "v1", False),
    ],
)
def test_soap_is_answered_whatever_the_version(code: str, version: str, answered: bool) -> None:
    octets = soap_request(CLIENT, PROVIDER, code, "id", version=version)
    request = read_soap(octets, "text/xml")
    assert isinstance(request, SoapMessage)
    assert (find_metaservice(request) is not None) is answered
