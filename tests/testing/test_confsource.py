"""The shipped sources are held against their duties, and a bad one does not pass."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

import pytest

from xgate.globalconf.anchor import Anchor, AnchorSource
from xgate.globalconf.disk import DiskSource, write_disk
from xgate.globalconf.file_source import TreeSource, published_tree
from xgate.globalconf.generate import (
    PRIVATE_PARAMETERS,
    SHARED_PARAMETERS,
    Boundaries,
    software_signer,
    write_private,
    write_shared,
)
from xgate.globalconf.http_source import HttpSource
from xgate.globalconf.private import ManagementService, PrivateParameters
from xgate.globalconf.publish import PublishedPart, publish
from xgate.globalconf.shared import SharedParameters, Source
from xgate.globalconf.source import ConfSource, LoadedConf
from xgate.ids import ClientId
from xgate.testing.confsource import CONF_NOW, ConfPlace, ConfSourceDuties
from xgate.testing.pki import make_ca

KEY = make_ca("configuration")
ANCHOR = Anchor("XX", (AnchorSource("http://cs/internalconf", (KEY.certificate.der,)),))
PRIVATE = PrivateParameters("XX", ManagementService("https://cs/", ClientId("XX", "GOV", "1")), 60)


class Tree:
    """A web root on disk, and the sources that read it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def publish(self, freshness: int, expires: datetime) -> None:
        shared = SharedParameters(
            "XX",
            sources=(Source("cs", (KEY.certificate.der,)),),
            ocsp_freshness_seconds=freshness,
        )
        files = publish(
            "XX",
            [
                PublishedPart(PRIVATE_PARAMETERS, "private-params.xml", write_private(PRIVATE)),
                PublishedPart(SHARED_PARAMETERS, "shared-params.xml", write_shared(shared)),
            ],
            software_signer(KEY.key, KEY.certificate.der),
            Boundaries("o", "i"),
            generation=str(freshness),
            expires=expires,
        )
        for name, octets in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(octets)

    def spoil(self) -> None:
        for path in self.root.rglob("*conf"):
            path.write_bytes(path.read_bytes().replace(b"Expire-date: 2026", b"Expire-date: 2027"))

    def open_source(self) -> ConfSource:
        return TreeSource(ANCHOR, self.root)


class Download(Tree):
    """The same root, over whatever fetches URLs."""

    def open_source(self) -> ConfSource:
        return HttpSource(ANCHOR, published_tree(self.root))


class Kept(Tree):
    """The folder of a configuration client that reads the root."""

    def publish(self, freshness: int, expires: datetime) -> None:
        super().publish(freshness, expires)
        write_disk(self.root / "kept", TreeSource(ANCHOR, self.root).fetch(CONF_NOW))

    def spoil(self) -> None:
        for path in (self.root / "kept").rglob("*.xml"):
            path.write_bytes(path.read_bytes()[:-30])

    def open_source(self) -> ConfSource:
        (self.root / "kept").mkdir(parents=True, exist_ok=True)
        return DiskSource(self.root / "kept")


class TestTree(ConfSourceDuties):
    @pytest.fixture
    def place(self, tmp_path: Path) -> ConfPlace:
        return Tree(tmp_path)


class TestHttp(ConfSourceDuties):
    @pytest.fixture
    def place(self, tmp_path: Path) -> ConfPlace:
        return Download(tmp_path)


class TestDisk(ConfSourceDuties):
    @pytest.fixture
    def place(self, tmp_path: Path) -> ConfPlace:
        return Kept(tmp_path)


class Gullible(Tree):
    """A source that believes what it has once seen, and never looks again."""

    def open_source(self) -> ConfSource:
        source = TreeSource(ANCHOR, self.root)

        class Once:
            seen: LoadedConf | None = None

            def fetch(self, now: datetime) -> LoadedConf:
                self.seen = self.seen or source.fetch(now)
                return self.seen

        return Once()


def test_a_source_that_never_looks_again_does_not_pass(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        ConfSourceDuties().test_what_is_new_is_got_and_the_old_stays_what_it_was(Gullible(tmp_path))
    shutil.rmtree(tmp_path)
