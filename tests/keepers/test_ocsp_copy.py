"""A copy of the responses at hand: written behind everybody's back, used at the next start."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from xgate.globalconf.conf import GlobalConf
from xgate.keepers.ocsp_copy import keep_ocsp_copy, restore_ocsp
from xgate.signer.ocsp_cache import OcspCache
from xgate.testing.authority import NOW, Authority
from xgate.testing.conf import make_conf
from xgate.testing.outside import Watch
from xgate.testing.pki import issue_auth
from xgate.trust.certificate import Certificate


@pytest.fixture(scope="module")
def certificates(authority: Authority) -> list[Certificate]:
    return [issue_auth(authority.ca, f"ss{number}").certificate for number in range(3)]


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.ocsp")}


async def written(folder: Path, *certificates: Certificate) -> None:
    """Waits until the folder holds the responses of just these."""
    while _names(folder) != {f"{certificate.sha1}.ocsp" for certificate in certificates}:
        await trio.lowlevel.checkpoint()


async def test_what_changes_is_written_and_there_at_the_next_start(
    authority: Authority, certificates: list[Certificate], tmp_path: Path, watch: Watch
) -> None:
    cache, conf = OcspCache(limit=2), make_conf(authority)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_ocsp_copy, cache, tmp_path, watch)
        for certificate in certificates[:2]:
            cache.put(certificate, authority.vouch(certificate))
        await written(tmp_path, *certificates[:2])
        cache.drop(certificates[0])
        await written(tmp_path, certificates[1])
        for certificate in certificates:
            cache.put(certificate, authority.vouch(certificate))
        await written(tmp_path, *certificates[1:])
        nursery.cancel_scope.cancel()
    assert watch.reports == []
    again = OcspCache()
    restore_ocsp(again, tmp_path, 10, conf, NOW, watch)
    assert [again.find(c.sha1, conf, NOW) is not None for c in certificates] == [False, True, True]
    (report,) = watch.reports
    assert (report.name, report.fields) == ("OCSP responses restored", {"kept": 2, "dropped": 0})


async def test_a_folder_that_cannot_be_written_is_told_of_and_tried_again(
    authority: Authority,
    certificates: list[Certificate],
    tmp_path: Path,
    watch: Watch,
    autojump_clock: MockClock,
) -> None:
    folder = tmp_path / "ocsp"
    folder.write_text("in the way")
    cache = OcspCache()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_ocsp_copy, cache, folder, watch)
        first, second, _ = certificates
        cache.put(first, authority.vouch(first))
        await watch.wait("OCSP responses not kept")
        folder.unlink()
        cache.put(second, authority.vouch(second))
        await written(folder, first, second)
        nursery.cancel_scope.cancel()
    (report,) = watch.reports
    assert "exists" in str(report.fields["cause"])


async def test_what_is_stale_by_now_stays_behind(
    authority: Authority, certificates: list[Certificate], tmp_path: Path, watch: Watch
) -> None:
    first, second, third = certificates
    (tmp_path / f"{first.sha1}.ocsp").write_bytes(authority.vouch(first))
    old = authority.vouch(second, at=NOW - timedelta(hours=2))
    (tmp_path / f"{second.sha1}.ocsp").write_bytes(old)
    (tmp_path / f"{third.sha1}.ocsp").write_bytes(b"damaged")
    cache = OcspCache()
    restore_ocsp(cache, tmp_path, 10, make_conf(authority), NOW, watch)
    assert [cache.kept(c.sha1) is not None for c in certificates] == [True, False, False]
    assert {one.name: one.fields for one in watch.reports} == {
        "OCSP response passed over": {
            "file": str(tmp_path / f"{third.sha1}.ocsp"),
            "cause": "it is no OCSP response",
        },
        "OCSP responses restored": {"kept": 1, "dropped": 1},
    }


async def test_without_a_configuration_nobody_can_say_what_is_stale(
    authority: Authority, certificates: list[Certificate], tmp_path: Path, watch: Watch
) -> None:
    first = certificates[0]
    old = authority.vouch(first, at=NOW - timedelta(days=100))
    (tmp_path / f"{first.sha1}.ocsp").write_bytes(old)
    cache = OcspCache()
    restore_ocsp(cache, tmp_path, 10, GlobalConf("XG", {}), NOW, watch)
    assert cache.kept(first.sha1) == old


async def test_a_folder_that_cannot_be_read_is_told_of_and_counts_as_empty(
    authority: Authority, tmp_path: Path, watch: Watch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    restore_ocsp(OcspCache(), tmp_path / "file", 10, make_conf(authority), NOW, watch)
    (report,) = watch.reports
    assert report.name == "OCSP responses not restored"
    assert os.strerror(20) in str(report.fields["cause"])
