"""Every limit of ``[limits]`` and ``[spool]``: how whoever meets it hears of it, at either half.

``callers`` are information systems and the answers of other servers, ``servers`` other servers and
the answers of services. Where HTTP itself refuses there is no fault yet: a status stands here, or
``closed``. ``tests/rules/test_limit_table.py`` holds that no setting lacks a row, and that each
test named here is there and speaks of the setting.
"""

from __future__ import annotations

_FORM = "journeys/test_limits_of_form::"
_TIME = "journeys/test_limits_of_time::"
_SIZE = "journeys/test_limits::"
_OVER = "journeys/test_overload::"
_ANSWERS = "journeys/test_limits_of_answers::"
_BODIES = "journeys/test_big_bodies::"
_GATE = "securityserver/test_gate::"
_HEAD = _SIZE + "test_a_head_has_its_octets_and_its_lines"
_HEAD_THERE = _SIZE + "test_another_servers_head_has_its_octets_and_its_lines"
_FLOOD = _OVER + "test_an_information_system_that_floods_is_refused_early_and_others_are_served"
_FLOOD_THERE = _OVER + "test_a_server_that_floods_is_held_to_its_share_and_others_are_served"
_FULL = _OVER + "test_health_answers_while_every_connection_is_taken"
_NAMED = _GATE + "test_a_refusal_names_the_gate_and_the_setting_that_was_met"
_ROOM = _BODIES + "test_who_finds_no_room_fails_and_nobody_else"

LIMITS: tuple[tuple[str, str, str, str], ...] = (
    # setting, half, what is heard, test
    ("head-bytes", "callers", "431", _HEAD),
    ("head-bytes", "servers", "431", _HEAD_THERE),
    ("head-fields", "callers", "431", _HEAD),
    ("head-fields", "servers", "431", _HEAD_THERE),
    (
        "answer-head-bytes",
        "callers",
        "io_error",
        _ANSWERS + "test_the_head_of_another_servers_answer",
    ),
    ("answer-head-bytes", "servers", "io_error", _ANSWERS + "test_the_head_of_a_services_answer"),
    ("soap-bytes", "callers", "invalid_message", _SIZE + "test_a_message_has_its_octets"),
    (
        "soap-bytes",
        "servers",
        "invalid_message",
        _SIZE + "test_another_servers_message_has_its_octets",
    ),
    ("soap-seconds", "callers", "internal_error", _TIME + "test_a_soap_message_has_its_time"),
    ("body-bytes", "callers", "io_error", _SIZE + "test_a_body_has_its_octets"),
    ("body-bytes", "servers", "io_error", _SIZE + "test_another_servers_body_has_its_octets"),
    (
        "rest-head-bytes",
        "servers",
        "invalid_message",
        _FORM + "test_the_head_of_another_servers_rest_message",
    ),
    *(
        row
        for setting in ("xml-depth", "xml-nodes", "xml-header-elements", "xml-namespace-chars")
        for row in (
            (setting, "callers", "invalid_soap", _FORM + "test_the_form_of_a_message"),
            (
                setting,
                "servers",
                "invalid_soap",
                _FORM + "test_the_form_of_another_servers_message",
            ),
        )
    ),
    ("attachments", "callers", "invalid_message", _SIZE + "test_a_message_has_its_attachments"),
    (
        "attachments",
        "servers",
        "invalid_message",
        _SIZE + "test_another_servers_message_has_its_attachments",
    ),
    *(
        row
        for setting in (
            "part-head-fields",
            "part-head-bytes",
            "part-line-bytes",
            "part-field-bytes",
        )
        for row in (
            (setting, "callers", "mime_parsing_failed", _FORM + "test_the_headers_of_a_part"),
            (
                setting,
                "servers",
                "mime_parsing_failed" if setting == "part-line-bytes" else "internal_error",
                _FORM + "test_the_headers_of_another_servers_part",
            ),
        )
    ),
    (
        "part-heads-bytes",
        "callers",
        "mime_parsing_failed",
        _FORM + "test_the_headers_of_all_parts",
    ),
    ("multipart-depth", "callers", "mime_parsing_failed", _FORM + "test_the_parts_of_a_message"),
    ("multiparts", "callers", "mime_parsing_failed", _FORM + "test_the_parts_of_a_message"),
    *(
        (setting, "servers", "invalid_message", _FORM + "test_the_parts_of_another_servers_message")
        for setting in (
            *("ocsp-parts", "ocsp-bytes", "signature-bytes"),
            *("chain-result-bytes", "chain-bytes"),
        )
    ),
    ("fault-bytes", "callers", "io_error", _ANSWERS + "test_a_fault_of_another_server"),
    ("connections", "callers", "waits", _FULL),
    ("connections-per-address", "callers", "closed", _FULL),
    (
        "connections-per-server",
        "servers",
        "closed",
        _OVER + "test_one_server_has_only_so_many_connections",
    ),
    ("idle-seconds", "callers", "closed", _TIME + "test_who_says_nothing_is_let_go_without_a_word"),
    ("idle-seconds", "servers", "closed", _TIME + "test_who_says_nothing_is_let_go_without_a_word"),
    ("handshake-seconds", "callers", "closed", _TIME + "test_a_handshake_has_its_time"),
    ("handshake-seconds", "servers", "closed", _TIME + "test_a_handshake_has_its_time"),
    ("head-seconds", "callers", "408", _TIME + "test_a_head_has_its_time"),
    ("head-seconds", "servers", "408", _TIME + "test_a_head_has_its_time"),
    *(
        row
        for setting in ("pause-seconds", "bytes-per-second", "request-seconds")
        for row in (
            (setting, "callers", "io_error", _TIME + "test_a_body_has_its_time"),
            (setting, "servers", "io_error", _TIME + "test_another_servers_message_has_its_time"),
        )
    ),
    *(
        row
        for setting in ("exchanges", "exchanges-waiting", "wait-seconds")
        for row in (
            (setting, "callers", "network_error", _FLOOD),
            (setting, "servers", "network_error", _FLOOD_THERE),
        )
    ),
    (
        "memory-bytes",
        "callers",
        "io_error",
        _OVER + "test_messages_that_are_never_whole_do_not_eat_the_memory",
    ),
    (
        "memory-bytes",
        "servers",
        "io_error",
        _OVER + "test_a_provider_without_memory_or_room_says_so_and_serves_others",
    ),
    ("late-seconds", "callers", "network_error", _NAMED),
    (
        "slow-log-seconds",
        "callers",
        "network_error",
        "securityserver/test_strain::test_delay_counts_from_its_border_on",
    ),
    (
        "drain-seconds",
        "servers",
        "closed",
        "journeys/test_connections::test_a_drain_that_takes_too_long_ends_all_the_same",
    ),
    (
        "message-bytes",
        "callers",
        "io_error",
        _BODIES + "test_a_message_that_is_too_large_is_told_by_whom_and_why",
    ),
    (
        "message-bytes",
        "servers",
        "io_error",
        _BODIES + "test_a_message_that_is_too_large_is_told_by_whom_and_why",
    ),
    ("most-bytes", "callers", "io_error", _ROOM),
    (
        "most-bytes",
        "servers",
        "io_error",
        _OVER + "test_a_provider_without_memory_or_room_says_so_and_serves_others",
    ),
    (
        "free-bytes",
        "callers",
        "io_error",
        _BODIES + "test_a_disk_that_is_nearly_full_refuses_what_does_not_fit_into_memory",
    ),
)
