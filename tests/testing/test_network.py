"""What tests are given is real: chains verify, OpenSSL reads the files, sockets connect."""

from __future__ import annotations

import subprocess
from pathlib import Path

from cryptography import x509

from xgate.testing.network import key_pem, make_identity, rsa_key, stream_pair, write_pem


def test_a_chain_leads_from_the_leaf_up_and_leaves_out_the_root(tmp_path: Path) -> None:
    root = make_identity("root", ca=True)
    middle = make_identity("middle", issuer=root, ca=True)
    leaf = make_identity("leaf", issuer=middle, key=rsa_key())
    certificates = [x509.load_der_x509_certificate(der) for der in leaf.chain]
    assert [c.subject.rfc4514_string() for c in certificates] == ["CN=leaf", "CN=middle"]
    certificates[0].verify_directly_issued_by(certificates[1])
    anchor, _, _ = write_pem(root, tmp_path, "root")
    own, chain, key = write_pem(leaf, tmp_path, "leaf")
    assert key.read_bytes() == key_pem(leaf)
    command = ["openssl", "verify", *map(str, ("-CAfile", anchor, "-untrusted", chain, own))]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert done.stdout.endswith("OK\n")


async def test_a_pair_is_connected() -> None:
    near, far = stream_pair()
    await near.send_all(b"x")
    assert await far.receive() == b"x"
    near.close()
    assert await far.receive() == b""
    far.close()
