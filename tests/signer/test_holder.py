"""Keys in this process: the ring may change while what was begun with the old one is signed."""

from __future__ import annotations

import trio

from xgate.cell import Cell
from xgate.ids import ClientId
from xgate.signer.holder import LocalKeys
from xgate.signer.keyring import Keyring, SignKey
from xgate.signer.signer import Signer, SigningContext
from xgate.signer.software import SoftwareToken
from xgate.testing.authority import NOW, Authority
from xgate.testing.clock import FakeClock
from xgate.testing.conf import make_conf
from xgate.testing.pki import make_ec_key
from xgate.trust.seal import seal_of
from xgate.trust.verify import verify_message

MEMBER = ClientId("XG", "COM", "1")


async def test_a_key_that_has_left_the_ring_signs_what_was_begun_with_it() -> None:
    authority = Authority()
    credential = authority.member(MEMBER, key=make_ec_key("holder"))
    token = SoftwareToken({"K": ("k", credential.key)})
    key = SignKey(MEMBER, credential.certificate, token.keys()[0], token)
    keys = LocalKeys(Cell(Keyring((key,), ())), Signer(FakeClock(NOW)))
    seal = seal_of(b"<message/>")
    async with trio.open_nursery() as nursery:
        await nursery.start(keys.run)
        (chosen,) = keys.ring.value.sign_keys(MEMBER)
        keys.ring.set(Keyring((), ()))
        context = SigningContext(chosen, authority.vouch(credential.certificate))
        evidence = await keys.sign(context, seal)
        nursery.cancel_scope.cancel()
    assert verify_message(make_conf(authority), evidence, seal, MEMBER, NOW).signer == MEMBER
    assert keys.batch_sizes() == {1: 1}
