"""The list of everybody: XML or JSON, as ``Accept`` says."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.wire.client_list import (
    ListedClient,
    wants_json,
    write_client_list_json,
    write_client_list_xml,
)
from xgate.wire.names import XROAD_NS, read_id

XRD = f"{{{XROAD_NS}}}"
MEMBER = ListedClient(ClientId("XG", "GOV", "12"), "Registry Office")
SUBSYSTEM = ListedClient(ClientId("XG", "GOV", "12", "reg"), "Registry Office", "People register")

texts = st.text(st.characters(min_codepoint=0x20, exclude_categories=("Cs", "Cc")), min_size=1)
codes = texts.filter(lambda text: text.strip() != "")
clients = st.builds(
    ListedClient,
    st.builds(ClientId, codes, codes, codes, st.none() | codes),
    texts,
    st.none() | texts,
)


@pytest.mark.parametrize(
    ("accept", "json_wanted"),
    [
        (None, False),
        ("", False),
        ("*/*", False),
        ("text/xml", False),
        ("application/json", True),
        ("text/xml, application/json;q=0.1", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/json+x", False),
    ],
)
def test_json_is_given_to_whoever_names_it(accept: str | None, json_wanted: bool) -> None:
    assert wants_json(accept) is json_wanted


@pytest.mark.parametrize("accept", ["json", "a/b, ,", "text/xml;=", "a/b c", "text/ xml"])
def test_what_is_no_media_range_is_refused(accept: str) -> None:
    with pytest.raises(Fault, match="internal_error"):
        wants_json(accept)


def test_what_is_not_there_has_no_key_and_no_element() -> None:
    (member, subsystem) = json.loads(write_client_list_json([MEMBER, SUBSYSTEM]))["member"]
    assert member == {
        "id": {
            "member_class": "GOV",
            "member_code": "12",
            "object_type": "MEMBER",
            "xroad_instance": "XG",
        },
        "name": "Registry Office",
    }
    assert (subsystem["id"]["subsystem_code"], subsystem["subsystem_name"]) == (
        "reg",
        "People register",
    )
    first, second = etree.fromstring(write_client_list_xml([MEMBER, SUBSYSTEM]))
    assert [etree.QName(child).localname for child in first] == ["id", "name"]
    assert [etree.QName(child).localname for child in second] == ["id", "name", "subsystemName"]


@given(st.lists(clients, max_size=5))
def test_everybody_comes_back_as_they_were(listed: list[ListedClient]) -> None:
    root = etree.fromstring(write_client_list_xml(listed))
    assert root.tag == f"{XRD}clientList"
    found = [
        ListedClient(
            client,
            str(node.findtext(f"{XRD}name")),
            node.findtext(f"{XRD}subsystemName"),
        )
        for node in root
        if isinstance(client := read_id(node[0]), ClientId)
    ]
    assert found == listed
    names = [member["name"] for member in json.loads(write_client_list_json(listed))["member"]]
    assert names == [client.name for client in listed]
