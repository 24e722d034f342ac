"""May this information system speak for this client here?

The rule: the client must be registered on this server, and its connection must be of the kind that
the client's authentication mode asks for. Certificates are compared whole, octet for octet; no
chain, no address, no expiry counts (pipeline 3 row 8, pipeline 4).
"""

from __future__ import annotations

from typing import NoReturn

import msgspec

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.serverconf.model import Authentication, Client, ServerConf

__all__ = ["Caller", "check_caller", "check_registered"]


class Caller(msgspec.Struct, frozen=True):
    """How an information system is connected: over TLS or not, and with which certificate (DER)."""

    secure: bool
    certificate: bytes | None = None


def check_registered(conf: ServerConf, client: ClientId) -> Client:
    """The registered client of this identifier.

    :raises Fault: ``unknown_member``.
    """
    registered = conf.find_client(client)
    if registered is None:
        raise Fault("unknown_member", f"Client '{client}' not found")
    return registered


def check_caller(client: Client, caller: Caller, own_certificate: bytes | None = None) -> None:
    """Refuse a connection that the client's authentication mode does not allow.

    :param own_certificate: DER of this server's internal TLS certificate, always acceptable.
    :raises Fault: ``ssl_authentication_failed`` with the reference's words, in its order.
    """
    mode = client.authentication
    if mode is Authentication.NOSSL:
        return
    if mode is Authentication.SSLNOAUTH:
        if not caller.secure:
            _refuse(client, "specifies HTTPS NO AUTH but client made plaintext connection")
        return
    if not caller.secure or caller.certificate is None:
        _refuse(client, "specifies HTTPS but did not supply TLS certificate")
    if caller.certificate == own_certificate:
        return
    if not client.certificates:
        _refuse(client, "has no IS certificates")
    if caller.certificate not in client.certificates:
        _refuse(client, "TLS certificate does not match any IS certificates")


def _refuse(client: Client, text: str) -> NoReturn:
    raise Fault("ssl_authentication_failed", f"Client ({client.id}) {text}")
