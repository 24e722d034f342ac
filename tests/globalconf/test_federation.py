"""Which partners are asked: those of our private parameters that we allow (federation 3.1)."""

from __future__ import annotations

import msgspec
import pytest

from xgate.globalconf.anchor import Anchor, AnchorSource
from xgate.globalconf.federation import allowed_partners, allows
from xgate.globalconf.private import PrivateParameters


@pytest.mark.parametrize(
    ("allowed", "instance", "let_in"),
    [
        ([], "FI", False),
        (["FI"], "FI", True),
        (["fi"], "FI", True),
        ([" FI "], "FI", True),
        (["EE"], "FI", False),
        (["all"], "FI", True),
        (["ALL"], "FI", True),
        (["all", "None"], "FI", False),
        (["FI", "none"], "FI", False),
        ([""], "FI", False),
    ],
)
def test_the_list_lets_in_whom_it_names(allowed: list[str], instance: str, let_in: bool) -> None:
    assert allows(allowed, instance) is let_in


def anchor(instance: str, url: str = "http://cs/externalconf") -> Anchor:
    return Anchor(instance, (AnchorSource(url, (b"certificate",)),))


def test_partners_are_asked_in_the_order_of_the_file_and_each_once(
    private_parameters: PrivateParameters,
) -> None:
    anchors = (anchor("FI"), anchor("XX"), anchor("EE"), anchor("FI", "http://other/"))
    private = msgspec.structs.replace(private_parameters, anchors=anchors)
    assert allowed_partners("XX", private, ["all"]) == (anchors[0], anchors[2])
    assert allowed_partners("XX", private, ["ee"]) == (anchors[2],)
    assert allowed_partners("XX", private, []) == ()
    assert allowed_partners("XX", None, ["all"]) == ()
