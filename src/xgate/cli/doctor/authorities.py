"""Checks of what vouches for this server: its CAs, their OCSP responders, timestamping services.

The rule: each is really asked, as the server would ask it, and its answer is proven by the
configuration of now (ocsp-tls-certs 6, 7; messagelog 3.2). One that fails beside others that work
is a warning.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

import trio

from xgate.algorithms import SHA512
from xgate.cli.doctor.case import CALL_SECONDS, Case, ask_all, serial_text
from xgate.cli.doctor.chain import Findings
from xgate.cli.doctor.finding import Finding, broken, ok, skipped, warning
from xgate.cli.doctor.times import length_text
from xgate.cli.output import Unusable, path_text, read_file
from xgate.cli.show import name_text
from xgate.errors import Fault
from xgate.globalconf.conf import GlobalConf
from xgate.globalconf.shared import TimestampingService
from xgate.globalconf.tsas import choose_tsas, unapproved_tsas
from xgate.keepers.ocsp import certificates_in_use
from xgate.net.errors import NetError
from xgate.securityserver.stamping import post_to
from xgate.signer.ocsp_cache import find_issuer, fresh_until
from xgate.trust.anchors import ApprovedCa
from xgate.trust.certificate import Certificate
from xgate.trust.ocsp import (
    OcspResponse,
    check_ocsp_genuine,
    check_ocsp_status,
    verify_ocsp,
    write_ocsp_request,
)
from xgate.trust.timestamp import (
    read_timestamp_response,
    verify_timestamp,
    write_timestamp_request,
)

__all__ = ["check_ca", "check_ocsp", "check_timestamping", "moment_of"]

_OPERATOR = "the operator of the central server"
_MOST_OCSP = 64 * 1024


async def check_ca(case: Case) -> Findings:
    """Every certificate of this server was issued by an approved CA."""
    return [_issued(case, certificate) for certificate in case.certificates]


def moment_of(certificate: Certificate, now: datetime) -> datetime:
    """Now, or the nearest moment to it at which the certificate is within its dates."""
    return min(max(now, certificate.not_before), certificate.not_after)


def _issued(case: Case, certificate: Certificate) -> Finding:
    about = serial_text(certificate)
    at = moment_of(certificate, case.clock.now())
    try:
        issuer = find_issuer(case.conf, certificate, at)
    except Fault as fault:
        approved = "; ".join(name_text(ca.certificate.subject) for ca in case.conf.all_cas())
        return broken(
            f"its issuer {name_text(certificate.issuer)} is not approved: {fault.text}",
            about=about,
            expected=f"one of: {approved}",
            fix=f"Get a certificate of an approved CA, or ask {_OPERATOR} to approve this one.",
        )
    return ok(f"issued by {name_text(issuer.certificate.subject)}", about=about)


async def check_ocsp(case: Case) -> Findings:
    """Every certificate that others will ask about is good, by a responder that answers now."""
    now = case.clock.now()
    used = certificates_in_use(case.certificates, case.conf, now)
    wanted = list(dict.fromkeys((*case.certificates, *used)))
    found = await ask_all(partial(_check_status, case), wanted)
    if all(_is_proven(case, certificate) for certificate in wanted):
        case.stands.add("ocsp")
    return [finding for findings in found for finding in findings]


async def _check_status(case: Case, certificate: Certificate) -> list[Finding]:
    about, now = serial_text(certificate), case.clock.now()
    if not certificate.valid_at(now):
        return [skipped("outside its dates: no responder is asked about it", about=about)]
    try:
        issuer = find_issuer(case.conf, certificate, now)
    except Fault:
        return [skipped("its issuer is not approved: nobody is asked about it", about=about)]
    settings = case.settings.ocsp
    if not settings.fetch:
        return [await _check_kept(case, certificate, issuer)]
    urls = case.conf.ocsp_urls_for(certificate, issuer, settings.prioritization)
    if not urls:
        what = f"no responder is known for it (prioritization = '{settings.prioritization}')"
        fix = f"Ask {_OPERATOR} to add the responder of {name_text(certificate.issuer)}."
        return [broken(what, about=about, fix=fix)]
    answers = await ask_all(partial(_ask_responder, case, certificate, issuer), urls)
    good = [finding for finding in answers if finding.state == "ok"]
    if good:
        return [*good[:1], *(_lessened(finding) for finding in answers if finding not in good)]
    if all(finding.expected != "good" for finding in answers):
        await _check_kept(case, certificate, issuer)
    return answers


async def _check_kept(case: Case, certificate: Certificate, issuer: ApprovedCa) -> Finding:
    """The response that the server has kept, by which it goes on while it is fresh."""
    about, folder = serial_text(certificate), case.folder / case.settings.ocsp.cache_directory
    path = folder / f"{certificate.sha1}.ocsp"
    fix = f"Set [ocsp] fetch = true, or put one there: {path_text(path)}"
    try:
        der = await trio.to_thread.run_sync(read_file, path, _MOST_OCSP)
        response = OcspResponse.load(der)
        verify_ocsp(response, certificate, issuer, case.conf, case.clock.now())
    except Unusable as error:
        return broken(f"no responder is asked, and none is kept: {error}", about=about, fix=fix)
    except Fault as fault:
        return broken(f"the response that is kept: {fault.text}", about=about, fix=fix)
    case.ocsp.put(certificate, der)
    left = length_text(fresh_until(response, case.conf) - case.clock.now())
    return ok(f"good by a response that is kept, fresh for {left}", about=about)


def _is_proven(case: Case, certificate: Certificate) -> bool:
    now = case.clock.now()
    try:
        case.ocsp.usable(certificate, find_issuer(case.conf, certificate, now), case.conf, now)
    except Fault:
        return False
    return True


async def _ask_responder(
    case: Case, certificate: Certificate, issuer: ApprovedCa, url: str
) -> Finding:
    about = serial_text(certificate)
    conf, began = case.conf, case.clock.monotonic()
    post = post_to(case.settings.peers.hosts, timeout=CALL_SECONDS)
    try:
        request = write_ocsp_request(certificate, issuer.certificate)
        answer = await post(url, request, "application/ocsp-request")
        took = case.clock.monotonic() - began
        response = OcspResponse.load(answer)
        case.note_clock(urlsplit(url).netloc, response.produced_at, exact=False)
        check_ocsp_genuine(response, certificate, issuer, conf, case.clock.now())
    except NetError as error:
        fix = f"Check that this machine may reach {url} (name, firewall), and that it runs."
        return broken(f"{url} does not answer: {error}", about=about, fix=fix)
    except Fault as fault:
        fix = f"Ask whoever runs {url}; {_OPERATOR} lists which responders count."
        return broken(f"{url} gives no proof: {fault.text}", about=about, fix=fix)
    try:
        check_ocsp_status(response)
    except Fault as fault:
        fix = f"Ask {name_text(certificate.issuer)} why, and get a new certificate."
        return broken(f"{fault.text} (by {url})", about=about, expected="good", fix=fix)
    case.ocsp.put(certificate, answer)
    left = length_text(fresh_until(response, conf) - case.clock.now())
    return ok(f"good by {url} in {took:.2f} s, fresh for {left}", about=about)


def _lessened(finding: Finding) -> Finding:
    """What is no more than a warning, since others work."""
    if finding.state != "broken" or finding.expected == "good":  # revoked by one is revoked
        return finding
    return warning(finding.observed, about=finding.about, fix=finding.fix)


async def check_timestamping(case: Case) -> Findings:
    """An approved service gives timestamps that hold; each is asked for a real one."""
    chosen = case.settings.messagelog.timestamping
    own = case.serverconf.timestamping_services
    listed = chosen.services if own is None else own
    urls = choose_tsas(case.conf, listed, chosen.order)
    strange = [
        warning(
            "the configuration does not approve of it, so it is never asked",
            about=url,
            fix="Take it out of this server's list of timestamping services.",
        )
        for url in unapproved_tsas(case.conf, listed)
    ]
    if not urls:
        names = ", ".join(tsa.url for tsa in case.conf.tsas()) or "none"
        what = f"no service can be asked (approved: {names}; order = '{chosen.order}')"
        fix = f"Change [messagelog.timestamping], or ask {_OPERATOR} to approve a service."
        return [broken(what, fix=fix), *strange]
    found = await ask_all(partial(_order_stamp, case), urls)
    if any(finding.state != "broken" for finding in found):
        found = [_lessened(finding) for finding in found]
    return [*found, *strange]


async def _order_stamp(case: Case, url: str) -> Finding:
    chosen = case.settings.messagelog.timestamping
    octets = secrets.token_bytes(32)
    post = post_to(
        case.settings.peers.hosts,
        timeout=min(CALL_SECONDS, chosen.connect_seconds + chosen.answer_seconds),
        connect_timeout=min(CALL_SECONDS, chosen.connect_seconds),
    )
    began = case.clock.monotonic()
    try:
        request = write_timestamp_request(SHA512.of(octets))
        answer = await post(url, request, "application/timestamp-query")
        took = case.clock.monotonic() - began
        token = read_timestamp_response(answer, SHA512.of(octets))
        proven = verify_timestamp(token, octets, case.conf)
    except NetError as error:
        fix = f"Check that this machine may reach {url} (name, firewall), and that it runs."
        return broken(f"it does not answer: {error}", about=url, fix=fix)
    except Fault as fault:
        fix = f"Ask whoever runs it; {_OPERATOR} lists by which certificate it counts."
        return broken(f"its timestamp proves nothing: {fault.text}", about=url, fix=fix)
    case.note_clock(urlsplit(url).netloc, proven.gen_time)
    listed = _listed(case.conf, url)
    if proven.certificate.der not in {tsa.certificate for tsa in listed}:
        what = f"it signs as {name_text(proven.certificate.subject)}, approved for another address"
        return warning(what, about=url, fix=f"Tell {_OPERATOR}.")
    said = f"stamped in {took:.2f} s by {name_text(proven.certificate.subject)}"
    left = proven.certificate.not_after - proven.gen_time
    if left < timedelta(days=case.options.days):
        fix = f"Ask {_OPERATOR} for its next certificate."
        return warning(f"{said}, whose certificate ends in {length_text(left)}", about=url, fix=fix)
    return ok(said, about=url)


def _listed(conf: GlobalConf, url: str) -> Sequence[TimestampingService]:
    return [tsa for tsa in conf.tsas() if tsa.url == url]
