"""A generation as published is a configuration as fetched."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from xgate.globalconf.anchor import Anchor, AnchorSource
from xgate.globalconf.directory import PRIVATE_PARAMETERS, SHARED_PARAMETERS
from xgate.globalconf.file_source import TreeSource
from xgate.globalconf.generate import Boundaries, DirectorySigner, write_private, write_shared
from xgate.globalconf.private import PrivateParameters
from xgate.globalconf.publish import PublishedPart, publish
from xgate.globalconf.shared import SharedParameters


def test_what_is_published_can_be_fetched(
    tmp_path: Path,
    country: SharedParameters,
    private_parameters: PrivateParameters,
    signer: DirectorySigner,
    now: datetime,
) -> None:
    files = publish(
        "XX",
        (
            PublishedPart(SHARED_PARAMETERS, "shared-params.xml", write_shared(country)),
            PublishedPart(
                PRIVATE_PARAMETERS, "private-params.xml", write_private(private_parameters)
            ),
        ),
        signer,
        Boundaries("outer", "inner"),
        generation="20261123120000",
        expires=now,
    )
    assert list(files) == [
        "V6/20261123120000/shared-params.xml",
        "V6/20261123120000/private-params.xml",
        "V6/internalconf",  # the directory comes last
    ]
    for name, octets in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(octets)
    anchor = Anchor("XX", (AnchorSource("http://cs/internalconf", (signer.certificate,)),))
    conf = TreeSource(anchor, tmp_path).fetch(now).conf
    assert conf.instances["XX"].shared == country
    assert conf.instances["XX"].private == private_parameters
    assert conf.valid_at(now)
