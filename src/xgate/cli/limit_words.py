"""What it means that a message met a limit of this server, and what to do: for ``xgate explain``.

The rule: one row for each setting that a log line may name in ``limit``, or ``/statistics`` under
``refused``; the line itself tells the value and the gate. Raising a limit is one way, and seldom
the first one.
"""

from __future__ import annotations

from xgate.cli.words import Words

__all__ = ["LIMIT_WORDS", "explain_limit"]

_LOOK = "GET /statistics at the health port tells how full each gate is"
_SHARE = "nobody may hold more of it than is still free"

LIMIT_WORDS: dict[str, Words] = {
    "exchanges": Words(
        "This server refused early: of the exchanges that run at once, whoever was refused held as "
        "many as were free, and none ended within `wait-seconds`.",
        f"{_LOOK}; the log's lines tell by `peer` who calls, and by `ms` whom they wait for. Raise "
        "it if memory and processors have room.",
    ),
    "exchanges-waiting": Words(
        "This server refused early: too many exchanges waited for their turn already.",
        f"{_LOOK}. Waiting helps nobody for long: raise `exchanges` first.",
    ),
    "late-seconds": Words(
        "This server refused early: its tasks got their turns so late that one exchange more would "
        "have delayed all others.",
        "Look for other load on the machine, and for a disk that stalls; add processors or "
        "servers. A higher value makes callers wait instead.",
    ),
    "slow-log-seconds": Words(
        "This server refused early: the message log was so far behind that one exchange more would "
        "have delayed all others.",
        "Look at the disk or the database of the message log. A higher value makes callers wait "
        "instead.",
    ),
    "memory-bytes": Words(
        f"This server refused early: the memory for messages is shared, and {_SHARE}.",
        f"{_LOOK}. Raise it if the machine has the memory, or lower `soap-bytes`.",
    ),
    "connections-per-address": Words(
        "Connections were closed at once, because one address holds as many as it may, or as many "
        "as are free.",
        f"The log's lines 'connection refused' tell whose. {_LOOK}. Raise it for a proxy in front "
        "of many; raise `connections`, and the server's open files, if all are taken.",
    ),
    "connections-per-server": Words(
        "Connections of another security server were closed, because it holds as many as it may.",
        "The log's lines 'peer refused' tell whose. Ask its operator whether it keeps connections "
        "that it does not use; raise it if its messages need so many.",
    ),
    "most-bytes": Words(
        "The bodies that wait in files have all the room that they may have together.",
        "GET /statistics at the health port tells how much they take. Raise it if the disk of "
        "`[spool] directory` has more.",
    ),
    "message-bytes": Words(
        "The bodies of this one message are larger than those of one message may be together.",
        "Raise it if such messages are meant to pass.",
    ),
    "free-bytes": Words(
        "The disk of `[spool] directory` has no more left than must stay free for others.",
        "Make room on it, or give bodies a disk of their own.",
    ),
}
"""By the name of the setting."""


def explain_limit(limit: str) -> Words | None:
    """Words for what a log line has as ``limit``: ``[section] name = value, ...``."""
    name = limit.partition("] ")[2].partition(" ")[0]
    words = LIMIT_WORDS.get(name)
    return words and Words(f"{words.meaning} The limit: {limit}.", words.look_at)
