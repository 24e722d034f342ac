"""Whether a certificate is good now: asked of the responders, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from xgate.clock import SystemClock
from xgate.errors import Fault
from xgate.globalconf.anchor import read_anchor
from xgate.globalconf.conf import GlobalConf
from xgate.globalconf.file_source import TreeSource
from xgate.sandbox.background import Running, run_in_background
from xgate.sandbox.country import found_country
from xgate.securityserver.certificate_check import check_good_now
from xgate.securityserver.settings import Settings, load_settings
from xgate.trust.certificate import Certificate


@pytest.fixture(scope="module")
def at_work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    country = found_country(tmp_path_factory.mktemp("country"), SystemClock().now(), kind="P-256")
    with run_in_background(country, SystemClock()) as running:
        yield running


class Desk:
    def __init__(self, running: Running, conf: GlobalConf) -> None:
        self.folder: Path = running.country.consumer.folder
        self.settings: Settings = load_settings(self.folder / "xgate.toml")
        self.conf = conf
        self.certificate: Certificate = running.country.consumer.sign.certificate

    async def check(self) -> None:
        await check_good_now(self.certificate, self.conf, self.settings, SystemClock())


async def test_good_and_not_good(at_work: Running) -> None:
    country = at_work.country
    anchor = read_anchor((country.folder / "configuration-anchor.xml").read_bytes())
    desk = Desk(at_work, TreeSource(anchor, country.web_root).fetch(SystemClock().now()).conf)
    await desk.check()
    at_work.authority.revoked[desk.certificate.serial] = SystemClock().now()
    with pytest.raises(Fault, match=r"not good now: .*REVOKED") as caught:
        await desk.check()
    assert caught.value.code == "internal_error"
    at_work.authority.revoked.clear()
    at_work.authority.away.add("ocsp")
    with pytest.raises(Fault, match=r"no OCSP response for certificate .*; http://"):
        await desk.check()
    at_work.authority.away.clear()
