"""What is known of keys in the clear."""

from __future__ import annotations

import hashlib

from xgate.signer.entries import KeyEntry, StoredCertificate


def test_a_certificate_has_a_name_that_stays() -> None:
    assert StoredCertificate(b"cert").id == hashlib.sha256(b"cert").hexdigest()
    assert StoredCertificate(b"cert", id="F00").id == "F00"


def test_a_key_has_no_use_before_something_decides_it() -> None:
    assert KeyEntry("K", "label", None).usage is None
