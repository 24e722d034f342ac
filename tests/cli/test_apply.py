"""``xgate apply``, ``show`` and ``refresh``: everything or nothing, and never by surprise."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from xgate.securityserver.serverconf_source import open_store
from xgate.securityserver.settings import load_settings
from xgate.testing.documents import served_documents

if TYPE_CHECKING:
    from tests.cli.conftest import Ran

Run = Callable[..., "Ran"]
CLIENT = """
[[client]]
id = "XG/GOV/2/reg"
authentication = "NOSSL"

  [[client.service]]
  code = "people"
  url = "http://10.0.0.7/"
  allow = ["XG/COM/1/app"]
"""
WSDL = """<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:t="urn:t"
 xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"><w:binding name="b"><w:operation name="{name}"/>
</w:binding><w:service><w:port binding="t:b"><s:address location="http://h/"/></w:port></w:service>
</w:definitions>"""


class Scene:
    """A server's settings with a store, and a document to apply."""

    def __init__(self, folder: Path, run: Run) -> None:
        self.config = folder / "xgate.toml"
        self.config.write_text('server = "XG/GOV/2/SS"\n[serverconf]\nuse = "sqlite"\n')
        self.file = folder / "clients.toml"
        self.file.write_text(CLIENT)
        self._run = run

    def run(self, command: str, *arguments: object) -> Ran:
        files = [self.file] if command == "apply" else []
        return self._run(command, *files, "--config", self.config, *arguments)

    @property
    def revision(self) -> int:
        settings = load_settings(self.config)
        return open_store(settings.serverconf, self.config.parent).newest()


@pytest.fixture
def scene(tmp_path: Path, xgate: Run) -> Scene:
    return Scene(tmp_path, xgate)


@pytest.fixture
def documents() -> Iterator[tuple[str, dict[str, bytes]]]:
    with served_documents() as served:
        yield served


def test_a_document_is_applied_and_shown_and_applied_again_to_no_effect(scene: Scene) -> None:
    ran = scene.run("apply")
    assert (ran.code, ran.err) == (0, "")
    assert "+ client XG/GOV/2/reg service people url: http://10.0.0.7/" in ran.out
    assert ran.out.endswith("Applied as revision 1.\n")
    shown = scene.run("show")
    assert shown.code == 0
    assert shown.out.startswith("# revision 1, ")
    scene.file.write_text(shown.out)
    again = scene.run("apply")
    assert (again.code, again.out, scene.revision) == (0, "Nothing changes.\n", 1)


def test_a_change_is_told_before_it_is_made(scene: Scene) -> None:
    scene.run("apply")
    scene.file.write_text(CLIENT.replace("0.0.7", "0.0.8").replace("XG/COM/1/app", "XG/COM/1"))
    trial = scene.run("apply", "--dry-run")
    assert trial.code == 0
    assert trial.out.splitlines() == [
        "- client XG/GOV/2/reg service people allows XG/COM/1/app: * **",
        "+ client XG/GOV/2/reg service people allows XG/COM/1: * **",
        "~ client XG/GOV/2/reg service people url: http://10.0.0.7/ -> http://10.0.0.8/",
        "Nothing is applied: --dry-run.",
    ]
    assert scene.revision == 1
    said = json.loads(scene.run("apply", "--json").out)
    assert (said["applied"], said["revision"], len(said["changes"])) == (True, 2, 3)
    history = json.loads(scene.run("show", "--history", "--json").out)["history"]
    assert [entry["revision"] for entry in history] == [2, 1]
    assert "10.0.0.7" in scene.run("show", "--revision", "1").out


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("http://", "ftp://", "is not http"),
        ("XG/GOV/2/reg", "nobody", "'nobody' is not INSTANCE/CLASS/MEMBER"),
        ('code = "people"', 'code = "listMethods"', "reserved"),
        ("XG/COM/1/app", "group:all", "'group:all' is not group:INSTANCE/CODE"),
    ],
)
def test_a_document_that_cannot_be_a_configuration_changes_nothing(
    scene: Scene, old: str, new: str, text: str
) -> None:
    scene.file.write_text(CLIENT.replace(old, new))
    ran = scene.run("apply")
    assert (ran.code, scene.revision) == (1, 0)
    assert text in ran.err


def test_files_that_cannot_be_used_are_named(scene: Scene, tmp_path: Path, xgate: Run) -> None:
    scene.file.write_text("clint = 1\n")
    assert scene.run("apply").code == 2
    other = tmp_path / "other.toml"
    other.write_text('server = "XG/GOV/2/SS"\n')
    ran = xgate("show", "--config", other)
    assert ran.code == 2
    assert "say use = 'sqlite' or 'postgres'" in ran.err


def test_nothing_applied_is_told(scene: Scene) -> None:
    assert scene.run("show").code == 1
    assert scene.run("refresh").code == 1
    assert "+ client XG/GOV/2/reg" in scene.run("apply", "--dry-run").out
    assert not list(scene.file.parent.glob("*.sqlite"))  # who only looks makes nothing


def test_a_revision_that_there_cannot_be_is_told(scene: Scene) -> None:
    scene.run("apply")
    for number in ("2", "-1", str(1 << 80)):
        ran = scene.run("show", "--revision", number)
        assert (ran.code, ran.err.startswith("xgate: not_found: There is no such")) == (1, True)


def test_services_are_read_from_their_description_and_read_anew(
    scene: Scene, documents: tuple[str, dict[str, bytes]]
) -> None:
    base, served = documents
    url = f"{base}/x.wsdl"
    described = f'[[client.description]]\nurl = "{url}"\nallow = ["XG/COM/1"]\n'
    scene.file.write_text(f"{CLIENT}\n{described}")

    refused = scene.run("apply")
    assert (refused.code, scene.revision) == (1, 0)
    assert f"not read     {url}" in refused.out
    assert "http_error" in refused.out

    served["/x.wsdl"] = WSDL.format(name="getA").encode()
    assert scene.run("apply").code == 0
    assert "getA" in scene.run("show").out
    assert scene.run("refresh").out == "Nothing changes.\n"

    served["/x.wsdl"] = WSDL.format(name="getB").encode()
    ran = scene.run("refresh")
    assert (ran.code, scene.revision) == (0, 2)
    assert ran.out.splitlines()[:2] == [
        f"- client XG/GOV/2/reg description {url} service getA: http://h/",
        f"+ client XG/GOV/2/reg description {url} service getB: http://h/",
    ]

    del served["/x.wsdl"]
    assert (scene.run("refresh").code, scene.revision) == (1, 2)
    assert (scene.run("apply", "--force").code, scene.revision) == (0, 2)  # it stays as it was
    assert "getB" in scene.run("show").out


def test_descriptions_are_asked_for_with_the_servers_certificate(scene: Scene, xgate: Run) -> None:
    """As the services themselves are: theirs wants to see it."""
    folder = scene.file.parent
    with scene.config.open("a") as config:
        config.write('[tls]\ncertificate = "tls.crt"\nkey = "tls.key"\n')
    assert xgate("tls", "generate", "--config", scene.config).code == 0
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    context.load_verify_locations(folder / "tls.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    with served_documents(context) as (base, served):
        served["/x.wsdl"] = WSDL.format(name="getA").encode()
        url = f"{base.upper()}/x.wsdl"
        described = f'[[client.description]]\nurl = "{url}"\nverify-tls = false\n'
        scene.file.write_text(f"{CLIENT}\n{described}")
        assert scene.run("apply").code == 0
        assert "getA" in scene.run("show").out


@pytest.mark.parametrize(
    ("wsdl", "cause"),
    [
        (WSDL.format(name="getA").replace("http://h/", "/relative"), "is not http"),
        (WSDL.format(name="listMethods"), "the code listMethods is reserved"),
        (WSDL.format(name="mine"), "mine is in two descriptions"),
    ],
)
def test_a_description_that_says_what_cannot_be_hinders_no_other(
    scene: Scene, documents: tuple[str, dict[str, bytes]], wsdl: str, cause: str
) -> None:
    base, served = documents
    described = "".join(f'[[client.description]]\nurl = "{base}/{n}.wsdl"\n' for n in (1, 2))
    scene.file.write_text(f"{CLIENT}\n{described}")
    served["/1.wsdl"] = WSDL.format(name="mine").encode()
    served["/2.wsdl"] = wsdl.encode()
    refused = scene.run("apply")
    assert (refused.code, scene.revision) == (1, 0)
    assert cause in refused.out
    assert (scene.run("apply", "--force").code, scene.revision) == (0, 1)
    served["/2.wsdl"] = WSDL.format(name="other").encode()
    assert (scene.run("refresh").code, scene.revision) == (0, 2)


def test_a_user_without_a_name_is_told_by_number(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)

    def nobody(_: int) -> None:
        raise KeyError("no such user")

    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert scene.run("apply").code == 0
    assert f"uid {os.getuid()}" in scene.run("show", "--history").out
