"""Messages and containers before the judge: ours, incomplete ones, and those tampered with."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xgate.algorithms import SHA512
from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.testing.authority import ECDSA_SHA512, NOW, Authority, sign_raw
from xgate.trust.asic import Container, read_container, write_container
from xgate.trust.hashchain import build_chain
from xgate.trust.seal import Part, Seal, seal_of
from xgate.trust.verify import (
    ContainerProof,
    Evidence,
    Proven,
    verify_contained,
    verify_container,
    verify_message,
)
from xgate.trust.xades import CHAIN_RESULT, MESSAGE, read_signature, with_timestamp

MEMBER = ClientId("XG", "COM", "777")
AUTHORITY = Authority()
TRUST = AUTHORITY.trust
SIGNER = AUTHORITY.member(MEMBER)
REQUEST = (
    b"GET\r\n/r1/XG/COM/12/reg/look\r\nX-Road-Client:XG/COM/777/app\r\n"
    b"X-Road-Id:1\r\nx-road-request-id:2\r\n"
)


def sign(reference: str, data: bytes, **more: Any) -> bytes:
    return AUTHORITY.sign(reference, data, SIGNER, **more)


def evidence_of(seals: Sequence[Seal]) -> list[Evidence]:
    """One signature for all of them, and each one's chain."""
    chained = build_chain(seals)
    signature = sign(CHAIN_RESULT, chained.result)
    return [Evidence(signature, chained.result, chain) for chain in chained.chains]


def refer(document: bytes, uri: str, digest: bytes) -> bytes:
    """The document with one more reference in it, signed anew."""
    reference = (
        f'<ds:Reference URI="{uri}"><ds:DigestMethod Algorithm="{SHA512.uri}"/>'
        f"<ds:DigestValue>{b64encode(digest).decode()}</ds:DigestValue></ds:Reference>"
    )
    end = b"</ds:SignedInfo>"
    document = document.replace(end, reference.encode() + end)
    value = sign_raw(SIGNER.key, ECDSA_SHA512, read_signature(document).signed_info)
    return re.sub(rb'(value">)[^<]*', rb"\g<1>" + b64encode(value), document)


PLAIN = Evidence(sign(MESSAGE, b"message"))
SEAL = seal_of(b"message")


def judge(evidence: Evidence = PLAIN, seal: Seal = SEAL, **more: Any) -> Proven:
    return verify_message(TRUST, evidence, seal, MEMBER, NOW, **more)


def code_of(act: Callable[..., object], *arguments: Any, **more: Any) -> str:
    with pytest.raises(Fault) as caught:
        act(*arguments, **more)
    return caught.value.code


# messages


def test_a_signed_message_is_proven() -> None:
    assert judge().signer == MEMBER


def test_a_message_with_attachments_is_proven_by_its_chain() -> None:
    seal = seal_of(b"message", [b"one", b"two"])
    (evidence,) = evidence_of([seal])
    proven = judge(evidence, seal)
    assert proven.merged
    assert evidence.kept(proven) is evidence


def test_one_signature_proves_a_whole_batch() -> None:
    seals = [seal_of(b"%d" % n, [b"attached"] * (n % 3)) for n in range(7)]
    for seal, evidence in zip(seals, evidence_of(seals), strict=True):
        judge(evidence, seal)


def test_direct_references_prove_in_any_order() -> None:
    document = refer(PLAIN.signature, "/attachment2", SHA512.of(b"two"))
    document = refer(document, "/attachment1", SHA512.of(b"one"))
    judge(Evidence(document), seal_of(b"message", [b"one", b"two"]))


def test_a_chain_that_is_not_signed_is_passed_over_and_not_kept() -> None:
    """Else a peer could pass a plain signature off as a merged one, whose parts are not logged."""
    with_junk = Evidence(PLAIN.signature, b"no XML", b"at all")
    proven = judge(with_junk)
    assert not proven.merged
    assert with_junk.kept(proven) == PLAIN


def test_another_digest_needs_the_message_itself() -> None:
    algorithm = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
    evidence = Evidence(sign(MESSAGE, b"message", algorithm=algorithm))
    judge(evidence, message=b"message")
    assert code_of(judge, evidence, message=b"massage") == "invalid_signature_value"
    assert code_of(judge, evidence) == "internal_error"


def test_another_message_is_not_what_was_signed() -> None:
    assert code_of(judge, PLAIN, seal_of(b"massage")) == "invalid_signature_value"


def test_every_part_must_be_covered() -> None:
    assert code_of(judge, PLAIN, seal_of(b"message", [b"smuggled"])) == "malformed_signature"
    only_attachment = Evidence(sign(MESSAGE, b"message").replace(b'"/message.xml"', b'"/other"'))
    renamed = Seal((Part("/other", SHA512.of(b"message")),))
    assert code_of(judge, only_attachment, renamed) == "invalid_signature_value"


def test_what_is_signed_must_be_there() -> None:
    more = Evidence(refer(PLAIN.signature, "/attachment1", SHA512.of(b"lost")))
    assert code_of(judge, more) == "internal_error"


@pytest.mark.parametrize(
    ("seal", "code"),
    [
        (seal_of(b"massage", [b"one"]), "invalid_hash_chain"),
        (seal_of(b"message", [b"two"]), "invalid_hash_chain"),
        (seal_of(b"message", [b"one", b"two"]), "hashchain_unused_inputs"),
        (seal_of(b"message"), "invalid_reference"),
    ],
)
def test_a_chain_must_fit_the_message(seal: Seal, code: str) -> None:
    (evidence,) = evidence_of([seal_of(b"message", [b"one"])])
    assert code_of(judge, evidence, seal) == f"malformed_signature.{code}"


def test_a_chain_must_be_there_and_be_the_signed_one() -> None:
    seal = seal_of(b"message", [b"one"])
    (evidence,) = evidence_of([seal])
    other, _ = evidence_of([seal, SEAL])
    without_result = msgspec.structs.replace(evidence, chain_result=None)
    assert code_of(judge, without_result, seal) == "internal_error"
    without_chain = msgspec.structs.replace(evidence, chain=None)
    assert code_of(judge, without_chain, seal) == "malformed_signature.invalid_reference"
    exchanged = Evidence(evidence.signature, other.chain_result, other.chain)
    assert code_of(judge, exchanged, seal) == "invalid_signature_value"


def essence(proven: Proven) -> object:
    """What a proof says, without octets that say nothing."""
    answers = [(a.status, a.this_update, a.produced_at, a.cert_id) for a in proven.ocsp]
    return proven.signer, proven.path, proven.signing_time, answers


CHAINED = seal_of(b"message", [b"one"])
CHAINED_EVIDENCE = msgspec.structs.asdict(evidence_of([CHAINED])[0])


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_changed_octet_never_proves_another_thing(data: st.DataObject) -> None:
    changed = data.draw(st.sampled_from(sorted(CHAINED_EVIDENCE)))
    octets = bytearray(CHAINED_EVIDENCE[changed])
    octets[data.draw(st.integers(0, len(octets) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(Fault):
        proven = judge(Evidence(**CHAINED_EVIDENCE | {changed: bytes(octets)}), CHAINED)
        assert essence(proven) == essence(judge(Evidence(**CHAINED_EVIDENCE), CHAINED))


# containers


def contain(**parts: Any) -> bytes:
    return write_container(Container(**{"message": REQUEST} | parts), NOW)


def stamped(document: bytes) -> bytes:
    return with_timestamp(document, AUTHORITY.stamp(read_signature(document).value))


def batch_stamped(documents: Sequence[bytes]) -> list[dict[str, bytes]]:
    """One time-stamp for many signatures, and the parts that go into each one's container."""
    seals = [Seal((Part("/META-INF/signatures.xml", SHA512.of(d)),)) for d in documents]
    chained = build_chain(seals, prefix="ts")
    token = AUTHORITY.stamp(chained.result)
    return [
        {
            "signature": document,
            "timestamp": token,
            "timestamp_chain_result": chained.result,
            "timestamp_chain": chain,
        }
        for document, chain in zip(documents, chained.chains, strict=True)
    ]


ATTACHED = evidence_of([seal_of(REQUEST, [b"one", b"two"])])[0]


def attached(**parts: Any) -> bytes:
    known = {
        "signature": stamped(ATTACHED.signature),
        "chain_result": ATTACHED.chain_result,
        "chain": ATTACHED.chain,
    }
    return contain(**known | parts)


def verdict(proof: ContainerProof) -> list[tuple[str, bool]]:
    return [(part.name, part.verified) for part in proof.parts]


def test_a_container_tells_who_signed_and_when_it_was_stamped() -> None:
    proof = verify_container(TRUST, contain(signature=stamped(sign(MESSAGE, REQUEST))))
    assert proof.proven.signer == MEMBER
    assert proof.proven.certificate == SIGNER.certificate
    assert proof.proven.ocsp[0].produced_at == NOW
    assert proof.proven.at == proof.timestamp.gen_time == NOW
    assert proof.timestamp.certificate == AUTHORITY.tsa.certificate
    assert (proof.kind, proof.timestamp_kind) == ("plain", "plain")
    assert verdict(proof) == [(MESSAGE, True)]
    assert proof.missing == ()


def test_one_time_stamp_serves_many_containers() -> None:
    documents = [sign(MESSAGE, REQUEST), sign(MESSAGE, b"x"), sign(MESSAGE, b"y")]
    mine, another, _ = batch_stamped(documents)
    proof = verify_container(TRUST, contain(**mine))
    assert (proof.kind, proof.timestamp_kind) == ("plain", "batch")
    exchanged = mine | {"timestamp_chain": another["timestamp_chain"]}
    assert code_of(verify_container, TRUST, contain(**exchanged)) == "malformed_signature"
    restamped = mine | {"timestamp": AUTHORITY.stamp(b"else")}
    assert code_of(verify_container, TRUST, contain(**restamped)) == "malformed_signature"


def test_attachments_of_a_batch_signature_are_compared_with_its_chain() -> None:
    proof = verify_container(TRUST, attached())
    assert (proof.kind, proof.missing) == ("batch", ("/attachment1", "/attachment2"))
    proof = verify_container(
        TRUST, attached(attachments=(("attachment1", b"one"), ("attachment2", b"2")))
    )
    assert verdict(proof) == [(MESSAGE, True), ("/attachment1", True), ("/attachment2", False)]
    assert proof.parts[2].digest == SHA512.of(b"2")
    assert proof.missing == ()


def test_attachments_need_not_be_at_hand() -> None:
    octets = {"attachment1": b"one", "attachment2": b"2"}
    data = attached(attachments=tuple(octets.items()))
    container = msgspec.structs.replace(read_container(data), attachments=())
    digests = {name: SHA512.of(content) for name, content in octets.items()}
    assert verify_contained(TRUST, container, digests) == verify_container(TRUST, data)
    assert verify_contained(TRUST, container, {}).missing == ("/attachment1", "/attachment2")


def test_an_attachment_that_nobody_signed_is_not_verified() -> None:
    for other in (attached, lambda **more: contain(signature=DIRECT, **more)):
        proof = verify_container(TRUST, other(attachments=(("attachment9", b"one"),)))
        assert verdict(proof) == [(MESSAGE, True), ("/attachment9", False)]


DIRECT = stamped(sign(MESSAGE, REQUEST))


def test_a_step_that_the_chain_does_not_reach_says_nothing() -> None:
    value = b64encode(SHA512.of(b"forged")).decode()
    step = (
        '<HashStep xmlns="http://cyber.ee/hashchain" id="STEP9"><DataRef URI="/attachment{}">'
        '<DigestValue xmlns="http://www.w3.org/2000/09/xmldsig#">' + value + "</DigestValue>"
        "</DataRef></HashStep>"
    )
    forged = (("attachment1", b"forged"), ("attachment9", b"forged"))
    for number in (1, 9):
        chain = re.sub(
            rb"(</[^<]*HashChain>)", step.format(number).encode() + rb"\1", ATTACHED.chain or b""
        )
        proof = verify_container(TRUST, attached(chain=chain, attachments=forged))
        assert [v for _, v in verdict(proof)] == [True, False, False]


def exchanged(chain: bytes | None, *names: bytes) -> bytes:
    """The chain with two names in each other's place: its hash stays what it was."""
    first, second = names
    place = (chain or b"").replace(first, b"@").replace(second, first)
    return place.replace(b"@", second)


def test_parts_do_not_change_places_in_a_chain() -> None:
    """The hash of a chain covers no names (hashchain 2): only their order tells them apart."""
    signed = [b"message", b"one", b"two"]
    (evidence,) = evidence_of([seal_of(signed[0], signed[1:])])
    for one, other in ((0, 1), (1, 2)):
        parts = list(signed)
        parts[one], parts[other] = parts[other], parts[one]
        names = [b"message.xml" if n == 0 else b"attachment%d" % n for n in (one, other)]
        forged = msgspec.structs.replace(evidence, chain=exchanged(evidence.chain, *names))
        code = code_of(judge, forged, seal_of(parts[0], parts[1:]))
        assert code == "malformed_signature.malformed_hash_chain"
    swapped = exchanged(ATTACHED.chain, b"attachment1", b"attachment2")
    forged_container = attached(
        chain=swapped, attachments=(("attachment1", b"two"), ("attachment2", b"one"))
    )
    code = code_of(verify_container, TRUST, forged_container)
    assert code == "malformed_signature.malformed_hash_chain"


def test_no_part_of_many_is_left_out_of_a_chain() -> None:
    (evidence,) = evidence_of([seal_of(b"message", [b"one", b"two"])])
    chain = evidence.chain or b""
    left_out = re.sub(rb'DataRef URI="/attachment2"', b"HashValue", chain)
    left_out = left_out.replace(
        b"</ns2:DataRef>\n    </ns2:HashStep>", b"</ns2:HashValue>\n    </ns2:HashStep>"
    )
    forged = msgspec.structs.replace(evidence, chain=left_out)
    code = code_of(judge, forged, seal_of(b"message", [b"one"]))
    assert code == "malformed_signature.malformed_hash_chain"


SOAP = (
    b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"'
    b' xmlns:i="http://x-road.eu/xsd/identifiers" xmlns:x="http://x-road.eu/xsd/xroad.xsd">'
    b'<e:Header><x:client i:objectType="MEMBER"><i:xRoadInstance>XG</i:xRoadInstance>'
    b"<i:memberClass>COM</i:memberClass><i:memberCode>777</i:memberCode></x:client></e:Header>"
    b"<e:Body><pay>1000</pay></e:Body></e:Envelope>"
)
TRANSFORMS = (
    b'<Transforms><Transform Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/>'
    b"</Transforms><DigestValue>"
)


def transformed(chain: bytes | None) -> bytes:
    """The chain with a transform for its data: its hash stays what it was."""
    return re.sub(rb"(DataRef [^>]*>\s*)<DigestValue>", rb"\1" + TRANSFORMS, chain or b"")


def test_no_transform_hides_a_change() -> None:
    """The message signed is canonical XML: with a comment in it its canonical form is the same."""
    changed = SOAP.replace(b"1000", b"1<!-- -->000")
    (evidence,) = evidence_of([seal_of(SOAP, [b"one"])])
    parts = {
        "signature": stamped(evidence.signature),
        "chain_result": evidence.chain_result,
    }
    honest = contain(message=SOAP, chain=evidence.chain, **parts)
    assert verify_container(TRUST, honest).proven.signer == MEMBER
    forged = contain(message=changed, chain=transformed(evidence.chain), **parts)
    code = code_of(verify_container, TRUST, forged)
    assert code == "malformed_signature.malformed_hash_chain"


def test_no_transform_hides_a_change_from_a_time_stamp() -> None:
    document = sign(MESSAGE, REQUEST)
    canonical = document[document.index(b"?>") + 2 :]
    mine, _ = batch_stamped([canonical, DIRECT])
    assert verify_container(TRUST, contain(**mine)).timestamp_kind == "batch"
    forged = mine | {"timestamp_chain": transformed(mine["timestamp_chain"])}
    assert code_of(verify_container, TRUST, contain(**forged)) == "malformed_signature"


def test_directly_signed_attachments_must_be_there_and_right() -> None:
    document = stamped(refer(sign(MESSAGE, REQUEST), "/attachment1", SHA512.of(b"one")))
    proof = verify_container(
        TRUST, contain(signature=document, attachments=(("attachment1", b"one"),))
    )
    assert verdict(proof) == [(MESSAGE, True), ("/attachment1", True)]
    other = contain(signature=document, attachments=(("attachment1", b"two"),))
    assert code_of(verify_container, TRUST, other) == "invalid_signature_value"
    assert code_of(verify_container, TRUST, contain(signature=document)) == "internal_error"


def test_another_message_or_signer_is_refused() -> None:
    massage = contain(signature=DIRECT, message=REQUEST.replace(b"look", b"lock"))
    assert code_of(verify_container, TRUST, massage) == "invalid_signature_value"
    other = REQUEST.replace(b"777", b"778")
    theirs = contain(signature=stamped(sign(MESSAGE, other)), message=other)
    assert code_of(verify_container, TRUST, theirs) == "incorrect_certificate"
    chained = attached(message=REQUEST.replace(b"look", b"lock"))
    assert code_of(verify_container, TRUST, chained) == (
        "malformed_signature.invalid_hash_chain_ref"
    )


def test_a_signature_must_refer_to_the_message_or_a_chain() -> None:
    document = stamped(sign(MESSAGE, REQUEST).replace(b'"/message.xml"', b'"/foobar.xml"'))
    assert code_of(verify_container, TRUST, contain(signature=document)) == "malformed_signature"


def test_a_time_stamp_of_a_stranger_is_refused() -> None:
    strange = Authority("ZZ").stamp(read_signature(PLAIN.signature).value)
    document = with_timestamp(PLAIN.signature, strange)
    code = code_of(verify_container, TRUST, contain(signature=document))
    assert code == "mlog.tsp_certificate_not_found"


def test_revocation_is_judged_at_the_time_of_the_stamp() -> None:
    document = sign(MESSAGE, REQUEST)
    late = AUTHORITY.stamp(read_signature(document).value, at=NOW + timedelta(hours=2))
    code = code_of(verify_container, TRUST, contain(signature=with_timestamp(document, late)))
    assert code == "invalid_cert_path.incorrect_validation_info"


def proof_essence(proof: ContainerProof) -> object:
    true = [(part.name, part.digest) for part in proof.parts if part.verified]
    stamp = proof.timestamp
    return essence(proof.proven), stamp.gen_time, stamp.certificate, true


PARTS = {
    "message": REQUEST,
    "chain_result": ATTACHED.chain_result,
    "chain": ATTACHED.chain,
    **batch_stamped([ATTACHED.signature, b"another"])[0],
}


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_changed_octet_in_a_container_never_proves_another_thing(data: st.DataObject) -> None:
    expected = proof_essence(verify_container(TRUST, contain(**PARTS)))
    changed = data.draw(st.sampled_from(sorted(PARTS)))
    octets = bytearray(PARTS[changed] or b"")
    octets[data.draw(st.integers(0, len(octets) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(Fault):
        proof = verify_container(TRUST, contain(**PARTS | {changed: bytes(octets)}))
        assert proof_essence(proof) == expected
