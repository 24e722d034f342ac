"""PEM as every reader of it wants it."""

from __future__ import annotations

import ssl

from hypothesis import given
from hypothesis import strategies as st

from xgate.trust.pem import write_pem


@given(st.binary(min_size=1, max_size=300))
def test_another_reader_finds_the_octets_again(der: bytes) -> None:
    text = write_pem("CERTIFICATE", der)
    assert ssl.PEM_cert_to_DER_cert(text) == der
    assert all(len(line) <= 64 for line in text.splitlines())
    assert text.endswith("-----\n")
