"""What the fault codes of messages mean, who erred, and what to do next: for ``xgate explain``.

The rule: one row for each code that a security server may answer a message with, without what
stands in front of it; a second table says what the pieces in front tell about who refused, and
while doing what. Sources: soap-protocol 8 and 9, rest-protocol 7, pipeline 3 to 9.
"""

from __future__ import annotations

from xgate.cli.words import Words

__all__ = ["LOOK_IN_BOTH_LOGS", "MESSAGE_WORDS", "PREFIXES"]

_FIX_THE_REQUEST = (
    "Compare the request with the message protocol; the cause in the fault's text names the place."
)
_ASK_THE_PROVIDER = "Ask the provider; tell them the id in the fault's detail."
LOOK_IN_BOTH_LOGS = "Look up the id of the fault's detail in both security servers' logs."
"""The next step when a code says no more than who refused."""

_OWN_KEYS = "Look at `xgate keys list`, and at `OCSP not refreshed` in the server's log."

PREFIXES: dict[str, str] = {
    "client": "The information system's request is at fault.",
    "server.clientproxy": "The client's own security server refused.",
    "server.serverproxy": "The provider's security server refused.",
    "service_failed": "It happened between that server and its counterpart: the service, or the "
    "other security server.",
    "signature_verification": "The other party's signature does not prove the message.",
    "cannot_create_signature": "The message could not be signed here.",
    "logging_failed": "The message could not be logged, so it was not sent on.",
    "cannot_create_cert_path": "A certificate leads to no approved authority.",
    "invalid_cert_path": "A certificate leads to an approved authority, but is not proven good.",
    "ssl_authentication_failed": "The parties of the TLS connection are not proven to each other.",
    "signer": "The keys' own program refused.",
    "opmonitor": "Operational monitoring refused.",
    "mlog": "It happened in the message log.",
}
"""What each piece in front of a code tells, in the order in which they stand."""

MESSAGE_WORDS: dict[str, Words] = {
    # Who may call whom.
    "access_denied": Words(
        "The client holds no right to this service, or not to this method and path.",
        "Ask the provider for the right; the client's identifier must be exactly the one that is "
        "allowed, with its subsystem.",
    ),
    "unknown_service": Words(
        "The provider has no service of this code and version.",
        "Ask the provider's server with listMethods what there is; versions and case count.",
    ),
    "service_disabled": Words(
        "The provider has switched the service off; the text is the notice.", _ASK_THE_PROVIDER
    ),
    "service_type": Words(
        "The service speaks the other protocol: SOAP is not REST.",
        "Call it in the protocol that listMethods lists it under.",
    ),
    "unknown_member": Words(
        "The client is not registered on this server, or the provider on no server at all.",
        "Check the identifier letter by letter; GET /listClients tells who there is.",
    ),
    "maintenance_mode": Words(
        "All servers of the provider are in maintenance, as their operators have announced.",
        "Try again when it is over; the text may say when.",
    ),
    "invalid_security_server": Words(
        "The server that the request asks for does not exist or does not serve the provider.",
        "Leave X-Road-Security-Server (securityServer) out, or correct it.",
    ),
    # Connections and authentication.
    "ssl_authentication_failed": Words(
        "A TLS certificate is missing, not registered, expired, revoked or not the listed one.",
        "The text says whose. Own server: `xgate keys list`. An information system: its "
        "certificate must be listed for the client. A peer: ask its operator.",
    ),
    "network_error": Words(
        "No TCP connection could be made, or it was reset; or the security server had more to do "
        "than it can and refused early.",
        "Check names, addresses, ports 5500 and 5577 and firewalls between the two machines; "
        "`xgate doctor` does. If it refused early, explain the id in the fault's detail: the "
        "server's log line tells in `limit` which gate was full and by which setting of [limits].",
    ),
    "unknown_host": Words(
        "The name in the service's address has no address.", "Correct the service's URL, or DNS."
    ),
    "io_error": Words(
        "The connection broke off, timed out, or the answer could not be read; in REST also any "
        "failure while the request was streamed, with its cause in the text.",
        "The cause in the text; the service's timeout; what stands between the machines. If the "
        "server itself had no room, its log line tells in `limit` which setting was met, or the "
        "line `no means for an exchange` which disk is full.",
    ),
    "http_error": Words(
        "The service answered with an HTTP status that carries no SOAP.",
        "Try the service's URL from the security server's machine.",
    ),
    "client_proxy_version_not_supported": Words(
        "The client's security server is older than the provider's accepts.",
        "Upgrade the client's server, or lower min-client-version at the provider's.",
    ),
    "service_missing_url": Words("The service has no address.", "Set its url."),
    "service_malformed_url": Words("The service's address is none.", "Correct its url."),
    # The message.
    "invalid_http_method": Words("SOAP messages are sent with POST.", _FIX_THE_REQUEST),
    "invalid_content_type": Words(
        "The content type is missing or not one of this protocol.",
        "SOAP is text/xml, or multipart/related with SOAP first.",
    ),
    "invalid_soap_action": Words("The header SOAPAction is malformed.", _FIX_THE_REQUEST),
    "invalid_soap": Words("The message is no SOAP envelope.", _FIX_THE_REQUEST),
    "invalid_xml": Words("The message is not well-formed XML, or has a DOCTYPE.", _FIX_THE_REQUEST),
    "invalid_body": Words("The SOAP body must have exactly one element.", _FIX_THE_REQUEST),
    "missing_body": Words("The SOAP body is missing.", _FIX_THE_REQUEST),
    "missing_header": Words("The SOAP header is missing.", _FIX_THE_REQUEST),
    "missing_header_field": Words("A required header field is missing.", _FIX_THE_REQUEST),
    "duplicate_header_field": Words("A header field occurs twice.", _FIX_THE_REQUEST),
    "inconsistent_headers": Words(
        "The service code in the header is not the name in the body.", _FIX_THE_REQUEST
    ),
    "invalid_protocol_version": Words("The protocolVersion must be 4.x.", _FIX_THE_REQUEST),
    "invalid_client_identifier": Words(
        "The client's identifier is missing or is none.",
        "REST: the header X-Road-Client: INSTANCE/CLASS/MEMBER/SUBSYSTEM.",
    ),
    "mime_parsing_failed": Words("The multipart is malformed.", _FIX_THE_REQUEST),
    "missing_soap": Words("There is no SOAP part in the message.", LOOK_IN_BOTH_LOGS),
    "missing_rest": Words("There is no REST part in the message.", LOOK_IN_BOTH_LOGS),
    "missing_signature": Words(
        "The message ended without its signature: the sender failed while it was streaming.",
        "The sender's log has the cause.",
    ),
    "invalid_message": Words("The parts of the message are not in their order.", LOOK_IN_BOTH_LOGS),
    "invalid_request": Words("A parameter of the request is missing or wrong.", _FIX_THE_REQUEST),
    "inconsistent_response": Words(
        "The answer is signed, but belongs to another request.",
        "The service must copy the header fields of the request as they are.",
    ),
    # Keys, signatures, certificates.
    "cannot_create_signature": Words("The message could not be signed.", _OWN_KEYS),
    "token_not_active": Words("The token is not logged in.", "`xgate keys login`."),
    "token_not_available": Words(
        "The token, or the program that holds it, is not there.",
        "Is the device connected, is `xgate signer` running? `xgate keys list` tells.",
    ),
    "token_not_initialized": Words(
        "The token has no PIN yet, or there is no key store.",
        "The software token begins with `xgate keys pin`, another one with its vendor's program.",
    ),
    "token_not_found": Words("There is no token of this name.", "`xgate keys list` tells them."),
    "key_not_found": Words("There is no such key on the token.", "`xgate keys list` tells them."),
    "cannot_sign": Words("The token did not sign.", "The cause in the text, and the device's log."),
    "unsupported_sign_algorithm": Words(
        "The key cannot make signatures of this kind.", "The mechanism in devices.ini."
    ),
    "pin_incorrect": Words(
        "The PIN is wrong; it is not tried again, so that no token locks itself.",
        "Correct the PIN at its source, then `xgate keys login`.",
    ),
    # The log.
    "logging_failed": Words(
        "The message could not be logged, or what is logged might never be time-stamped.",
        "Disk, database and the timestamping services; `xgate doctor` looks at all of them.",
    ),
    "database_error": Words(
        "The message log's database refused.", "The text; the disk's room; the database's log."
    ),
    "timestamping_failed": Words(
        "Timestamping has failed for longer than acceptable-failure-seconds.",
        "Whether the approved services can be reached from this machine.",
    ),
    "no_timestamping_provider_found": Words(
        "No approved timestamping service is configured.",
        "The setting services in [messagelog.timestamping], and the global configuration's list.",
    ),
    # The server.
    "global_conf_outdated": Words(
        "The global configuration has expired, so nobody can be trusted.",
        "Whether its source can be reached; `xgate globalconf fetch` tells why not.",
    ),
    "internal_error": Words(
        "Something that has no name of its own; the text says what, or holds the id of a trace "
        "in the server's log.",
        LOOK_IN_BOTH_LOGS,
    ),
}
"""The words by the last piece of a code."""
