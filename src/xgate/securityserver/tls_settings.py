"""The settings of TLS towards information systems: ``[tls]``.

The rule: nothing is opened here; the defaults are the reference's (pipeline 4).
"""

from __future__ import annotations

from xgate.securityserver.section import Section

__all__ = ["TlsSettings"]


class TlsSettings(Section, frozen=True):
    """This server's certificate towards information systems, and what is asked of theirs.

    :param certificate: PEM, with those above it behind it; empty: one is made at every start.
    :param key: PEM, of nobody else's reading. ``xgate tls`` makes and changes both files.
    :param verify_clients: whether a client's ``authentication`` counts for messages; false only
        where something in front of this server does that work. For ``/asic`` it always counts.
    :param refuse_expired_clients: refuse certificates of information systems, though they are
        listed, outside of the period that they say.
    :param log_clients: whether an exchange's log line tells the certificate that an information
        system showed: its subject, which is a person's name now and then, and its SHA-256.
    """

    certificate: str = ""
    key: str = ""
    verify_clients: bool = True
    refuse_expired_clients: bool = False
    log_clients: bool = False
