"""Signed directories: the reference's verify, changed octets are noticed, rules have codes."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xgate.algorithms import SHA512, digest_named
from xgate.errors import Fault
from xgate.globalconf.anchor import read_anchor
from xgate.globalconf.directory import Directory, DirectoryPart, read_directory
from xgate.globalconf.generate import (
    Boundaries,
    DirectorySigner,
    describe_part,
    write_directory,
)
from xgate.globalconf.shared import read_shared
from xgate.trust.certificate import Certificate

BOUNDARIES = Boundaries("outer", "inner")
SHA1 = b"http://www.w3.org/2000/09/xmldsig#sha1"
SHA512_URI = SHA512.uri.encode()

NO_DATA = "global_conf_missing_signed_data"
NO_EXPIRY = "global_conf_missing_signed_data_expiration_date"
MISSING = "global_conf_header_field_missing"
NO_PARAMETER = "global_conf_header_field_missing_parameter"
WRONG = "global_conf_header_field_wrong_value"
UNREADABLE = "global_conf_parsing_downloaded_conf_directory_failure"
NOT_SIGNED = "global_conf_signature_verification_failure"


def anchored(golden: Path, name: str) -> tuple[bytes, ...]:
    anchor = read_anchor((golden / name / "configuration-anchor.xml").read_bytes())
    return tuple(c for source in anchor.sources for c in source.certificates)


def parts_match(root: Path, directory: Directory) -> bool:
    for part in directory.parts:
        part.check_octets((root / part.location[1:]).read_bytes())
    return True


# What the reference made


@pytest.mark.reference
@pytest.mark.parametrize(
    ("name", "version", "expires", "files"),
    [
        ("v2-2023-06", 2, "2033-06-11T17:13:49", 3),
        ("v3-2023-11-13", 3, "2033-11-10T17:19:50", 3),
        ("v3-2024-04", 3, "2034-04-09T00:36:51", 2),
        ("v4-2024-05", 4, "2034-05-30T06:46:02", 2),
    ],
)
def test_configurations_of_four_years(
    golden: Path, now: datetime, name: str, version: int, expires: str, files: int
) -> None:
    root = golden / "globalconf-signed" / name
    data = (root / f"V{version}/internalconf").read_bytes()
    directory = read_directory(data, anchored(golden, f"globalconf-signed/{name}"), now)
    assert directory.version == version
    assert directory.expires == datetime.fromisoformat(expires + "+00:00")
    assert len(directory.parts) == files
    assert parts_match(root, directory)


@pytest.mark.reference
@pytest.mark.parametrize(("name", "version"), [("v3-2024-04", 3), ("v4-2024-05", 4)])
def test_the_external_source_is_signed_by_its_own_key(
    golden: Path, now: datetime, name: str, version: int
) -> None:
    root = golden / "globalconf-signed" / name
    shared = read_shared(next(root.rglob("shared-params.xml")).read_bytes())
    certificates = shared.sources[0].external_certificates
    data = (root / f"V{version}/externalconf").read_bytes()
    assert parts_match(root, read_directory(data, certificates, now))
    with pytest.raises(Fault, match="global_conf_missing_verification_cert"):
        read_directory(data, anchored(golden, f"globalconf-signed/{name}"), now)


@pytest.mark.reference
def test_the_initial_set_is_known_by_the_anchor_only(golden: Path, now: datetime) -> None:
    root = golden / "env-dev-v6/globalconf-initial"
    data = (root / "V6/internalconf").read_bytes()
    directory = read_directory(data, anchored(golden, "env-dev-v6"), now)
    assert (directory.version, [part.file_name for part in directory.parts]) == (
        6,
        ["shared-params.xml", "private-params.xml"],
    )
    assert directory.expires == datetime(2035, 11, 11, 3, 7, 40, tzinfo=UTC)
    assert parts_match(root, directory)
    own = read_shared(next(root.rglob("shared-params.xml")).read_bytes()).sources[0]
    with pytest.raises(Fault, match="global_conf_missing_verification_cert"):
        read_directory(data, own.internal_certificates, now)


@pytest.mark.reference
def test_an_external_part_that_somebody_edited(golden: Path, now: datetime) -> None:
    root = golden / "env-dev-v6/globalconf-initial"
    own = read_shared(next(root.rglob("shared-params.xml")).read_bytes()).sources[0]
    data = (root / "V6/externalconf").read_bytes()
    directory = read_directory(data, own.external_certificates, now)
    with pytest.raises(Fault, match="global_conf_part_downloaded_file_integrity_failure"):
        parts_match(root, directory)


@pytest.mark.reference
def test_the_rotated_set_needs_what_the_initial_one_taught(golden: Path, now: datetime) -> None:
    root = golden / "env-dev-v6/globalconf-rotated"
    data = (root / "V6/internalconf").read_bytes()
    with pytest.raises(Fault, match="global_conf_missing_verification_cert"):
        read_directory(data, anchored(golden, "env-dev-v6"), now)
    initial = golden / "env-dev-v6/globalconf-initial"
    learnt = read_shared(next(initial.rglob("shared-params.xml")).read_bytes()).sources[0]
    directory = read_directory(data, learnt.internal_certificates, now)
    assert directory.expires == datetime(2035, 11, 11, 3, 8, 40, tzinfo=UTC)
    assert parts_match(root, directory)
    external = (root / "V6/externalconf").read_bytes()
    assert parts_match(root, read_directory(external, learnt.external_certificates, now))


@pytest.mark.reference
@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"--\r\n\r\n--lmy", b"--\r\n--lmy"),  # one CRLF less
        lambda data: data.replace(b"--\r\n\r\n--lmy", b"--\r\n\r\n\r\n--lmy"),  # one more
        lambda data: data.replace(b"Version: 6", b"Version: 6\r\nX: y"),
        lambda data: data.replace(b"\r\n", b"\n"),
        lambda data: data.replace(b"Expire-date: 2035", b"Expire-date: 2036"),
    ],
)
def test_every_change_of_the_signed_octets_is_noticed(
    golden: Path, now: datetime, change: Callable[[bytes], bytes]
) -> None:
    data = (golden / "env-dev-v6/globalconf-initial/V6/internalconf").read_bytes()
    certificates = anchored(golden, "env-dev-v6")
    assert change(data) != data
    with pytest.raises(Fault, match=NOT_SIGNED):
        read_directory(change(data), certificates, now)


@pytest.mark.reference
def test_the_old_clients_own_cases(golden: Path) -> None:
    cases = golden / "globalconf-signed/parser-cases"
    consumer = (Certificate.load((golden / "keys/consumer.pem").read_bytes()).der,)
    producer = (Certificate.load((golden / "keys/producer.pem").read_bytes()).der,)
    end = datetime(2026, 5, 20, 17, 42, 55, tzinfo=UTC)
    simple = (cases / "test-conf-simple.txt").read_bytes()

    directory = read_directory(simple, consumer, end)
    assert [p.identifier for p in directory.parts] == [
        "PRIVATE-PARAMETERS",
        "SHARED-PARAMETERS",
        "FOO",
    ]
    assert directory.version == 2
    for part in directory.parts:
        part.check_octets((cases / "test-conf-simple/EE" / part.file_name).read_bytes())

    with pytest.raises(Fault, match="global_conf_outdated"):
        read_directory(simple, consumer, end + timedelta(seconds=1))
    with pytest.raises(Fault, match="global_conf_missing_verification_cert"):
        read_directory(simple, producer, end)
    with pytest.raises(Fault, match=NOT_SIGNED):
        read_directory((cases / "test-conf-missing-signature.txt").read_bytes(), consumer, end)
    with pytest.raises(Fault, match=NO_EXPIRY):
        read_directory((cases / "test-conf-malformed.txt").read_bytes(), consumer, end)


# Every rule and its code, on directories of our own


def parts_of(instance: str = "XX") -> list[DirectoryPart]:
    return [
        describe_part("SHARED-PARAMETERS", instance, "/V6/1/shared-params.xml", b"shared"),
        describe_part("PRIVATE-PARAMETERS", instance, "/V6/1/private-params.xml", b"private"),
    ]


def signed_with(signer: DirectorySigner, inner: bytes) -> bytes:
    """A directory over any signed octets at all."""
    empty = write_directory(
        (), signer, BOUNDARIES, expires=datetime(2030, 1, 1, tzinfo=UTC), version=6
    )
    old = empty[empty.index(b"--inner\r\n") : empty.index(b"\r\n--outer\r\nContent-Type: app")]
    signature = empty.split(b"\r\n\r\n")[-1].partition(b"\r\n")[0]
    assert empty.count(old) == empty.count(signature) == 1
    return empty.replace(old, inner).replace(signature, b64encode(signer.sign(inner)))


HEAD = b"--inner\r\nExpire-date: 2030-01-01T00:00:00Z\r\nVersion: 6\r\n"
PART = (
    b"Content-type: application/octet-stream\r\nContent-transfer-encoding: base64\r\n"
    b"Content-identifier: SHARED-PARAMETERS; instance='XX'\r\nContent-location: /a/b.xml\r\n"
    b"Hash-algorithm-id: " + SHA512_URI + b"\r\n\r\n" + b"A" * 86 + b"==\r\n"
)


def one_part(part: bytes) -> bytes:
    return HEAD + b"\r\n--inner\r\n" + part + b"--inner--\r\n"


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        (b"--other\r\n", NO_EXPIRY),
        (b"--inner\r\nVersion: 6\r\n\r\n--inner--\r\n", MISSING),
        (one_part(PART).replace(b"2030-01", b"2030-13"), WRONG),
        (one_part(PART).replace(b"2030", b"2020"), "global_conf_outdated"),
        (
            one_part(PART).replace(b"Version: 6", b"Version: 7"),
            WRONG,
        ),
        (
            one_part(PART).replace(b"Version: 6", b"Version: 1"),
            WRONG,
        ),
        (one_part(PART.replace(b"octet-stream", b"xml")), WRONG),
        (one_part(PART.replace(b"base64", b"8bit")), WRONG),
        (
            one_part(PART.replace(b"Content-type", b"Content-kind")),
            MISSING,
        ),
        (one_part(PART.replace(b"Content-loc", b"Content-al")), MISSING),
        (one_part(PART.replace(b"Hash-alg", b"Hush-alg")), MISSING),
        (
            one_part(PART.replace(b"; instance='XX'", b"")),
            NO_PARAMETER,
        ),
        (one_part(PART.replace(b"'XX'", b"''")), NO_PARAMETER),
        (one_part(PART.replace(b"AAAA==", b"AA==")), WRONG),
        (one_part(PART.replace(b"AAAA==", b"AA?A==")), WRONG),
        (
            one_part(PART.replace(SHA512_URI, b"urn:x")),
            WRONG,
        ),
        (
            one_part(PART.replace(SHA512_URI, SHA1)),
            WRONG,
        ),
        (
            HEAD + b"\r\n" + b"--inner\r\n" + PART + b"--inner\r\n" + PART + b"--inner--\r\n",
            UNREADABLE,
        ),
        (
            HEAD + b"\r\n--inner" * 1002 + b"--\r\n",
            UNREADABLE,
        ),
    ],
)
def test_signed_octets_that_break_a_rule(
    signer: DirectorySigner, now: datetime, inner: bytes, code: str
) -> None:
    with pytest.raises(Fault) as caught:
        read_directory(signed_with(signer, inner), (signer.certificate,), now)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "location",
    [
        "/",
        "x.xml",
        "//evil/x.xml",
        "http://evil/x.xml",
        "/a/../x.xml",
        "/a/%2e%2e/x.xml",
        "/a/..%2fx.xml",
        "/a\\x.xml",
        "/a/%5cx.xml",
        "/a//x.xml",
        "/a/",
        "/a/x.xml?q",
        "/a/x.xml#f",
        "/a/%00x.xml",
        "/a/%zz",
        "/a/ x.xml",
        "/instance-identifier",
        "/a/files",
        "/a/x.metadata",
        "/a/shared-params.xml.metadata",
        "/a/.hidden",
        "/a/shared-params.xml",  # a name that belongs to another identifier
        "/" + "x" * 300,
    ],
)
def test_a_location_leads_nowhere_else(
    signer: DirectorySigner, now: datetime, location: str
) -> None:
    other = PART.replace(b"SHARED-PARAMETERS", b"OTHER").replace(b"/a/b.xml", location.encode())
    with pytest.raises(Fault, match=WRONG):
        read_directory(signed_with(signer, one_part(other)), (signer.certificate,), now)
    named = PART.replace(b"SHARED-PARAMETERS", b"OTHER").replace(
        b"Hash-alg", b"Content-file-name: ../files\r\nHash-alg"
    )
    with pytest.raises(Fault, match="content-file-name"):
        read_directory(signed_with(signer, one_part(named)), (signer.certificate,), now)


def test_a_file_name_of_the_sources_choice(signer: DirectorySigner, now: datetime) -> None:
    named = PART.replace(b"SHARED-PARAMETERS", b"OTHER").replace(
        b"Hash-alg", b"Content-file-name: mine.xml\r\nHash-alg"
    )
    directory = read_directory(signed_with(signer, one_part(named)), (signer.certificate,), now)
    assert directory.parts[0].file_name == "mine.xml"


def test_a_part_without_identifier_belongs_to_nobody(
    signer: DirectorySigner, now: datetime
) -> None:
    bare = b"\r\n".join(line for line in PART.split(b"\r\n") if b"identifier" not in line)
    directory = read_directory(signed_with(signer, one_part(bare)), (signer.certificate,), now)
    assert (directory.parts[0].identifier, directory.parts[0].instance) == (None, None)


SIGNED_TYPE = b"Content-Type: multipart/mixed; charset=UTF-8; boundary=inner\r\n"
THIRD = b"--outer\r\nA: b\r\n\r\nx\r\n--outer--"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"multipart/related", b"text/plain", NO_DATA),
        (b"=outer", b"=other", NO_DATA),
        (b"--outer--", THIRD, UNREADABLE),
        (b"=inner", b"=other", NO_EXPIRY),
        (SIGNED_TYPE, b"", MISSING),
        (b"Content-Type: application", b"Content-Kind: application", MISSING),
        (b"Content-Transfer-Encoding: base64", b"Content-Transfer-Encoding: BASE64", WRONG),
        (b"Signature-Algorithm-Id", b"Signature-Algorithm", MISSING),
        (b"#ecdsa-sha512", b"#ecdsa-sha1", WRONG),
        (b"#ecdsa-sha512", b"#ecdsa-sha256", NOT_SIGNED),
        (b"#ecdsa-sha512", b"#rsa-sha512", NOT_SIGNED),
        (b"Verification-certificate-hash", b"Verification-hash", MISSING),
        (b"; hash-algorithm-id", b"; Hash-Algorithm-Id", NO_PARAMETER),
        (b"\r\n--outer--", b"?\r\n--outer--", "global_conf_signature_decode_failure"),
        (b"--outer--", b"--outer--" + b" " * 1_100_000, UNREADABLE),
    ],
)
def test_a_frame_that_breaks_a_rule(
    signer: DirectorySigner, now: datetime, old: bytes, new: bytes, code: str
) -> None:
    data = write_directory(parts_of(), signer, BOUNDARIES, expires=now)
    assert data.count(old) == 1
    with pytest.raises(Fault) as caught:
        read_directory(data.replace(old, new), (signer.certificate,), now)
    assert caught.value.code == code


def test_a_frame_that_ends_early(signer: DirectorySigner, now: datetime) -> None:
    data = write_directory(parts_of(), signer, BOUNDARIES, expires=now)
    signature = data.index(b"\r\n--outer\r\nContent-Type: app")
    for end, code in ((0, MISSING), (70, NO_DATA), (signature, NO_EXPIRY)):
        with pytest.raises(Fault) as caught:
            read_directory(data[:end], (signer.certificate,), now)
        assert caught.value.code == code


def test_certificates_count_per_location(
    signer: DirectorySigner, new_signer: Callable[[str], DirectorySigner], now: datetime
) -> None:
    other = new_signer("other")
    data = write_directory(parts_of(), signer, BOUNDARIES, expires=now)
    assert read_directory(data, (b"no certificate", other.certificate, signer.certificate), now)
    with pytest.raises(Fault, match="global_conf_missing_verification_cert"):
        read_directory(data, (b"no certificate", other.certificate), now)
    lying = DirectorySigner(other.certificate, signer.algorithm, signer.sign)
    data = write_directory(parts_of(), lying, BOUNDARIES, expires=now)
    with pytest.raises(Fault, match=NOT_SIGNED):
        read_directory(data, (other.certificate, signer.certificate), now)
    garbled = DirectorySigner(b"no certificate", signer.algorithm, signer.sign)
    data = write_directory(parts_of(), garbled, BOUNDARIES, expires=now)
    with pytest.raises(Fault, match="global_conf_missing_verification_cert"):
        read_directory(data, (b"no certificate",), now)


def test_weak_digests_only_on_request(signer: DirectorySigner, now: datetime) -> None:
    sha1 = digest_named("SHA-1")
    assert sha1 is not None
    part = describe_part("SHARED-PARAMETERS", "XX", "/x/s.xml", b"shared", sha1)
    data = write_directory([part], signer, BOUNDARIES, expires=now)
    with pytest.raises(Fault, match="hash-algorithm-id"):
        read_directory(data, (signer.certificate,), now)
    directory = read_directory(data, (signer.certificate,), now, weak=True)
    directory.parts[0].check_octets(b"shared")
    data = write_directory(parts_of(), signer, BOUNDARIES, expires=now, digest=sha1)
    with pytest.raises(Fault, match="hash-algorithm-id"):
        read_directory(data, (signer.certificate,), now)
    md5 = PART.replace(SHA512_URI, b"http://www.w3.org/2001/04/xmldsig-more#md5").replace(
        b"A" * 86, b"A" * 22
    )
    data = signed_with(signer, one_part(md5))
    assert read_directory(data, (signer.certificate,), now, weak=True).parts[0].digest.name == "MD5"


def test_as_a_configuration_proxy_frames_it(signer: DirectorySigner, now: datetime) -> None:
    inner = (
        HEAD.replace(b"Expire-date: 2030-01-01T00:00:00Z", b"expire-date: 2030-01-01T00:00:00.123Z")
        + b"\r\n\r\n--inner\r\n"
        + PART.replace(b"Content-", b"content-").replace(b"'XX'", b'"XX"').replace(b"Hash", b"hash")
        + b"--inner--\r\n"
    )
    data = (
        signed_with(signer, inner)
        .replace(
            b"Content-Type: multipart/related; charset=UTF-8; boundary=outer\r\n\r\n",
            b'content-type: multipart/related; type="multipart/mixed"; charset=UTF-8;'
            b" boundary=outer\n\n",
        )
        .replace(
            b'hash-algorithm-id="' + SHA512_URI + b'"',
            b"hash-algorithm-id=" + SHA512_URI,
        )
    )
    directory = read_directory(data, (signer.certificate,), now)
    assert directory.expires.microsecond == 123000
    assert directory.parts[0].instance == "XX"


def test_as_the_oldest_central_servers_frame_it(signer: DirectorySigner, now: datetime) -> None:
    inner = (
        one_part(PART)
        .replace(b"\r\n", b"\n")
        .replace(b"Version: 6\n", b"\n")
        .replace(b"--inner--\n", b"--inner")
        .replace(b"inner", b"aW5u+/I=")
    )
    data = signed_with(signer, inner).replace(b"=inner", b"=aW5u+/I=")
    data = data.replace(inner, b"@@").replace(b"\r\n", b"\n").replace(b"@@", inner)
    directory = read_directory(data, (signer.certificate,), now)
    assert (directory.version, len(directory.parts)) == (2, 1)


# Round trips

_words = st.text("abcXYZ019'()+,-.=?õÄ", min_size=1, max_size=12).filter(str.strip)
_names = st.text("abcXYZ019-_", min_size=1, max_size=12).map(lambda name: name + ".xml")
_parts = st.builds(
    describe_part,
    st.sampled_from(["SHARED-PARAMETERS", "PRIVATE-PARAMETERS", "MONITORING"]),
    _words,
    st.tuples(_names, _names).map(lambda names: "/" + "/".join(names)),
    st.binary(max_size=20),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(_parts, max_size=4, unique_by=lambda part: (part.instance, part.file_name)),
    version=st.integers(2, 6),
    seconds=st.integers(0, 10**9),
)
def test_what_is_written_is_read(
    signer: DirectorySigner,
    now: datetime,
    parts: list[DirectoryPart],
    version: int,
    seconds: int,
) -> None:
    expires = now + timedelta(seconds=seconds)
    data = write_directory(parts, signer, BOUNDARIES, expires=expires, version=version)
    directory = read_directory(data, (signer.certificate,), now)
    assert directory == Directory(version, expires, tuple(parts))


@pytest.fixture(scope="module")
def good(signer: DirectorySigner, now: datetime) -> bytes:
    """Signed once: ECDSA signatures vary in length, and what is drawn must not depend on that."""
    return write_directory(parts_of(), signer, BOUNDARIES, expires=now)


@settings(deadline=None)
@given(place=st.floats(0, 1), cut=st.integers(0, 30), put=st.binary(max_size=20), junk=st.binary())
def test_garbage_gives_only_faults(
    signer: DirectorySigner,
    now: datetime,
    good: bytes,
    place: float,
    cut: int,
    put: bytes,
    junk: bytes,
) -> None:
    at = int(place * len(good))
    changed = good[:at] + put + good[at + cut :]
    with suppress(Fault):  # a change of what is not signed may leave it as it was
        assert read_directory(changed, (signer.certificate,), now).parts == tuple(parts_of())
    with pytest.raises(Fault):
        read_directory(junk, (signer.certificate,), now)
