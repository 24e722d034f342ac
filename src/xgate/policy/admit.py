"""May this information system speak for this client here?

The rule: the client must be registered on this server, and its connection must be of the kind that
the client's authentication mode asks for. Certificates are compared whole, octet for octet; no
chain and no address counts, and their period only where that is asked for (pipeline 3 row 8,
pipeline 4).
"""

from __future__ import annotations

from datetime import datetime
from typing import NoReturn

import msgspec

from xgate.errors import Fault
from xgate.ids import ClientId
from xgate.serverconf.model import Authentication, Client, ServerConf
from xgate.trust.certificate import Certificate

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


def check_caller(
    client: Client,
    caller: Caller,
    own_certificate: bytes | None = None,
    now: datetime | None = None,
) -> None:
    """Refuse a connection that the client's authentication mode does not allow.

    :param own_certificate: DER of this server's internal TLS certificate, always acceptable.
    :param now: when a certificate must be valid; None: whatever period it says.
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
    if now is not None:
        _check_period(client, caller.certificate, now)


def _check_period(client: Client, certificate: bytes, now: datetime) -> None:
    try:
        loaded = Certificate.load(certificate)
    except Fault:
        _refuse(client, "TLS certificate tells no period")
    if now > loaded.not_after:
        _refuse(client, "TLS certificate is expired")
    if now < loaded.not_before:
        _refuse(client, "TLS certificate is not yet valid")


def _refuse(client: Client, text: str) -> NoReturn:
    raise Fault("ssl_authentication_failed", f"Client ({client.id}) {text}")
