"""What fault codes mean, in plain words, and what to look at: for people who do not know them.

The rule: one row for each code that verifying a container, an archive or a configuration may end
in. A code is looked up whole, then without its first piece, and so on: what stands in front only
says while doing what. Sources: asic 3 and 5, signature 6, hashchain 5, globalconf 3.3.
"""

from __future__ import annotations

import msgspec

__all__ = ["WORDS", "Words", "find_words"]


class Words(msgspec.Struct, frozen=True):
    """A sentence that says what happened, and one that says what to look at."""

    meaning: str
    look_at: str


_FROM_THE_LOG = "Ask the owner of the message log for the container once more."
_ASK_THE_SIGNER = "Ask the member who signed it; nothing here can mend the signature."
_RIGHT_CONFIGURATION = (
    "Whether the configuration given is of the same X-Road instance, and old or new enough for "
    "this signature (verificationconf of the server that logged the message)."
)
_ASK_THE_OPERATOR = "Ask the operator of the central server, or of the configuration proxy."
_OTHER_COPY = "Another copy of the archive; until then treat it as not whole."
_FRESH_COPY = "Whether the copy is complete and unchanged: fetch the configuration once more."

WORDS: dict[str, Words] = {
    # The container.
    "asic_invalid_container": Words(
        "The file is damaged, or made so that two programs could read two things out of it.",
        _FROM_THE_LOG,
    ),
    "asic_mime_type_not_found": Words(
        "This is no ASiC-E container: it is no zip file, or it does not say what it is.",
        "Whether it is the right file, downloaded as a whole.",
    ),
    "asic_invalid_mime_type": Words(
        "The zip file says that it is something other than an ASiC-E container.",
        "Whether it is the right file.",
    ),
    "asic_message_not_found": Words("There is no message in the container.", _FROM_THE_LOG),
    "asic_signature_not_found": Words(
        "There is no signature in the container, so nothing is proven.", _FROM_THE_LOG
    ),
    "asic_hash_chain_result_not_found": Words(
        "Half of what links the message to a batch is missing.", _FROM_THE_LOG
    ),
    "asic_hash_chain_not_found": Words(
        "Half of what links the message to a batch is missing.", _FROM_THE_LOG
    ),
    "asic_timestamp_not_found": Words(
        "There is no time-stamp, so nothing says when the message was signed.",
        "Whether the message was time-stamped when the container was made.",
    ),
    "asic_manifest_not_found": Words("The list of files in the container is empty.", _FROM_THE_LOG),
    "io_error": Words("The file cannot be read.", "The file and its permissions."),
    # The message.
    "invalid_xml": Words(
        "A document in it is not well-formed XML, or holds what is never accepted (a DOCTYPE).",
        _FROM_THE_LOG,
    ),
    "invalid_soap": Words(
        "The message is SOAP and does not say who sent it, or does so twice.", _FROM_THE_LOG
    ),
    "invalid_client_identifier": Words(
        "The message names its client or service in a way that cannot be.", _FROM_THE_LOG
    ),
    # The signature.
    "malformed_signature": Words(
        "The signature, its hash chain or its time-stamp is not built as it must be, or does not "
        "belong to this message.",
        "Whether message or evidence were changed or exchanged; the cause says where.",
    ),
    "invalid_signature_value": Words(
        "What was signed was changed afterwards, or the signature is not by the key of its "
        "certificate.",
        "Treat the content as not proven; compare it with the other party's container.",
    ),
    "invalid_reference": Words(
        "The signature refers to its content in a way that is not taken.", _ASK_THE_SIGNER
    ),
    "invalid_hash_chain_ref": Words(
        "The message or a part of it is not the one that was signed with the batch.",
        "Treat the content as not proven; compare it with the other party's container.",
    ),
    "invalid_hash_chain": Words(
        "What links the message to its batch does not lead to what was signed.",
        "Whether the container was put together from different messages.",
    ),
    "malformed_hash_chain": Words(
        "What links the message to its batch is not built as it must be.", _FROM_THE_LOG
    ),
    "hashchain_unused_inputs": Words(
        "There is a part that the signature says nothing of.",
        "Whether something was added to the message.",
    ),
    "unsupported_algorithm": Words(
        "The signature uses a method that is not known here.", _ASK_THE_SIGNER
    ),
    "internal_error": Words(
        "Something the verdict needs is not known here; mostly the signer's certificate authority "
        "or instance is not in the configuration.",
        _RIGHT_CONFIGURATION,
    ),
    # The certificate.
    "incorrect_certificate": Words(
        "The certificate is not of the member that the message names, or it cannot be read.",
        "Who signed in whose name: the signer named in the cause and the one in the message.",
    ),
    "invalid_certificate": Words(
        "The certificate does not name a member by its authority's rules.",
        "Whether the configuration has the right profile for that certificate authority.",
    ),
    "cert_validation": Words(
        "It is not proven that the certificate was good at that time: it was revoked, or nobody "
        "says otherwise.",
        "Whether the member's certificate was suspended or revoked then.",
    ),
    "incorrect_validation_info": Words(
        "The statement (OCSP) that the certificate was good does not count: too old or too new at "
        "the time of the time-stamp, not genuine, or by nobody who may make it.",
        "The times of OCSP response and time-stamp, and the configuration's list of responders.",
    ),
    "cannot_create_cert_path.internal_error": Words(
        "The certificate was not valid at that time, or was not issued by the approved authority.",
        "The certificate's dates and its issuer.",
    ),
    # The time-stamp.
    "tsp_certificate_not_found": Words(
        "The time-stamp is by a service that the configuration does not know.",
        _RIGHT_CONFIGURATION,
    ),
    "timestamp_signer_verification_failed": Words(
        "The time-stamp is not by the service that it names, or that was not valid then.",
        "Treat the time as not proven.",
    ),
    # The archive.
    "invalid_zip": Words(
        "The zip file is damaged, or made so that two programs could read two things out of it.",
        _OTHER_COPY,
    ),
    "archive_invalid_zip": Words(
        "The zip file is damaged, or made so that two programs could read two things out of it.",
        _OTHER_COPY,
    ),
    "archive_no_containers": Words(
        "There is no container in the file, so nothing is proven.",
        "Whether it is the right file, and whole.",
    ),
    "archive_linkinginfo_not_found": Words(
        "The archive does not tell how its containers are linked, so some may have been taken out.",
        _OTHER_COPY,
    ),
    "archive_invalid_linkinginfo": Words(
        "What tells how the containers are linked cannot be read.", _OTHER_COPY
    ),
    "archive_digest_not_supported": Words(
        "The containers are linked by a digest that proves nothing, or that is not known here.",
        "By which settings the archive was made (SHA-256, SHA-384 or SHA-512 are taken).",
    ),
    "archive_digest_mismatch": Words(
        "A container is not the one that was archived, or one before it was taken out, put in or "
        "exchanged.",
        _OTHER_COPY,
    ),
    "archive_file_names_differ": Words(
        "The containers in the archive are not those that were archived.", _OTHER_COPY
    ),
    "archive_previous_digest_mismatch": Words(
        "The archive does not continue the one that it should.",
        "Whether an archive in between is missing, or the digest given is of another one.",
    ),
    # The configuration.
    "malformed_anchor": Words(
        "This is no configuration anchor.", "Whether it is the right file, downloaded as a whole."
    ),
    "malformed_global_conf": Words(
        "A file of the configuration is not built as it must be.", _FRESH_COPY
    ),
    "global_conf_outdated": Words(
        "The configuration was valid, and is not any more.",
        "Whether its source still publishes, and the clock of this machine.",
    ),
    "global_conf_missing_verification_cert": Words(
        "It is signed by a key that the anchor does not know.",
        "Whether the keys were changed: get the current anchor and compare its hash by another "
        "way. If they were not, somebody else signed it.",
    ),
    "global_conf_signature_verification_failure": Words(
        "The signed list of files was changed after it was signed.", _FRESH_COPY
    ),
    "global_conf_signature_decode_failure": Words("The signature cannot be read.", _FRESH_COPY),
    "global_conf_missing_signed_data": Words(
        "This is no signed configuration directory, or it has no content.", _FRESH_COPY
    ),
    "global_conf_missing_signed_data_expiration_date": Words(
        "It is not signed, or it does not say how long it is valid.", _FRESH_COPY
    ),
    "global_conf_header_field_missing": Words(
        "A field is missing in the signed list of files.", _ASK_THE_OPERATOR
    ),
    "global_conf_header_field_missing_parameter": Words(
        "A part of a field is missing in the signed list of files.", _ASK_THE_OPERATOR
    ),
    "global_conf_header_field_wrong_value": Words(
        "A field of the signed list of files has a value that is not taken; MD5 and SHA-1 are not.",
        _ASK_THE_OPERATOR,
    ),
    "global_conf_parsing_downloaded_conf_directory_failure": Words(
        "The signed list of files is not built as it must be.", _FRESH_COPY
    ),
    "global_conf_part_downloaded_file_integrity_failure": Words(
        "A file is not the one that was signed.", _FRESH_COPY
    ),
    "global_conf_part_invalid_instance_identifier": Words(
        "It speaks for another X-Road instance than the anchor.",
        "Whether anchor and configuration belong together.",
    ),
    "global_conf_part_download_failure": Words("A file that was signed is not there.", _FRESH_COPY),
    "global_conf_download_url_connection_failure": Words(
        "The signed list of files cannot be read.", _FRESH_COPY
    ),
    "global_conf_get_version_failed": Words(
        "Nothing is published under the anchor's addresses in a version that is known here.",
        "Whether anchor and folder belong together.",
    ),
}
"""The words by code, without what stands in front of it."""


def find_words(code: str) -> Words | None:
    """The words for a dotted fault code."""
    rest = code
    while rest:
        if rest in WORDS:
            return WORDS[rest]
        _, _, rest = rest.partition(".")
    return None
