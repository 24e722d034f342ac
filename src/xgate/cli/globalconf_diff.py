"""``xgate globalconf diff``: what two configurations say differently.

The rule: each is a configuration client's folder, or a published tree, which is proven from its
anchor first; the second may be proven by keys that the first has taught, as by a client that has
seen both. Only what they say is compared: their order, signatures and expiry are not.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from xgate.cli.changes import change_line, changes_between
from xgate.cli.globalconf_facts import facts_of
from xgate.cli.output import Unusable, path_text, print_json, print_line
from xgate.cli.published import read_given_anchor, read_moment
from xgate.clock import SystemClock
from xgate.errors import Fault
from xgate.globalconf.anchor import Anchor
from xgate.globalconf.disk import holds_configuration, read_disk
from xgate.globalconf.file_source import published_tree
from xgate.globalconf.http_source import HttpSource
from xgate.globalconf.source import LoadedConf

__all__ = ["diff"]


def diff(
    before: Path,
    after: Path,
    /,
    *,
    anchor: Path | None = None,
    at: str | None = None,
    json: bool = False,
) -> int:
    """Compare two configurations: folders of configuration clients, or published ones.

    Exit code 0 when they say the same, 1 when they do not, 2 when one of them holds none, or
    nothing that its anchor proves.

    :param before: The one folder: a client's, or the web root of a central server or proxy.
    :param after: The other.
    :param anchor: The configuration anchor (an XML file) that published ones are proven by.
    :param at: Judge published ones as of this time, as for verify.
    :param json: Print one JSON object.
    """
    given = None if anchor is None else read_given_anchor(anchor)[0]
    moment = SystemClock().now() if at is None else read_moment(at)
    first = _read(before, given, moment, None)
    second = _read(after, given, moment, first)
    changes = changes_between(facts_of(first.conf), facts_of(second.conf))
    if json:
        print_json({"same": not changes, "changes": changes})
        return 1 if changes else 0
    for change in changes:
        print_line(change_line(change))
    if not changes:
        print_line("They say the same.")
    return 1 if changes else 0


def _read(
    directory: Path, anchor: Anchor | None, at: datetime, before: LoadedConf | None
) -> LoadedConf:
    shown = path_text(directory)
    try:
        if holds_configuration(directory):
            return read_disk(directory, None)
        if anchor is None:
            raise Unusable(
                f"{shown} holds no configuration of a client; for a published one give its --anchor"
            )
        tree = published_tree(directory)
        return HttpSource(anchor, tree, known=before, older=True).fetch(at)
    except (Fault, OSError) as error:
        raise Unusable(f"{shown} holds no configuration: {error}") from None
