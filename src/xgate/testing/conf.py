"""A global configuration that approves of an ``Authority``: what a server knows, in one call.

The rule: it is the real ``GlobalConf`` over real parameters; only nobody signed a directory for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from xgate.globalconf.conf import GlobalConf, Instance
from xgate.globalconf.directory import NEWEST_VERSION
from xgate.globalconf.optional import Settings
from xgate.globalconf.private import ManagementService, PrivateParameters
from xgate.globalconf.shared import (
    CaInfo,
    CertificationService,
    GlobalGroup,
    OcspInfo,
    SecurityServer,
    SharedParameters,
    TimestampingService,
)
from xgate.ids import ClientId
from xgate.testing.authority import Authority

__all__ = ["approve", "make_conf"]

_PROFILE = "ee.ria.xroad.common.certificateprofile.impl.BasicCertificateProfileInfoProvider"


def make_conf(
    authority: Authority,
    *,
    servers: Sequence[SecurityServer] = (),
    groups: Sequence[GlobalGroup] = (),
    ocsp_urls: Sequence[str] = ("http://ocsp/",),
    tsa_urls: Sequence[str] = ("http://tsa/",),
    freshness: int = 3600,
    settings: Settings | None = None,
    expires: datetime | None = None,
    partners: Mapping[str, SharedParameters] | None = None,
) -> GlobalConf:
    """The configuration of the authority's instance.

    :param freshness: of OCSP responses, in seconds.
    :param partners: shared parameters of federated instances.
    """
    own = authority.instance
    shared = approve(
        authority,
        servers=servers,
        groups=groups,
        ocsp_urls=ocsp_urls,
        tsa_urls=tsa_urls,
        freshness=freshness,
    )
    management = ManagementService("https://cs:4001/", ClientId(own, "GOV", "1"))
    private = PrivateParameters(own, management, 60)
    instances = {
        own: Instance(own, shared, private, settings or Settings(), NEWEST_VERSION, expires)
    }
    for name, parameters in (partners or {}).items():
        instances[name] = Instance(name, parameters, version=NEWEST_VERSION)
    return GlobalConf(own, instances)


def approve(
    authority: Authority,
    *,
    servers: Sequence[SecurityServer] = (),
    groups: Sequence[GlobalGroup] = (),
    ocsp_urls: Sequence[str] = ("http://ocsp/",),
    tsa_urls: Sequence[str] = ("http://tsa/",),
    freshness: int = 3600,
) -> SharedParameters:
    """Shared parameters that list the authority's CA, its responder and its timestamping service.

    :param ocsp_urls: where the responder answers; all are the same responder.
    :param tsa_urls: likewise.
    """
    responders = tuple(OcspInfo(url, authority.ocsp.certificate.der) for url in ocsp_urls)
    top = CaInfo(authority.ca.certificate.der, responders)
    tsa = authority.tsa.certificate.der
    return SharedParameters(
        authority.instance,
        certification_services=(CertificationService("CA", top, _PROFILE),),
        timestamping_services=tuple(TimestampingService(url, url, tsa) for url in tsa_urls),
        servers=tuple(servers),
        groups=tuple(groups),
        ocsp_freshness_seconds=freshness,
    )
