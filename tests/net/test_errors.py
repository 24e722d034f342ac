"""All failures of the network are of one family, and apart from the protocol's refusals."""

from __future__ import annotations

from xgate.errors import Fault
from xgate.net import errors


def test_every_network_error_can_be_caught_as_one() -> None:
    for name in errors.__all__:
        kind = getattr(errors, name)
        assert issubclass(kind, errors.NetError)
        assert not issubclass(kind, Fault)


def test_an_http_error_knows_how_a_server_answers_it() -> None:
    assert errors.HttpError("a bad request").status == 400
    assert errors.HttpError("too long", 431).status == 431
