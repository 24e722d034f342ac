"""What refusals of commands on keys and configuration mean: for ``xgate explain``.

The rule: one row for each code that no message is answered with. Sources: signer 6 to 9,
admin-api 7.
"""

from __future__ import annotations

from xgate.cli.words import Words

__all__ = ["MANAGEMENT_WORDS"]

_SEE_THE_KEYS = "`xgate keys list` shows keys, requests and certificates with their ids."
_SEE_THE_TOKENS = "`xgate keys list` shows the tokens; `xgate doctor --only keys` tries them."
_MEND_THE_DOCUMENT = (
    "Correct the document at its URL, then `xgate refresh`; the text names the place."
)

MANAGEMENT_WORDS: dict[str, Words] = {
    # Keys and certificates.
    "cert_exists": Words("This certificate has been imported before.", _SEE_THE_KEYS),
    "cert_import_failed": Words(
        "The certificate's authority is not approved for this use by the global configuration.",
        "Whether the right file was sent, by an authority of this X-Road instance.",
    ),
    "cert_not_found": Words(
        "No key here has this certificate, or none that is in use.", _SEE_THE_KEYS
    ),
    "csr_not_found": Words("There is no certificate request of this name.", _SEE_THE_KEYS),
    "wrong_cert_usage": Words(
        "The key or the certificate is for the other use: signing is not authentication.",
        "Ask the authority for a certificate of the right profile, or take another key; "
        "authentication keys lie on the software token unless `auth-on-any-token` is set.",
    ),
    "invalid_dn_parameter": Words(
        "A field of the subject is missing, or is not what the authority's profile allows.",
        "`xgate keys csr KEY --fields` lists the fields and what goes into them.",
    ),
    "failed_to_generate_private_key": Words(
        "The token made no key, or one that does not sign as it was asked to.",
        "The text has the token's own words; whether it supports the kind and size, and has room.",
    ),
    "login_failed": Words(
        "The token did not open: its PIN is not at hand, is wrong, or is not tried again.",
        "A PIN that was refused is never repeated by itself: correct where it comes from, then "
        "`xgate keys login`.",
    ),
    "token_pin_policy_failure": Words(
        "The new PIN is too weak.",
        "Take one of at least ten characters of several kinds, or set `[keys] pin-policy = false`.",
    ),
    "token_readonly": Words("Nothing can be changed on this token from here.", _SEE_THE_TOKENS),
    "hsm_non_operational": Words(
        "A PKCS#11 module of devices.ini does not start, or shows no slots.",
        "`xgate doctor --only keys`, and `token or key not usable` in the server's log.",
    ),
    # Archives of the message log.
    "archive_key_not_found": Words(
        "No OpenPGP key has the name or fingerprint that is set.",
        "`[messagelog.archive.encryption]`: the keyring must hold it; a fingerprint is surest.",
    ),
    "archive_key_ambiguous": Words(
        "Several OpenPGP keys have the name that is set.",
        "Name it by its fingerprint in `[messagelog.archive.encryption]`.",
    ),
    "archive_encryption_failed": Words(
        "An archive could not be encrypted and signed, so it was not made.",
        "The text has the cause: a file of `[messagelog.archive.encryption]`, or its password.",
    ),
    "archive_invalid_record": Words(
        "A record of the log cannot be archived as it is.",
        "`xgate log verify` tells what is wrong with it; a log must not be changed by hand.",
    ),
    "archive_outbox_in_use": Words(
        "Another process archives into this folder.",
        "Let it end, or give each server a `[messagelog.archive] directory` of its own.",
    ),
    "archive_superseded": Words(
        "The chain of archives has gone on without the one that was being made.",
        "Whether an older log was put back; the archive that the text names is outside the chain.",
    ),
    # The server's own configuration.
    "malformed_server_conf": Words(
        "The server's own configuration says something that cannot be.",
        "The text names the client or service; `xgate apply --dry-run` tries without changing.",
    ),
    "configuration_changed": Words(
        "Somebody else has applied a configuration since this one was looked at.",
        "`xgate show --history` tells who; look at the difference, then apply once more.",
    ),
    "invalid_wsdl": Words("The document is no WSDL with SOAP services in it.", _MEND_THE_DOCUMENT),
    "invalid_wsdl_service_identifier": Words(
        "The WSDL names a service with characters that no identifier may have.", _MEND_THE_DOCUMENT
    ),
    "openapi_parsing_error": Words(
        "The document is no usable OpenAPI document.", _MEND_THE_DOCUMENT
    ),
    "unsupported_openapi_version": Words(
        "The OpenAPI document is of another version than 3.0 or 3.1.0.", _MEND_THE_DOCUMENT
    ),
    "global_conf_missing_private_params": Words(
        "The source has no private parameters: it is not for an instance's own servers.",
        "Whether the anchor is the right one, or leave `--internal` out.",
    ),
    "not_an_external_source": Words(
        "The source publishes private parameters: it is not the one for partners.",
        "Whether the anchor is the right one, or leave `--external` out.",
    ),
}
