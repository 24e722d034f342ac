"""xgate: an X-Road 7 compatible security server, as a program and as a library.

The library's face: what is named here is what other programs may rely on; everything below is the
house's own. Names are loaded when they are first asked for, so that a program which only verifies
evidence never loads a server.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xgate.errors import Fault
    from xgate.globalconf.disk import read_disk
    from xgate.ids import ClientId, ServerId, ServiceId
    from xgate.securityserver.gateway import Gateway
    from xgate.securityserver.settings import Settings, SettingsError, load_settings
    from xgate.trust.verify import ContainerProof, verify_container

__version__ = "0.1.0"

__all__ = [
    "ClientId",
    "ContainerProof",
    "Fault",
    "Gateway",
    "ServerId",
    "ServiceId",
    "Settings",
    "SettingsError",
    "__version__",
    "load_settings",
    "read_disk",
    "verify_container",
]

_HOMES = {
    "ClientId": "xgate.ids",
    "ContainerProof": "xgate.trust.verify",
    "Fault": "xgate.errors",
    "Gateway": "xgate.securityserver.gateway",
    "ServerId": "xgate.ids",
    "ServiceId": "xgate.ids",
    "Settings": "xgate.securityserver.settings",
    "SettingsError": "xgate.securityserver.settings",
    "load_settings": "xgate.securityserver.settings",
    "read_disk": "xgate.globalconf.disk",
    "verify_container": "xgate.trust.verify",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'xgate' has no attribute {name!r}")
    return getattr(import_module(home), name)
