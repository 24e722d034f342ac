"""A SOAP message as a value: absent is not empty, and nothing private shows."""

from __future__ import annotations

import msgspec
import pytest

from xgate.ids import ClientId, ServiceId
from xgate.wire.soap_message import Place, SoapMessage

CLIENT = ClientId("XG", "COM", "777", "app")
MESSAGE = SoapMessage(
    octets=b"<e>secret token</e>",
    content_type="text/xml",
    charset="utf-8",
    client=CLIENT,
    service=ServiceId(CLIENT, "lookUp"),
    id="0d3b-17",
    protocol_version="4.0",
    body_name="lookUp",
    id_place=Place(0, 1),
)


def test_the_octets_show_in_no_repr() -> None:
    assert "secret" not in repr(MESSAGE)
    assert "secret" not in str(MESSAGE)
    assert "secret" not in repr(MESSAGE.__rich_repr__())
    assert "0d3b-17" in repr(MESSAGE)


def test_an_answer_is_known_by_the_name_in_its_body() -> None:
    assert not MESSAGE.response
    assert msgspec.structs.replace(MESSAGE, body_name="lookUpResponse").response
    assert not msgspec.structs.replace(MESSAGE, body_name="lookUpresponse").response


def test_a_message_can_not_be_changed() -> None:
    assert MESSAGE.protocol == "SOAP"
    with pytest.raises(AttributeError):
        MESSAGE.id = "other"  # type: ignore[misc]  # the refusal is the subject
