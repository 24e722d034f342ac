"""That a certificate is registered is noted once, in the file as it is then."""

from __future__ import annotations

from pathlib import Path

import pytest

from xgate.errors import Fault
from xgate.signer.entries import KeyEntry, StoredCertificate
from xgate.signer.registration import note_registered
from xgate.signer.store import read_store, write_store
from xgate.testing.authority import Authority
from xgate.testing.pki import issue_auth


def test_what_is_listed_is_noted_once(tmp_path: Path) -> None:
    path, auth = tmp_path / "keys.xgate", issue_auth(Authority().ca, "ss")
    stored = StoredCertificate(auth.certificate.der, status="saved")
    write_store(path, "a PIN", [(KeyEntry("A", "", "AUTHENTICATION", (stored,)), auth.key)])
    before = path.stat().st_mtime_ns
    assert not note_registered(path, lambda _: False)
    assert path.stat().st_mtime_ns == before
    assert note_registered(path, lambda found: found == auth.certificate)
    assert read_store(path).keys[0].certificates[0].status == "registered"
    assert not note_registered(path, lambda _: True)


def test_without_a_registry_there_is_nothing_to_note(tmp_path: Path) -> None:
    assert not note_registered(tmp_path / "keys.xgate", lambda _: True)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "keys.xgate").write_text("damaged")
    with pytest.raises(Fault, match="token_not_available"):
        note_registered(tmp_path / "keys.xgate", lambda _: True)
