"""Changes of the registry: what is named is changed, and nothing else."""

from __future__ import annotations

import msgspec
import pytest

from xgate.errors import Fault
from xgate.globalconf.generate import register_server
from xgate.ids import ClientId, ServerId
from xgate.signer.entries import KeyEntry, StoredCertificate, StoredRequest
from xgate.signer.registry import (
    change_certificate,
    check_certificate,
    check_key,
    check_name,
    find_request_by_id,
    is_in_use,
    listed_for,
    put_entry,
    remove_certificate,
    remove_entry,
    remove_request,
    settle_auth_states,
)
from xgate.signer.store import KeyStore
from xgate.testing.authority import Authority
from xgate.testing.conf import make_conf
from xgate.testing.pki import issue_auth, make_key

MEMBER = ClientId("XG", "COM", "1")
SERVER = ServerId(MEMBER, "SS")
ONE, TWO = (StoredCertificate(b"one", id="AAAABBBB1"), StoredCertificate(b"two", id="AAAABBBB2"))
REQUEST = StoredRequest("REQUEST1", None, ())
FIRST = KeyEntry("KEY00001", "", "SIGNING", (ONE, TWO), requests=(REQUEST,))
SECOND = KeyEntry("KEY00002", "", None, token="other")
STORE = KeyStore((FIRST, SECOND))


def test_things_are_named_by_their_id_or_its_beginning() -> None:
    assert check_key(STORE, "key00002") == SECOND
    assert check_certificate(STORE, "AAAABBBB2") == (FIRST, TWO)
    assert find_request_by_id(STORE, "REQUES") == (FIRST, REQUEST)
    for find, name, code in (
        (check_key, "KEY000", "key_not_found"),
        (check_key, "KEY", "key_not_found"),
        (check_key, "", "key_not_found"),
        (check_certificate, "AAAABBBB", "cert_not_found"),
        (check_certificate, "KEY00001", "cert_not_found"),
    ):
        with pytest.raises(Fault) as caught:
            find(STORE, name)
        assert caught.value.code == code
    assert find_request_by_id(STORE, "REQ") is None


def test_one_certificate_changes() -> None:
    def retire(stored: StoredCertificate) -> StoredCertificate:
        return msgspec.structs.replace(stored, active=False)

    changed = change_certificate(STORE, TWO.id, retire)
    assert changed.keys == (
        msgspec.structs.replace(FIRST, certificates=(ONE, retire(TWO))),
        SECOND,
    )


def test_what_is_removed_is_gone_alone() -> None:
    assert remove_certificate(STORE, ONE.id).keys[0].certificates == (TWO,)
    assert remove_request(STORE, REQUEST.id).keys[0].requests == ()
    assert remove_entry(STORE, FIRST).keys == (SECOND,)
    with pytest.raises(Fault) as caught:
        remove_request(STORE, "no such request")
    assert caught.value.code == "csr_not_found"


def test_an_entry_takes_the_place_of_its_like_or_comes_last() -> None:
    renamed = msgspec.structs.replace(FIRST, label="new")
    assert put_entry(STORE, renamed).keys == (renamed, SECOND)
    namesake = KeyEntry("KEY00001", "", None, token="third")
    assert put_entry(STORE, namesake).keys == (FIRST, SECOND, namesake)


@pytest.mark.parametrize(
    ("usage", "active", "status", "used"),
    [
        ("SIGNING", True, "registered", True),
        ("SIGNING", False, "registered", False),
        ("AUTHENTICATION", False, "registered", True),
        ("AUTHENTICATION", False, "registration in progress", True),
        ("AUTHENTICATION", True, "saved", False),
        ("AUTHENTICATION", True, "global error", False),
    ],
)
def test_what_others_rely_on(usage: str, active: bool, status: str, used: bool) -> None:
    stored = StoredCertificate(b"", active=active, status=status)
    assert is_in_use(KeyEntry("K", "", usage), stored) is used  # type: ignore[arg-type]  # a usage


def test_the_world_says_which_authentication_certificates_are_registered() -> None:
    authority = Authority()
    listed = issue_auth(authority.ca, "ss").certificate.der
    other = issue_auth(authority.ca, "ss", key=make_key("other")).certificate.der
    conf = make_conf(authority, servers=[register_server(MEMBER, "SS", "ss", [listed])])
    before = [
        (listed, "saved", "registered"),
        (listed, "registration in progress", "registered"),
        (listed, "global error", "registered"),
        (listed, "deletion in progress", "deletion in progress"),
        (other, "registered", "registered"),
        (other, "saved", "saved"),
        (other, "registration in progress", "registration in progress"),
        (b"broken", "saved", "saved"),
    ]
    stored = tuple(StoredCertificate(der, status=status) for der, status, _ in before)
    signing = KeyEntry("S", "", "SIGNING", (StoredCertificate(other, "XG/COM/1"),))
    store = KeyStore((KeyEntry("A", "", "AUTHENTICATION", stored), signing))
    after = settle_auth_states(store, listed_for(conf, SERVER))
    assert [c.status for c in after.keys[0].certificates] == [state for _, _, state in before]
    assert after.keys[1] == signing


def test_a_name_is_looked_for_among_all_kinds() -> None:
    """Two certificates that begin so hide no key that begins so too: nothing is named by it."""
    twins = (StoredCertificate(b"a", id="abcdef1"), StoredCertificate(b"b", id="abcdef2"))
    request = StoredRequest("abcdef3", None, ())
    store = KeyStore((KeyEntry("abcdef4", "", "SIGNING", twins, requests=(request,)),))
    for name in ("abcdef", "ABCDEF"):
        with pytest.raises(Fault, match=f"key_not_found: Several begin with '{name}'"):
            check_name(store, name)
    for name, kind in (("1", "certificate"), ("3", "request"), ("4", "key")):
        assert check_name(store, f"abcdef{name}") == (kind, f"abcdef{name}")
    with pytest.raises(Fault, match=r"There is no key, certificate or request 'abcde'"):
        check_name(store, "abcde")


def test_keys_of_one_id_are_told_apart_by_their_tokens() -> None:
    """A key that was copied to a second card has its id there too."""
    here, there = KeyEntry("ABCDEF12", "", None), KeyEntry("ABCDEF12", "", None, token="6b")
    store = KeyStore((here, there))
    for look in (check_key, check_name):
        with pytest.raises(Fault, match="say which: TOKEN-ID:abcdef12"):
            look(store, "abcdef12")
        with pytest.raises(Fault, match="key_not_found"):
            look(store, "7c:ABCDEF12")
    assert [check_key(store, f"{token}:abcdef") for token in ("0", "6b")] == [here, there]
    assert check_name(store, "6b:abcdef") == ("key", "ABCDEF12")
    assert remove_entry(store, there).keys == (here,)
