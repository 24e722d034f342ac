"""What an information system asks for when it downloads evidence: the query of ``/asic``.

The rule: the parameters are read in the order in which the reference looks at them, and each
refusal has its HTTP status and its words. Who asks is proven between the first step and the second,
and whether there is anything to hand out before the last one. Of a parameter that is given twice
the first one counts; for a flag it is enough to be there. Source: asic 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal
from urllib.parse import quote_plus, unquote_to_bytes

import msgspec

from xgate.errors import Fault
from xgate.ids import ClientId

__all__ = [
    "ASIC_PATH",
    "CONF_PATH",
    "NOT_STAMPED",
    "NotHandedOut",
    "Wanted",
    "bundle_name",
    "check_unique",
    "is_download",
    "nothing_found",
    "read_owner",
    "read_parameters",
    "read_wanted",
]

ASIC_PATH, CONF_PATH = "/asic", "/verificationconf"
"""The paths of the downloads."""
NOT_STAMPED = "Message signature has not been timestamped yet!"
"""What is said when there is a record that cannot be proven yet."""
_MOST_PARAMETERS = 100
_ENCODED_NAME = 226  # as in a container's name


class NotHandedOut(Fault):
    """A download that is refused: with an HTTP status and a sentence, and no fault document.

    It takes no prefix: its code never leaves our own log.
    """

    def __init__(self, status: Literal[400, 401, 404, 500], code: str, text: str) -> None:
        super().__init__(code, text)
        self.status = status

    def under(self, prefix: str) -> Fault:
        """Itself: no prefix changes it."""
        return self


class Wanted(msgspec.Struct, frozen=True):
    """Which containers, and how.

    :param response: only requests (False), only responses (True), or both.
    :param unique: one bare container instead of a zip of all.
    :param force: time-stamp what has no time-stamp yet.
    """

    query_id: str
    response: bool | None
    unique: bool
    force: bool


def is_download(method: str, path: str) -> bool:
    """Whether this is a download; with any other method, or below these paths, it is none."""
    return method == "GET" and path in (ASIC_PATH, CONF_PATH)


def read_parameters(query: str | None) -> Mapping[str, str]:
    """The parameters of a raw query, form-decoded.

    :raises NotHandedOut: 400: not UTF-8, or more than anybody needs.
    """
    fields = (query or "").split("&")
    if len(fields) > _MOST_PARAMETERS:
        raise _bad("There are too many parameters.")
    parameters: dict[str, str] = {}
    for name, _, value in (field.partition("=") for field in fields if field):
        parameters.setdefault(_decoded(name), _decoded(value))
    return parameters


def read_owner(parameters: Mapping[str, str]) -> ClientId:
    """Under which client the messages were logged.

    :raises NotHandedOut: 400: a part is not given, or blank.
    """
    instance, member_class, member_code = (
        _required(parameters, name) for name in ("xRoadInstance", "memberClass", "memberCode")
    )
    subsystem = parameters.get("subsystemCode")
    try:
        return ClientId(instance, member_class, member_code, subsystem)
    except Fault as fault:
        raise _bad(fault.text) from fault


def read_wanted(parameters: Mapping[str, str]) -> Wanted:
    """What is asked for.

    :raises NotHandedOut: 400: there is no query id, or it must be both, only requests and only
        responses.
    """
    query_id = _required(parameters, "queryId")
    requests, responses = "requestOnly" in parameters, "responseOnly" in parameters
    if requests and responses:
        raise _bad('Parameters "requestOnly" and "responseOnly" cannot be used at the same time.')
    direction = responses if requests or responses else None
    return Wanted(query_id, direction, "unique" in parameters, "force" in parameters)


def check_unique(wanted: Wanted) -> None:
    """Refuse to pick one container out of requests and responses.

    :raises NotHandedOut: 400.
    """
    if wanted.unique and wanted.response is None:
        raise _bad(
            'Parameter "unique" not applicable without "requestOnly" or "responseOnly".',
        )


def nothing_found() -> NotHandedOut:
    """The refusal when the log has nothing of this kind: 404."""
    return NotHandedOut(404, "not_found", "No signed documents found")


def bundle_name(wanted: Wanted) -> str:
    """The file name of the zip of containers; fit for a quoted header value."""
    name = quote_plus(wanted.query_id, safe="*").replace("~", "%7E")[:_ENCODED_NAME]
    direction = {None: "", True: "-response", False: "-request"}[wanted.response]
    return f"{name}{direction}.zip"


def _required(parameters: Mapping[str, str], name: str) -> str:
    if name not in parameters:
        raise _bad(f'Parameter "{name}"  must be specified.')  # two blanks: the reference's words
    return parameters[name]


def _decoded(text: str) -> str:
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode()
    except UnicodeDecodeError:
        raise _bad("A parameter is not UTF-8.") from None


def _bad(text: str) -> NotHandedOut:
    return NotHandedOut(400, "bad_request", text)
