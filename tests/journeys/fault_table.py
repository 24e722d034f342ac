"""The fault tables in one: every code, the form of its text, and the test that makes it come.

soap-protocol 5, 6 and 9, rest-protocol 1, 2, 6, 7 and 8, pipeline 3, 4, 5, 7, 8 and 9. A text is a
regular expression; ``.+`` stands where the words are a parser's or the system's own.
``tests/rules/test_fault_table.py`` holds that each test named here is there and that no code lacks
one. What is written differently on purpose stands in docs/divergences.md.

Some rows of the reference cannot come: ``client.cannot_create_signature`` (the authentication key's
OCSP response is there before anything is read, or the request ends as
``ssl_authentication_failed``); ``cannot_create_signature`` alone (a certificate without a good OCSP
response is not suitable, and so never chosen); ``service_missing_url`` and
``service_malformed_url`` (such an address is refused when the settings are read).
"""

from __future__ import annotations

import re

CLIENT = "client."
CSS = "server.clientproxy."
CSF = CSS + "service_failed."
PSS = "server.serverproxy."
PSF = PSS + "service_failed."
TLS = "ssl_authentication_failed"

_ID = r"(MEMBER|SUBSYSTEM|SERVICE|SERVER):\S+"
_SOAP = "test_soap_faults::test_what_is_wrong_with_a_request"
_WHO = "test_soap_faults::test_who_asks_whom"
_ANSWER = "test_service_faults::test_what_is_no_answer"
_WRONG = "test_service_faults::test_what_is_wrong_with_an_answer"
_PEER = "test_hostile_providers::"
_FORGED = "test_forged_answers::"
_MISFIT = _FORGED + "test_signed_answers_that_do_not_belong_to_the_request"
_HOSTILE = "test_hostile_peers::"
_REFUSED = "test_refused_by_providers::"
_META = "test_metaservices::"
_EVIDENCE = "test_forged_evidence::"
_FULL = "The security server has more to do than it can: try again later"
_NO_ROOM = "There is no room for the body of a message now"
_LATE = "(the peer|The service) took too long"

# What is wrong with a message, wherever it comes from (soap-protocol 5).
_MESSAGE = (
    ("invalid_soap", "the document is not well-formed: .+"),
    ("invalid_soap", "a document type declaration is not allowed"),
    ("invalid_soap", "Malformed SOAP message: envelope missing"),
    ("duplicate_header_field", r"SOAP header contains duplicate field '\{\S+\}\w+'"),
    ("invalid_xml", "Missing objectType attribute"),
    ("invalid_xml", r"Unknown objectType: \w+"),
    ("invalid_xml", r"Unexpected objectType: \w+"),
    ("internal_error", r"'\w+' must not be blank"),
    ("invalid_protocol_version", r"Invalid protocol version \(supported: 4\.x, provided: .*\)"),
    ("missing_header", "Malformed SOAP message: header missing"),
    ("missing_header_field", r"Required field '(protocolVersion|client|id)' is missing"),
    ("missing_header_field", "Message header must contain service id"),
    ("missing_body", "Malformed SOAP message: body missing"),
    ("invalid_body", "Malformed SOAP message: body must have exactly one child element"),
    (
        "inconsistent_headers",
        "Malformed SOAP message: service code does not match in header and body",
    ),
)

TABLE: tuple[tuple[str, str, str], ...] = (
    # An information system's request in SOAP
    (CLIENT + "invalid_http_method", r"Must use POST request method instead of \w+", _SOAP),
    (CSS + "internal_error", ".+", _SOAP),
    (CLIENT + "invalid_content_type", r"Invalid content type: \S+", _SOAP),
    (CLIENT + "invalid_content_type", "Could not get content type for part", _SOAP),
    (CLIENT + "missing_soap", "Request does not contain SOAP message", _SOAP),
    (CLIENT + "mime_parsing_failed", ".+", _SOAP),
    (CLIENT + "invalid_soap_action", "Malformed SOAPAction header", _SOAP),
    *((CLIENT + code, text, _SOAP) for code, text in _MESSAGE),
    (CLIENT + "some.code", "why", "test_refusals::test_a_fault_sent_as_a_request_is_told_back"),
    (CLIENT + "invalid_message", ".+", "test_refusals::test_a_message_beyond_its_limit"),
    # and in REST
    (
        CSS + "internal_error",
        "Invalid request URI|Unsupported protocol version .+|Invalid protocol version .+",
        "test_rest_faults::test_whom_it_asks",
    ),
    (
        CSS + "invalid_client_identifier",
        "The client identifier is missing",
        "test_rest_faults::test_who_asks",
    ),
    (CSS + "internal_error", "Invalid Client Id", "test_rest_faults::test_who_asks"),
    (
        CSS + "internal_error",
        "Invalid character in path segment",
        "test_rest_faults::test_who_asks",
    ),
    (CSS + "internal_error", "Incomplete percent encoding", "test_rest_faults::test_who_asks"),
    (CSS + "internal_error", "Invalid percent encoding", "test_rest_faults::test_who_asks"),
    (
        CSS + "internal_error",
        "Invalid (SecurityServer|RepresentedParty) Id",
        "test_rest_faults::test_headers_of_x_road",
    ),
    (
        CSS + "io_error",
        r"\[.{36}\] \[SYSTEM\] [\w.]+: .+",
        "test_rest_faults::test_headers_of_x_road",
    ),
    # The consumer's server itself
    (
        CSS + "global_conf_outdated",
        "Global configuration is expired",
        "test_outages::test_an_expired_configuration_stops_the_consumer",
    ),
    (
        CSS + TLS,
        "Security server has no valid authentication certificate.*",
        "test_outages::test_a_stale_ocsp_response_of_ones_own_stops_the_consumer",
    ),
    (CSS + "unknown_member", rf"Client '{_ID}' not found", _WHO),
    (
        CSS + TLS,
        rf"Client \({_ID}\) specifies HTTPS NO AUTH but client made plaintext connection",
        "test_connections::test_sslnoauth_wants_https_and_no_certificate",
    ),
    (
        CSS + TLS,
        rf"Client \({_ID}\) (specifies HTTPS but did not supply TLS certificate"
        "|TLS certificate does not match any IS certificates)",
        "test_connections::test_sslauth_wants_one_of_its_certificates",
    ),
    (
        CSS + TLS,
        rf"Client \({_ID}\) has no IS certificates",
        "test_connections::test_sslauth_without_certificates_listed_lets_nobody_in",
    ),
    (
        CSS + TLS,
        rf"Client \({_ID}\) TLS certificate is (expired|not yet valid)",
        "test_information_systems::test_certificates_out_of_their_period",
    ),
    (CSS + "internal_error", r"Shared params for instance identifier \w+ not found", _WHO),
    (CSS + "unknown_member", rf'Could not find addresses for service provider "{_ID}"', _WHO),
    (
        CSS + "unknown_member",
        rf'Could not find suitable address for service provider "{_ID}"',
        "test_rare_faults::test_addresses_that_lead_nowhere",
    ),
    (CSS + "invalid_security_server", rf'Could not find security server "{_ID}"', _WHO),
    (CSS + "invalid_security_server", rf'Invalid security server "{_ID}"', _WHO),
    (
        CSS + "maintenance_mode",
        r'Security server (".+" )?with address ".+" is in maintenance mode.*',
        "test_rare_faults::test_a_server_in_maintenance_says_why",
    ),
    (
        CSS + "network_error",
        r"Could not connect to any target host \(\[.+\]\)",
        _FORGED + "test_nobody_there",
    ),
    (CSS + TLS, ".+", _FORGED + "test_a_server_that_is_not_registered"),
    (
        CSS + TLS,
        ".+ is not registered at security server .+",
        _FORGED + "test_a_server_where_the_provider_does_not_live",
    ),
    (
        CSS + TLS + ".invalid_cert_path.incorrect_validation_info",
        "OCSP response is too old .+|Cannot read the OCSP response: .+",
        _FORGED + "test_ocsp_responses_that_prove_nothing",
    ),
    (
        CSS + TLS + ".invalid_cert_path.cert_validation",
        "OCSP response indicates certificate status is (REVOKED|UNKNOWN).*|Unable to find OCSP .+",
        _FORGED + "test_ocsp_responses_that_prove_nothing",
    ),
    (
        CSS + TLS + ".internal_error",
        "Could not get (all )?OCSP responses from server.+",
        _FORGED + "test_ocsp_responses_that_cannot_be_had",
    ),
    (
        CSS + TLS + ".cannot_create_cert_path.internal_error",
        ".+",
        _FORGED + "test_a_server_whose_ca_nobody_approves_of",
    ),
    (
        CSS + "internal_error",
        "signer.unknown_member: Could not find any certificates for member .+",
        "test_rare_faults::test_a_member_without_a_signing_key",
    ),
    (
        CSS + "internal_error",
        "signer.internal_error: Member .+ has no suitable certificates .+",
        "test_outages::test_a_revoked_certificate_of_ones_own",
    ),
    (
        CSS + "cannot_create_signature.internal_error",
        ".+",
        "test_signers::test_a_signer_that_stays_away_is_named_in_the_refusal",
    ),
    (CSS + "logging_failed", ".+", _WHO),
    (
        CSS + "logging_failed.timestamping_failed",
        ".+",
        "test_timestamping::test_an_outage_is_lived_through_then_refused_then_over",
    ),
    (
        CSS + "logging_failed.mlog.no_timestamping_provider_found",
        ".+",
        "test_timestamping::test_no_approved_service_refuses_at_once",
    ),
    # What the provider's server answers
    (
        CSS + "http_error",
        r"Server responded with error \d+: .*",
        _PEER + "test_a_status_that_is_none_of_the_protocol",
    ),
    (
        CSS + "invalid_content_type",
        "Could not get content type from response",
        _PEER + "test_heads",
    ),
    (CSF + "invalid_content_type", r"Invalid content type: \S+", _PEER + "test_heads"),
    (
        CSF + "invalid_content_type",
        "Multipart content type is missing required boundary",
        _PEER + "test_heads",
    ),
    (CSF + "internal_error", "Could not get hash algorithm .+", _PEER + "test_heads"),
    (CSS + "internal_error", "Could not get original content type .+", _PEER + "test_heads"),
    (
        CSF + "invalid_message",
        "Expected fault message, but got regular SOAP message",
        _PEER + "test_an_answer_that_is_xml_and_no_fault",
    ),
    (CSF + "invalid_message", r"Extra content \(\S+\) after signature", _PEER + "test_parts"),
    (CSF + "invalid_message", r"The head part is larger than \d+ bytes", _PEER + "test_parts"),
    (
        CSF + "invalid_content_type",
        r"Invalid content type for (SOAP|REST) message: \S+",
        _PEER + "test_parts",
    ),
    (
        CSF + "invalid_content_type",
        r"Received invalid content type instead of signature: \S+",
        _PEER + "test_parts",
    ),
    (CSF + "invalid_soap", "(the|a) document .+", _PEER + "test_parts"),
    (CSF + "internal_error", "Invalid REST Response message", _PEER + "test_parts"),
    (CSF + "internal_error", r"Invalid header: \w+", _MISFIT),
    (CSS + "network_error", ".+", _PEER + "test_a_connection_that_is_torn_down"),
    (CSS + "io_error", ".+", _PEER + "test_a_connection_that_breaks"),
    (CSF + "io_error", "Stream was aborted.*", _PEER + "test_a_connection_that_breaks"),
    (CSS + "mime_parsing_failed", ".+", _PEER + "test_mime_out_of_its_syntax"),
    (CSS + "missing_soap", "Response does not have SOAP message", _PEER + "test_parts"),
    (CSS + "missing_rest", "Response does not have REST message", _PEER + "test_parts"),
    (CSS + "missing_signature", "Response does not have signature", _PEER + "test_parts"),
    (
        CSS + "signature_verification.malformed_signature",
        ".+",
        _FORGED + "test_a_signature_that_is_none",
    ),
    (
        CSS + "signature_verification.incorrect_certificate",
        "Name in certificate .+ does not match name in message .+",
        _FORGED + "test_an_answer_signed_by_another_member",
    ),
    (
        CSF + "inconsistent_response",
        "Response from server proxy is not consistent with request",
        _MISFIT,
    ),
    (
        CSS + "inconsistent_response",
        "Response from server proxy is missing request message hash",
        _MISFIT,
    ),
    (CSS + "inconsistent_response", "Request message hash does not match request message", _MISFIT),
    (
        CSS + "inconsistent_response",
        "Response (client id|message id|service id|message request id|message hash) "
        "does not match request message",
        _MISFIT,
    ),
    (
        "Server.ServerProxy.Old",
        "of the peer",
        _PEER + "test_a_fault_of_the_peer_is_told_as_it_came",
    ),
    # A request of another server
    (
        PSS + "invalid_http_method",
        r"Must use POST request method instead of \w+",
        _HOSTILE + "test_only_post_is_served",
    ),
    (
        PSS + "global_conf_outdated",
        "Global configuration is expired",
        "test_outages::test_an_expired_configuration_stops_the_provider",
    ),
    (
        PSS + "client_proxy_version_not_supported",
        r"The minimum supported version for client security server is: \S+ ",
        "test_connections::test_peers_that_are_too_old_are_told_so",
    ),
    (PSS + "invalid_soap_action", "Malformed SOAPAction header", _HOSTILE + "test_heads"),
    (
        PSS + "internal_error",
        "Could not get hash algorithm identifier from message",
        _HOSTILE + "test_heads",
    ),
    (
        PSS + "internal_error",
        "Hash algorithm .+ can not be used, only SHA-512",
        _HOSTILE + "test_heads",
    ),
    (
        PSF + "invalid_content_type",
        r"Could not get content type from request",
        _HOSTILE + "test_heads",
    ),
    (PSF + "invalid_content_type", r"Invalid content type: \S+", _HOSTILE + "test_heads"),
    (
        PSF + "invalid_content_type",
        "Multipart content type is missing required boundary",
        _HOSTILE + "test_heads",
    ),
    (
        PSF + "invalid_content_type",
        r"Invalid content type for SOAP message: \S+",
        _HOSTILE + "test_parts_of_soap",
    ),
    (
        PSF + "invalid_content_type",
        r"Invalid content type for REST message: \S+",
        _HOSTILE + "test_parts_of_rest",
    ),
    (
        PSF + "invalid_content_type",
        r"Received invalid content type instead of signature: \S+",
        _HOSTILE + "test_parts_of_soap",
    ),
    (
        PSF + "invalid_message",
        r"Extra content \(\S+\) after signature",
        _HOSTILE + "test_parts_of_soap",
    ),
    (
        PSF + "invalid_message",
        r"The \w+ part is larger than \d+ bytes",
        _HOSTILE + "test_parts_of_soap",
    ),
    (
        PSF + "invalid_message",
        r"There are more than \d+ OCSP responses",
        _HOSTILE + "test_parts_of_soap",
    ),
    (
        PSF + "invalid_message",
        r"Received \S+ instead of hash chain",
        _HOSTILE + "test_parts_of_rest",
    ),
    (PSS + "mime_parsing_failed", ".+", _HOSTILE + "test_headers_of_parts_that_are_too_much"),
    (
        PSS + "internal_error",
        r"Maximum header (length )?limit exceeded: \d+ (bytes|fields).*",
        _HOSTILE + "test_headers_of_parts_that_are_too_much",
    ),
    (PSF + "io_error", "Malformed OCSP response", _HOSTILE + "test_parts_of_soap"),
    (
        PSF + "invalid_security_server",
        rf"Invalid security server identifier '{_ID}' expected '{_ID}'",
        _HOSTILE + "test_signed_messages_that_may_not_pass",
    ),
    (
        PSF + "unknown_member",
        rf"Client '{_ID}' not found",
        _HOSTILE + "test_signed_messages_that_may_not_pass",
    ),
    *(
        (PSF + code, text, _HOSTILE + "test_what_is_wrong_with_a_message")
        for code, text in _MESSAGE
    ),
    (
        PSF + "internal_error",
        "signer.unknown_member: Could not find any certificates for member .+",
        "test_rare_faults::test_a_member_without_a_signing_key",
    ),
    (
        PSF + TLS,
        "Cannot verify TLS certificate, corresponding OCSP response is missing",
        _HOSTILE + "test_parts_of_soap",
    ),
    (PSF + TLS, r"[\w.]+: .+", _HOSTILE + "test_signed_messages_that_may_not_pass"),
    (
        PSF + "internal_error",
        "Certificate is not issued by approved certification service provider.",
        "test_rare_faults::test_a_certificate_of_a_ca_that_nobody_approves_of",
    ),
    (
        PSF + "internal_error",
        r"Shared params for instance identifier \w+ not found",
        _HOSTILE + "test_signed_messages_that_may_not_pass",
    ),
    (PSS + "missing_soap", "Request does not have SOAP message", _HOSTILE + "test_parts_of_soap"),
    (PSS + "internal_error", "Request does not have REST message", _HOSTILE + "test_parts_of_rest"),
    (PSS + "missing_signature", "Request does not have signature", _HOSTILE + "test_parts_of_soap"),
    (
        PSF + "internal_error",
        "Could not get original content type from message|Unknown charset '.+'",
        _HOSTILE + "test_heads",
    ),
    (
        PSF + "internal_error",
        "Could not get request id from message",
        _HOSTILE + "test_heads_of_rest",
    ),
    (
        PSF + "internal_error",
        "REST message is (incomplete|not UTF-8)|Invalid header(: .+)?|Unsupported .+"
        "|REST request has no .+|Invalid request URI",
        _HOSTILE + "test_signed_rest_heads_that_may_not_pass",
    ),
    (
        PSS + "internal_error",
        "Invalid percent encoding",
        _HOSTILE + "test_signed_rest_heads_that_may_not_pass",
    ),
    (
        PSS + "signature_verification.invalid_signature_value",
        ".+",
        _EVIDENCE + "test_the_signature_of_another_message",
    ),
    (
        PSS + "signature_verification.malformed_signature",
        ".+",
        _EVIDENCE + "test_attachments_that_no_signature_covers",
    ),
    # The service that it is for
    (
        PSS + "unknown_service",
        rf"Unknown service: {_ID}",
        _REFUSED + "test_what_a_rest_request_meets_at_the_provider",
    ),
    (
        PSS + "service_type",
        "Service is a (REST|SOAP) service and cannot be called using (SOAP|REST) interface",
        _REFUSED + "test_what_a_soap_request_meets_at_the_provider",
    ),
    (
        PSS + "access_denied",
        "Request is not allowed: .+",
        _REFUSED + "test_what_a_rest_request_meets_at_the_provider",
    ),
    (
        PSS + "service_disabled",
        rf"Service {_ID} is disabled: .*",
        _REFUSED + "test_what_a_rest_request_meets_at_the_provider",
    ),
    (
        PSS + "logging_failed",
        "Message size exceeds maximum loggable size",
        _REFUSED + "test_an_answer_too_large_to_be_logged_is_not_given",
    ),
    (
        PSS + "logging_failed.timestamping_failed",
        ".+",
        "test_timestamping::test_the_providers_outage_is_told_to_the_consumer",
    ),
    (
        PSS + "cannot_create_signature.internal_error",
        "signer.token_not_available: .+",
        "test_signers::"
        "test_a_signer_that_goes_while_the_service_works_is_told_of_behind_the_answer",
    ),
    (
        PSF + "unknown_host",
        ".+",
        _REFUSED + "test_what_a_soap_request_meets_at_the_provider",
    ),
    (
        PSS + "unknown_host",
        ".+",
        _REFUSED + "test_what_a_rest_request_meets_at_the_provider",
    ),
    (PSS + "network_error", ".+", "test_service_faults::test_a_connection_that_is_torn_down"),
    (PSS + "io_error", ".+", "test_service_faults::test_what_is_no_answer_in_rest"),
    *(
        (
            side + TLS,
            "IS certificate is not trusted",
            "test_https_services::test_the_listed_certificate_is_called_and_no_other",
        )
        for side in (PSS, PSF)
    ),
    *(
        (
            side + TLS,
            rf"Client '{_ID}' has no IS certificates",
            "test_https_services::test_without_listed_certificates_none_is_called",
        )
        for side in (PSS, PSF)
    ),
    (PSF + "network_error", ".+", "test_service_faults::test_a_connection_that_is_torn_down"),
    (PSF + "io_error", ".+", _ANSWER),
    (PSF + "http_error", r"Server responded with error \d+: .*", _ANSWER),
    (PSF + "invalid_content_type", "Could not get content type from response", _ANSWER),
    (PSF + "invalid_content_type", r"Invalid content type: \S+", _ANSWER),
    (PSF + "invalid_content_type", "Could not get content type for part", _ANSWER),
    (PSF + "mime_parsing_failed", ".+", _ANSWER),
    (PSF + "invalid_message", "No response message received from service", _ANSWER),
    *((PSF + code, text, _WRONG) for code, text in _MESSAGE),
    # The services of the server itself
    (
        PSS + "invalid_content_type",
        "Invalid content type: multipart/related",
        _META + "test_a_list_is_asked_for_in_plain_soap_alone",
    ),
    *(
        (PSS + code, text, _META + "test_a_wsdl_that_cannot_be_handed_out")
        for code, text in (
            ("invalid_request", "Missing serviceCode in message body"),
            ("unknown_service", rf"Could not find wsdl URL for service {_ID}"),
            ("service_type", "Service is a REST service and does not have a WSDL"),
            ("internal_error", r"Received HTTP error: \d+ - .*"),
            ("invalid_xml", ".+"),
        )
    ),
    *(
        (PSS + code, text, _META + "test_an_openapi_document_that_cannot_be_handed_out")
        for code, text in (
            ("invalid_request", "Missing serviceCode in message body"),
            ("internal_error", "Service not found: .+"),
            ("internal_error", "Invalid service type: .+"),
            ("internal_error", r"Incompatible openapi version\. .+"),
            ("internal_error", "Failed overwriting origin URL for the openapi servers for .+"),
            (
                "internal_error",
                r"Failed reading service description from .+\. Status: \d+ Reason: .*",
            ),
        )
    ),
    ("soap:Server", "no luck", "test_service_faults::test_a_fault_of_the_service_is_its_answer"),
    # What no reference has: a server that is full. All limits are in limit_table.
    (
        CSS + "network_error",
        _FULL,
        "test_overload::"
        "test_an_information_system_that_floods_is_refused_early_and_others_are_served",
    ),
    (
        PSS + "network_error",
        _FULL,
        "test_overload::test_a_server_that_floods_is_held_to_its_share_and_others_are_served",
    ),
    (
        CSS + "io_error",
        _FULL,
        "test_overload::test_messages_that_are_never_whole_do_not_eat_the_memory",
    ),
    *(
        (
            PSS + "io_error",
            text,
            "test_overload::test_a_provider_without_memory_or_room_says_so_and_serves_others",
        )
        for text in (_FULL, _NO_ROOM)
    ),
    (CSS + "io_error", _NO_ROOM, "test_big_bodies::test_who_finds_no_room_fails_and_nobody_else"),
    *(
        (
            side + "io_error",
            r"The bodies of the message have more than \d+ octets",
            "test_big_bodies::test_a_message_that_is_too_large_is_told_by_whom_and_why",
        )
        for side in (CSS, PSS)
    ),
    (
        CSS + "internal_error",
        "Reading SOAP from request timed out",
        "test_limits_of_time::test_a_soap_message_has_its_time",
    ),
    (CSS + "io_error", _LATE, "test_limits_of_time::test_a_body_has_its_time"),
    (PSF + "io_error", _LATE, "test_limits_of_time::test_another_servers_message_has_its_time"),
)

_TEXTS: dict[str, list[str]] = {}
for _code, _text, _ in TABLE:
    _TEXTS.setdefault(_code, []).append(_text)


def assert_in_table(code: str, text: str) -> None:
    """Some row has this code with this text, word for word."""
    forms = _TEXTS.get(code, [])
    assert any(re.fullmatch(form, text, re.DOTALL) for form in forms), f"{code}: {text}"
