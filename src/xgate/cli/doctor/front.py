"""The check of what this server shows to information systems: the certificate of its HTTPS port.

The rule: it is opened as the server opens it, for a server that cannot does not start. Whether
information systems trust it is their affair.
"""

from __future__ import annotations

from datetime import timedelta

import trio

from xgate.cli.doctor.case import Case, serial_text
from xgate.cli.doctor.chain import Findings
from xgate.cli.doctor.finding import broken, ok, skipped, warning
from xgate.cli.doctor.times import length_text
from xgate.cli.show import time_text
from xgate.errors import Fault
from xgate.net.context import information_system_context
from xgate.net.errors import TlsError
from xgate.securityserver.internal_identity import load_internal_identity
from xgate.securityserver.settings import SettingsError
from xgate.trust.certificate import Certificate

__all__ = ["check_tls"]


async def check_tls(case: Case) -> Findings:
    """The certificate and key of ``[tls]`` can be used, and for some time."""
    if not case.settings.tls.verify_clients:
        return [
            warning(
                "[tls] verify-clients = false: whoever reaches the client ports is any client",
                fix="Set it to true, unless something in front of this server knows them.",
            ),
            *await _look(case),
        ]
    return await _look(case)


async def _look(case: Case) -> Findings:
    settings, now = case.settings.tls, case.clock.now()
    if not settings.certificate:
        return [skipped("none is named in [tls]: the server makes one when it starts")]
    fix = "Name PEM files that belong together in [tls]; xgate tls generate makes such."
    try:
        identity = await trio.to_thread.run_sync(load_internal_identity, settings, case.folder, now)
        information_system_context(identity)
        certificate = Certificate.load(identity.chain[0])
    except SettingsError as error:
        return [broken(str(error), fix=fix)]
    except TlsError as error:
        return [broken(f"[tls] cannot be used: {error}", fix=fix)]
    except Fault as fault:
        return [broken(f"[tls] certificate: {fault.text}", fix=fix)]
    about = serial_text(certificate)
    until = time_text(certificate.not_after)
    renew = "Put a new certificate there (xgate tls makes and requests them)."
    if now > certificate.not_after:
        return [warning(f"it expired on {until}", about=about, fix=renew)]
    left = certificate.not_after - now
    if left < timedelta(days=case.options.days):
        return [warning(f"it is valid for {length_text(left)} more", about=about, fix=renew)]
    return [ok(f"valid until {until}", about=about)]
