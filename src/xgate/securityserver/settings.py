"""The settings file of a security server (TOML) and what it means.

The rule: every key is known or refused by name, with a suggestion; every relative path counts from
the file's own folder; nothing is opened here. Ports and binds default to the reference's
(pipeline 1).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from xgate.errors import Fault
from xgate.globalconf.tsas import TsaOrder
from xgate.ids import ClientId, ServerId
from xgate.securityserver.archive_settings import ArchiveSettings
from xgate.securityserver.client_settings import ClientSettings
from xgate.securityserver.conf_settings import GlobalconfSettings
from xgate.securityserver.health_settings import HealthSettings
from xgate.securityserver.keys_settings import KeysSettings
from xgate.securityserver.limit_settings import LimitSettings
from xgate.securityserver.ocsp_settings import OcspSettings
from xgate.securityserver.opmonitor_settings import OpmonitorSettings
from xgate.securityserver.peer_settings import PeerSettings
from xgate.securityserver.section import Section, SettingsError, read_table
from xgate.securityserver.serverconf_settings import ServerconfSettings
from xgate.securityserver.signer_settings import SignerSettings
from xgate.securityserver.spool_settings import SpoolSettings
from xgate.securityserver.tls_settings import TlsSettings

__all__ = [
    "AuditSettings",
    "BodySettings",
    "EncryptionSettings",
    "FaultSettings",
    "GlobalconfSettings",
    "KeysSettings",
    "LimitSettings",
    "ListenSettings",
    "MessagelogSettings",
    "OcspSettings",
    "PeerSettings",
    "PostgresSettings",
    "Settings",
    "SettingsError",
    "SpoolSettings",
    "SqliteSettings",
    "TimestampSettings",
    "TlsSettings",
    "load_settings",
]


class ListenSettings(Section, frozen=True):
    """Where this server listens; port 0 takes a free one, None leaves a listener out."""

    client_host: str = "0.0.0.0"  # noqa: S104  the reference's default bind
    client_http_port: int | None = 8080
    client_https_port: int | None = 8443
    server_host: str = "0.0.0.0"  # noqa: S104  the reference's default bind
    server_port: int | None = 5500
    ocsp_host: str = "0.0.0.0"  # noqa: S104  the reference's default bind
    ocsp_port: int | None = 5577


class TimestampSettings(Section, frozen=True):
    """Timestamping of logged messages (messagelog 3).

    :param mode: ``batch``: many records share a token, at each interval; ``each``: every record is
        stamped before its message goes on, and a message that cannot be stamped is refused.
    :param services: URLs in order of preference; empty: those of the global configuration. One that
        the global configuration does not approve of is never asked.
    :param order: in which order services that cost money are asked, and whether at all.
    :param interval_seconds: how often what is unstamped is stamped; 0: as the global configuration
        says, but at least 60 and at most 86400.
    :param batch: most records to a token; as soon as so many wait they are stamped.
    :param retry_seconds: how soon it is tried again after a failure, if that is sooner.
    :param acceptable_failure_seconds: for how long messages go on while it fails; 0: for ever.
    :param connect_seconds: for a connection to a service. :param answer_seconds: for its answer.
    """

    mode: Literal["batch", "each"] = "batch"
    services: tuple[str, ...] = ()
    order: TsaOrder = "listed"
    interval_seconds: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 0.0
    batch: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 10_000
    retry_seconds: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 60.0
    acceptable_failure_seconds: Annotated[float, msgspec.Meta(ge=0)] = 14_400.0
    connect_seconds: Annotated[float, msgspec.Meta(gt=0, le=600)] = 20.0
    answer_seconds: Annotated[float, msgspec.Meta(gt=0, le=600)] = 60.0


class AuditSettings(Section, frozen=True):
    """How stored evidence is verified anew in the background.

    :param interval_seconds: between two samples; 0: never.
    :param sample: how many records one sample has.
    """

    interval_seconds: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 60.0
    sample: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 3


class SqliteSettings(Section, frozen=True):
    """The log in one file."""

    path: str = "messagelog.sqlite"


class PostgresSettings(Section, frozen=True):
    """The log in PostgreSQL.

    :param conninfo: as libpq takes it, ``host=... dbname=... user=... passfile=...``.
    :param connect_seconds: within which a connection must stand.
    :param answer_seconds: within which each statement must be answered, or messages are refused.
    """

    conninfo: str = ""
    connect_seconds: Annotated[int, msgspec.Meta(ge=2)] = 5
    answer_seconds: Annotated[float, msgspec.Meta(ge=1)] = 10.0


class BodySettings(Section, frozen=True):
    """Whether bodies of messages to and from one subsystem's services are logged."""

    subsystem: str
    log: bool


class EncryptionSettings(Section, frozen=True):
    """Encryption of logged bodies: files of at least 32 random octets and mode 0600, by key id.

    :param current: the id of the key for new records; empty: they are not encrypted. The other
        keys open what was encrypted with them.
    """

    current: str = ""
    keys: dict[str, str] = msgspec.field(default_factory=dict)


class MessagelogSettings(Section, frozen=True):
    """Where and how messages are logged.

    :param use: ``sqlite``, ``postgres`` or the name of another package's store, which gets
        ``options``.
    :param body_logging: whether bodies are logged; ``bodies`` says otherwise for some subsystems.
    :param max_body_bytes: largest REST body or attachment that may be logged; 0: none is kept.
    :param truncate_bodies: keep the beginning of a larger one instead of refusing the message.
    """

    use: str = "sqlite"
    sqlite: SqliteSettings = SqliteSettings()
    postgres: PostgresSettings = PostgresSettings()
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    body_logging: bool = True
    bodies: tuple[BodySettings, ...] = ()
    max_body_bytes: Annotated[int, msgspec.Meta(ge=0, le=512 << 20)] = 10 << 20
    truncate_bodies: bool = False
    encryption: EncryptionSettings = EncryptionSettings()
    timestamping: TimestampSettings = TimestampSettings()
    archive: ArchiveSettings = ArchiveSettings()
    audit: AuditSettings = AuditSettings()


class FaultSettings(Section, frozen=True):
    """In which spelling our own fault codes leave: ``new`` since X-Road 7.8, ``old`` before.

    :param to_callers: to information systems.
    :param to_peers: to other security servers; ``theirs``: as the version that each one tells.
    """

    to_callers: Literal["new", "old"] = "new"
    to_peers: Literal["new", "old", "theirs"] = "new"


class Settings(Section, frozen=True):
    """The whole file. ``folder`` is where it lies; it is not a key of the file."""

    server: str
    listen: ListenSettings = ListenSettings()
    peers: PeerSettings = PeerSettings()
    globalconf: GlobalconfSettings = GlobalconfSettings()
    keys: KeysSettings = KeysSettings()
    ocsp: OcspSettings = OcspSettings()
    signer: SignerSettings = SignerSettings()
    tls: TlsSettings = TlsSettings()
    messagelog: MessagelogSettings = MessagelogSettings()
    limits: LimitSettings = LimitSettings()
    faults: FaultSettings = FaultSettings()
    health: HealthSettings = HealthSettings()
    opmonitor: OpmonitorSettings = OpmonitorSettings()
    spool: SpoolSettings = SpoolSettings()
    serverconf: ServerconfSettings = ServerconfSettings()
    client: tuple[ClientSettings, ...] = ()

    @property
    def server_id(self) -> ServerId:
        """The identifier in ``server``, checked when the file was loaded."""
        instance, member_class, member_code, code = self.server.split("/")
        return ServerId(ClientId(instance, member_class, member_code), code)


def load_settings(path: Path) -> Settings:
    """Read and check a settings file.

    :raises SettingsError: it cannot be read, is not TOML, or says something unknown or impossible.
    """
    settings = read_table(path, Settings)
    _check_server(path, settings)
    return settings


def _check_server(path: Path, settings: Settings) -> None:
    try:
        _ = settings.server_id
    except (ValueError, Fault):
        raise SettingsError(
            f"{path}: server = {settings.server!r} is not INSTANCE/CLASS/MEMBER/SERVERCODE"
        ) from None
