"""``xgate keys delete``: what nobody needs goes, what others rely on only by force."""

from __future__ import annotations

from tests.cli.conftest import Town

from xgate.signer.store import read_store


def test_a_key_its_request_and_nothing_else(town: Town) -> None:
    key = town.make_key()
    town.request(key, "--use", "sign", "--field", "C=FI")
    request = town.told("list")["keys"][-1]["requests"][0]["id"]
    ran = town.keys("delete", request)
    assert (ran.code, ran.out) == (0, f"The request {request} is deleted\n")
    assert town.told("list")["keys"][-1]["requests"] == []
    assert town.told("delete", key) == {"deleted": "key", "id": key}
    assert [k["id"] for k in town.told("list")["keys"]] == ["SIGN", "AUTH"]
    assert key not in read_store(town.store).sealed.keys


def test_what_is_in_use_goes_by_force_alone(town: Town) -> None:
    certificate = town.told("list")["keys"][0]["certificates"][0]["id"]
    for name in ("SIGN", "AUTH", certificate):
        ran = town.keys("delete", name)
        assert ran.code == 1
        assert "others rely on it; disable or unregister it first, or say --force" in ran.err
    town.told("disable", certificate)
    assert town.told("delete", certificate)["deleted"] == "certificate"
    assert town.told("delete", "SIGN")["deleted"] == "key"
    assert town.told("delete", "AUTH", "--force")["deleted"] == "key"
    assert town.told("list")["keys"] == []


def test_a_slip_of_the_hand_deletes_nothing(town: Town) -> None:
    key = town.make_key()
    ran = town.keys("delete", key[:3])
    assert (ran.code, "key_not_found" in ran.err) == (1, True)
    assert town.told("delete", key[:8].lower())["id"] == key
