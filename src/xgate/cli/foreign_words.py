"""What the codes of other X-Road software mean: for ``xgate explain``.

The rule: one row for each code of the protocol that a fault, or a log, of the reference may have
and that means nothing of its own here, or is met in commands and downloads alone. Sources:
soap-protocol 8, messagelog 3, signer 6.
"""

from __future__ import annotations

from xgate.cli.words import Words

__all__ = ["FOREIGN_WORDS"]

_THEIR_LOG = (
    "The log of the server that refused, by the id of the fault's detail; the text may say more."
)
_THEIR_KEYS = (
    "Keys and tokens of the server that refused; of this one: `xgate keys list` shows them."
)
_STAMPING = (
    "The timestamping service and the way to it; `xgate doctor` asks each one that is configured."
)
_LOGGED = (
    "The message log of the server that refused: its database, and its own log around that time."
)

FOREIGN_WORDS: dict[str, Words] = {
    # Requests and answers.
    "bad_request": Words(
        "The request cannot be read in one way, or lacks what it must have.",
        "The text names the part; compare the request with the protocol.",
    ),
    "not_found": Words(
        "What was asked for is not there.", "Check the identifiers letter by letter."
    ),
    "invalid_response": Words("The service answered something that is no SOAP.", _THEIR_LOG),
    "invalid_rest": Words("The REST part of a message cannot be read.", _THEIR_LOG),
    "malformed_soap": Words(
        "The SOAP message is not built as it must be.",
        "Compare the message with the message protocol.",
    ),
    "adapter_wsdl_not_found": Words(
        "The service's WSDL could not be fetched from the adapter.",
        "Whether the URL of the service description can be reached from the provider's server.",
    ),
    # Certificates.
    "cannot_find_member": Words(
        "No member in the configuration is the one of the certificate.",
        "Whether the member is registered, and the configuration fresh: `xgate globalconf show`.",
    ),
    "cannot_get_member_id_from_certificate": Words(
        "The certificate does not name a member by its authority's rules.",
        "The certificate profile of its authority in the global configuration.",
    ),
    "cert_validity_time": Words(
        "The certificate was not valid at that time.",
        "The certificate's dates, and the clocks of both machines.",
    ),
    "missing_validation_info": Words(
        "A certificate came without the OCSP response that proves it good.",
        "Whether the sender's server gets OCSP responses: `OCSP not refreshed` in its log.",
    ),
    "cryptography_error": Words("A cryptographic operation failed.", _THEIR_LOG),
    # Keys and tokens.
    "key_not_available": Words("The key is there, but cannot be used now.", _THEIR_KEYS),
    "failed_to_delete_key": Words("The token did not delete the key.", _THEIR_KEYS),
    "failed_to_generate_public_key": Words("The token made no usable key pair.", _THEIR_KEYS),
    "failed_to_generate_certificate_request": Words(
        "No certificate request could be made with the key.", _THEIR_KEYS
    ),
    "logout_failed": Words("The token did not log out.", _THEIR_KEYS),
    "malformed_key_conf": Words(
        "The list of keys (keyconf.xml) cannot be read.",
        "Its last good copy; `xgate keys list` names the place.",
    ),
    # Configuration.
    "anchor_file_not_found": Words(
        "The configuration anchor is not where it should be.",
        "`[globalconf] anchor` in the settings; the operator of the instance hands out anchors.",
    ),
    "malformed_optional_parts_conf": Words(
        "A file that declares optional parts of the configuration is wrong.",
        "The text names the file and the field.",
    ),
    # Timestamps.
    "timestamper_failed": Words("No timestamping service gave a timestamp.", _STAMPING),
    "TimestampValidation": Words("A timestamp is not proven.", _STAMPING),
    "timestamp_non_granted_response": Words(
        "The timestamping service refused; its status and reason are in the text.",
        "Ask the service's operator: often a contract, an address or a digest that is not taken.",
    ),
    "timestamp_response_validation_failed": Words(
        "The service's answer is no timestamp for what was asked.", _STAMPING
    ),
    "timestamp_response_object_creation_failed": Words(
        "The service's answer cannot be read.", _STAMPING
    ),
    "reading_timestamp_response_failed": Words("The service's answer broke off.", _STAMPING),
    "timestamp_provider_connection_failed": Words(
        "The timestamping service cannot be reached.", _STAMPING
    ),
    "timestamp_request_timed_out": Words(
        "The timestamping service did not answer in time.", _STAMPING
    ),
    "timestamping_non_ok_response": Words(
        "The timestamping service answered with an HTTP status of failure.", _STAMPING
    ),
    "malformed_timestamp_server_url": Words(
        "The address of a timestamping service is none.",
        "The addresses in the global configuration and in `[messagelog.timestamping] services`.",
    ),
    "timestamp_token_signer_info_not_found": Words(
        "The timestamp does not say who signed it.", _STAMPING
    ),
    "timestamp_token_encoding_failed": Words("The timestamp could not be written down.", _LOGGED),
    "adding_signature_to_ts_token_failed": Words(
        "The timestamp could not be joined with its signature.", _LOGGED
    ),
    "timestamp_record_save_failure": Words("The timestamp could not be saved.", _LOGGED),
    # The message log.
    "log_manager_unavailable": Words("The message log does not run.", _LOGGED),
    "message_log_record_not_found": Words("The message log has no such record.", _LOGGED),
    "no_log_records_specified": Words("There was nothing to timestamp.", _LOGGED),
    "no_signature_hashes_specified": Words("There was nothing to timestamp.", _LOGGED),
    "calculating_message_digest_failed": Words("The message's digest was not made.", _LOGGED),
    "failed_to_build_signature_hash_chain": Words(
        "What links the messages of one timestamp could not be built.", _LOGGED
    ),
    "failed_to_prepare_signature_data": Words(
        "The signatures of one timestamp could not be put together.", _LOGGED
    ),
    "updating_message_signature_failed": Words(
        "A signature could not be replaced by its timestamped form.", _LOGGED
    ),
}
"""The words by the last piece of a code."""
