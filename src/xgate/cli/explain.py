"""``xgate explain``: what a fault code means, and what happened to an exchange.

The rule: a code is explained piece by piece: who refused, while doing what, what it means and what
to do next, in either spelling. Anything else is an id: of a fault (its detail), of a message or of
an exchange; it is looked for in the server's own log lines and in its operational records. Where a
line tells which limit was met, that is the explanation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from xgate.cli.foreign_words import FOREIGN_WORDS
from xgate.cli.limit_words import LIMIT_WORDS, explain_limit
from xgate.cli.logstore import read_settings
from xgate.cli.management_words import MANAGEMENT_WORDS
from xgate.cli.message_words import LOOK_IN_BOTH_LOGS, MESSAGE_WORDS, PREFIXES
from xgate.cli.output import Unusable, path_text, print_json, print_line, print_rows
from xgate.cli.words import Words, find_words
from xgate.errors import Fault
from xgate.opmonitor.record import OperationalRecord, write_record
from xgate.opmonitor.sqlite import SqliteOperationalStore
from xgate.wire.fault_codes import new_code

__all__ = ["Explanation", "explain", "explain_code"]

_CODE = re.compile(r"[A-Za-z_]+(?:\.[A-Za-z_]+)*")
_CAUSE = re.compile(r"(?<![\w.])([a-z]+(?:[._][a-z]+)+): ")
_IDS = ("detail", "id", "request_id")
_ALWAYS = 1 << 40
_LONGEST_LINE = 1 << 20


class Explanation(msgspec.Struct, frozen=True):
    """What a code means.

    :param code: in the spelling since X-Road 7.8. :param before: what the pieces in front say.
    """

    code: str
    before: tuple[str, ...]
    meaning: str
    next_step: str


def explain(
    what: str,
    /,
    *,
    log: Path | None = None,
    config: Path | None = None,
    json: bool = False,
) -> int:
    """Explain a fault code, or find what happened to an exchange.

    Exit code 0 when it is known, 1 when it is not, 2 when a file that is named cannot be used.

    :param what: A code, for example server.clientproxy.network_error or
        Server.ClientProxy.NetworkError; a limit that /statistics names, for example exchanges; or
        an id: the detail of a fault, a message's id (X-Road-Id) or an exchange's
        (x-road-request-id).
    :param log: A file with the server's log lines.
    :param config: The server's settings file: its operational records.
    :param json: Print one JSON object.
    """
    explanation = explain_code(what)
    if explanation is not None:
        _show_code(explanation, json=json)
        return 0
    if log is None and config is None:
        raise Fault(
            "not_found",
            f"'{what}' is no code that is known here; if it is an id, say where to look: --log "
            "with the server's log lines, or --config with its settings",
        )
    found = [*_lines(what, log), *_records(what, config)]
    if not found:
        raise Fault("not_found", f"Nothing is known of '{what}' there{_elsewhere(log)}")
    _show_found(what, found, json=json)
    return 0


def _elsewhere(log: Path | None) -> str:
    if log is not None:
        return ""
    return "; records come some seconds late and have no fault's detail: look in the log with --log"


def explain_code(text: str) -> Explanation | None:
    """What a code in either spelling, or the name of a limit, means; None for any other text."""
    if text in LIMIT_WORDS:
        limit = LIMIT_WORDS[text]
        return Explanation(text, (), limit.meaning, limit.look_at)
    if not _CODE.fullmatch(text):
        return None
    code = new_code(text)
    words = _words(code)
    if words is None:
        return None
    pieces = code.split(".")
    said = (PREFIXES.get(".".join(pieces[:2])), *map(PREFIXES.get, pieces[:-1]))
    before = (sentence for sentence in said if sentence and sentence != words.meaning)
    return Explanation(code, tuple(dict.fromkeys(before)), words.meaning, words.look_at)


def _words(code: str) -> Words | None:
    last = code.rpartition(".")[2]
    found = MESSAGE_WORDS.get(last) or find_words(code) or MANAGEMENT_WORDS.get(last)
    return found or FOREIGN_WORDS.get(last) or _words_of_prefix(code)


def _words_of_prefix(code: str) -> Words | None:
    """For a code that ends where others go on: it says who refused, and no more."""
    meaning = PREFIXES.get(code) or PREFIXES.get(code.rpartition(".")[2])
    return None if meaning is None else Words(meaning, LOOK_IN_BOTH_LOGS)


def _lines(what: str, log: Path | None) -> Iterator[dict[str, Any]]:
    """The log's lines that have the id in one of their fields."""
    if log is None:
        return
    wanted = what.encode("utf-8", "surrogateescape")  # as it stood on the command line
    try:
        with log.open("rb") as file:
            while line := file.readline(_LONGEST_LINE):
                if wanted in line:
                    yield from _matching(what, line)
    except OSError as error:
        raise Unusable(f"Cannot read {path_text(log)}: {error.strerror}") from None


def _matching(what: str, line: bytes) -> Iterator[dict[str, Any]]:
    start = line.find(b"{")  # a journal may have put a time and a name in front
    try:
        fields = msgspec.json.decode(line[max(start, 0) :])
    except msgspec.DecodeError:
        return
    if isinstance(fields, dict) and _is_about(what, fields):
        yield fields


def _is_about(what: str, fields: dict[str, Any]) -> bool:
    """A fault that was told on as another's cause has its own id in that one's text."""
    return what in map(fields.get, _IDS) or f"[{what}]" in str(fields.get("text", ""))


def _records(what: str, config: Path | None) -> Iterator[dict[str, Any]]:
    if config is None:
        return
    settings = read_settings(config)
    path = config.resolve().parent / settings.opmonitor.path
    if settings.opmonitor.use != "sqlite" or not path.is_file():
        raise Unusable(f"There are no operational records at {path_text(path)}")
    try:
        store = SqliteOperationalStore(path, read_only=True)
    except OSError as error:
        raise Unusable(str(error)) from None
    try:
        for stored in store.find(0, _ALWAYS):
            if what in (stored.record.message_id, stored.record.x_request_id):
                yield _record_fields(stored.record)
    except (OSError, msgspec.MsgspecError) as error:
        raise Unusable(f"The operational records in {path_text(path)}: {error}") from None
    finally:
        store.close()


def _record_fields(record: OperationalRecord) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.json.decode(write_record(record))
    code, text = fields.pop("faultCode", None), fields.pop("faultString", None)
    known = {"event": "operational record", **fields, "code": code, "text": text}
    return {name: value for name, value in known.items() if value is not None}


def _show_code(explanation: Explanation, *, json: bool) -> None:
    if json:
        print_json(explanation)
        return
    print_line(explanation.code)
    print_rows(("", sentence) for sentence in explanation.before)
    print_rows([("means", explanation.meaning), ("next", explanation.next_step)])


def _show_found(what: str, found: list[dict[str, Any]], *, json: bool) -> None:
    explained = dict.fromkeys(
        explanation for fields in found for explanation in _explain_found(fields)
    )
    if json:
        print_json({"id": what, "found": found, "explanations": list(explained)})
        return
    for fields in found:
        print_line(f"{fields.get('event', 'line')}  {fields.get('time', '')}".rstrip())
        shown = ((name, str(value)) for name, value in fields.items() if name not in _HEADING)
        print_rows((f"{name} ", text) for name, text in shown)
    for explanation in explained:
        _show_code(explanation, json=False)


def _explain_found(fields: Mapping[str, Any]) -> Iterator[Explanation]:
    """What the code of a line means, or which limit of ours was met, if it tells that; and what
    the text tells as the cause.
    """
    explanation = explain_code(str(fields.get("code", "")))
    words = explain_limit(str(fields.get("limit", "")))
    if explanation is not None and words is not None:
        explanation = replace(explanation, meaning=words.meaning, next_step=words.look_at)
    causes = map(explain_code, _CAUSE.findall(str(fields.get("text", ""))))
    yield from (found for found in (explanation, *causes) if found is not None)


_HEADING = ("event", "time")
