"""``[[client]]``: one form for the settings file and for documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from xgate.securityserver.client_settings import DescriptionSettings, Document
from xgate.securityserver.section import SettingsError, read_table


def document(tmp_path: Path, text: str) -> Document:
    path = tmp_path / "clients.toml"
    path.write_text(text)
    return read_table(path, Document)


def test_a_description_needs_its_address_alone(tmp_path: Path) -> None:
    text = '[[client]]\nid = "XG/COM/1"\n[[client.description]]\nurl = "http://h/x.wsdl"\n'
    (client,) = document(tmp_path, text).client
    assert client.description == (DescriptionSettings("http://h/x.wsdl"),)
    assert client.authentication == "SSLAUTH"


def test_timestamping_services_are_left_to_the_settings_unless_named(tmp_path: Path) -> None:
    assert document(tmp_path, "").timestamping_services is None
    named = document(tmp_path, 'timestamping-services = ["http://tsa/"]')
    assert named.timestamping_services == ("http://tsa/",)


def test_a_key_that_is_not_known_is_named_with_the_nearest(tmp_path: Path) -> None:
    text = '[[client]]\nid = "XG/COM/1"\n[[client.service]]\ncode = "a"\nurl = "b"\nalow = []\n'
    with pytest.raises(SettingsError, match=r"unknown key 'alow'; did you mean 'allow'\?"):
        document(tmp_path, text)
