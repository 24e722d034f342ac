"""The values of a proof stay as they were made."""

from __future__ import annotations

from typing import Any

import pytest

from xgate.trust.proof import Evidence, ProvenPart


def test_evidence_of_a_lone_message_has_no_chain() -> None:
    assert Evidence(b"signature") == Evidence(b"signature", None, None)


@pytest.mark.parametrize("value", [Evidence(b"x"), ProvenPart("/message.xml", b"", True)])
def test_a_proof_cannot_be_changed(value: Any) -> None:
    with pytest.raises(AttributeError):
        setattr(value, value.__struct_fields__[0], b"y")
