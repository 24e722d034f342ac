"""Fault codes before and since X-Road 7.8: ``Server.ServerProxy.X`` and ``server.serverproxy.x``.

The rule: a code is translated piece by piece between its dots; a piece that is not in the table
stays as it is. Inside the house only the new form is used; what is relayed is never translated.
Sources: soap-protocol 8 and trap 1, transport trap 17.
"""

from __future__ import annotations

__all__ = ["CODES", "new_code", "old_code"]

CODES: dict[str, str] = {
    # Who refused, and while doing what.
    "client": "Client",
    "server": "Server",
    "clientproxy": "ClientProxy",
    "serverproxy": "ServerProxy",
    "signer": "Signer",
    "opmonitor": "OpMonitor",
    "service_failed": "ServiceFailed",
    "signature_verification": "SignatureVerification",
    "cannot_create_signature": "CannotCreateSignature",
    "logging_failed": "LoggingFailed",
    "cannot_create_cert_path": "CannotCreateCertPath",
    "invalid_cert_path": "InvalidCertPath",
    # The technical side.
    "bad_request": "BadRequest",
    "database_error": "DatabaseError",
    "http_error": "HttpError",
    "internal_error": "InternalError",
    "invalid_request": "InvalidRequest",
    "io_error": "IOError",
    "network_error": "NetworkError",
    "not_found": "NotFound",
    "ssl_authentication_failed": "SslAuthenticationFailed",
    # The message.
    "access_denied": "AccessDenied",
    "client_proxy_version_not_supported": "ClientProxyVersionNotSupported",
    "duplicate_header_field": "DuplicateHeaderField",
    "inconsistent_headers": "InconsistentHeaders",
    "inconsistent_response": "InconsistentResponse",
    "invalid_body": "InvalidBody",
    "invalid_client_identifier": "InvalidClientIdentifier",
    "invalid_content_type": "InvalidContentType",
    "invalid_http_method": "InvalidHttpMethod",
    "invalid_message": "InvalidMessage",
    "invalid_protocol_version": "InvalidProtocolVersion",
    "invalid_response": "InvalidResponse",
    "invalid_rest": "InvalidRest",
    "invalid_security_server": "InvalidSecurityServer",
    "invalid_soap": "InvalidSoap",
    "invalid_soap_action": "InvalidSoapAction",
    "invalid_xml": "InvalidXml",
    "malformed_soap": "MalformedSoap",
    "mime_parsing_failed": "MimeParsingFailed",
    "missing_body": "MissingBody",
    "missing_header": "MissingHeader",
    "missing_header_field": "MissingHeaderField",
    "missing_rest": "MissingRest",
    "missing_signature": "MissingSignature",
    "missing_soap": "MissingSoap",
    "service_disabled": "ServiceDisabled",
    "service_malformed_url": "ServiceMalformedUrl",
    "service_missing_url": "ServiceMissingUrl",
    "service_type": "ServiceType",
    "unknown_member": "UnknownMember",
    "unknown_service": "UnknownService",
    # Certificates, signatures, hash chains, containers, timestamps.
    "asic_hash_chain_not_found": "AsicHashChainNotFound",
    "asic_hash_chain_result_not_found": "AsicHashChainResultNotFound",
    "asic_invalid_container": "AsicInvalidContainer",
    "asic_invalid_mime_type": "AsicInvalidMimeType",
    "asic_manifest_not_found": "AsicManifestNotFound",
    "asic_message_not_found": "AsicMessageNotFound",
    "asic_mime_type_not_found": "AsicMimeTypeNotFound",
    "asic_signature_not_found": "AsicSignatureNotFound",
    "asic_timestamp_not_found": "AsicTimestampNotFound",
    "cannot_get_member_id_from_certificate": "CannotGetMemberIdFromCertificate",
    "cert_validation": "CertValidation",
    "cert_validity_time": "CertValidityTime",
    "hashchain_unused_inputs": "HashChainUnusedInputs",
    "incorrect_certificate": "IncorrectCertificate",
    "incorrect_validation_info": "IncorrectValidationInfo",
    "invalid_hash_chain": "InvalidHashChain",
    "invalid_hash_chain_ref": "InvalidHashChainRef",
    "invalid_reference": "InvalidReference",
    "invalid_signature_value": "InvalidSignatureValue",
    "malformed_hash_chain": "MalformedHashChain",
    "malformed_signature": "MalformedSignature",
    "missing_validation_info": "MissingValidationInfo",
    "timestamper_failed": "TimestamperFailed",
    "timestamping_failed": "TimestampingFailed",
    "unsupported_algorithm": "UnsupportedAlgorithm",
    # Configuration.
    "adapter_wsdl_not_found": "AdapterWsdlNotFound",
    "cannot_find_member": "CannotFindMember",
    "global_conf_outdated": "OutdatedGlobalConf",
    "maintenance_mode": "MaintenanceMode",
    "malformed_global_conf": "MalformedGlobalConf",
    "malformed_key_conf": "MalformedKeyConf",
    "malformed_optional_parts_conf": "MalformedOptionalPartsConf",
    "malformed_server_conf": "MalformedServerConf",
    # Tokens, keys and certificates of the signer.
    "cannot_sign": "CannotSign",
    "cert_exists": "CertExists",
    "cert_import_failed": "CertImportFailed",
    "cert_not_found": "CertNotFound",
    "csr_not_found": "CsrNotFound",
    "failed_to_delete_key": "FailedToDeleteKey",
    "failed_to_generate_certificate_request": "FailedToGenerateCertificateRequest",
    "failed_to_generate_private_key": "FailedToGeneratePrivateKey",
    "failed_to_generate_public_key": "FailedToGeneratePublicKey",
    "hsm_non_operational": "HSMNonOperational",
    "key_not_available": "KeyNotAvailable",
    "key_not_found": "KeyNotFound",
    "login_failed": "LoginFailed",
    "logout_failed": "LogoutFailed",
    "pin_incorrect": "PinIncorrect",
    "token_not_active": "TokenNotActive",
    "token_not_available": "TokenNotAvailable",
    "token_not_found": "TokenNotFound",
    "token_not_initialized": "TokenNotInitialized",
    "token_pin_policy_failure": "TokenPinPolicyFailure",
    "token_readonly": "TokenReadOnly",
    "unsupported_sign_algorithm": "UnsupportedSignAlgorithm",
    "wrong_cert_usage": "WrongCertUsage",
}
"""Pieces of fault codes: the form since 7.8 and the form up to 7.7."""

# New in 7.8, but what it names had another name before.
_OLD_ONLY_WAY = {"unknown_host": "NetworkError"}
_NEW = {old.lower(): new for new, old in CODES.items()} | {new: new for new in CODES}


def old_code(code: str) -> str:
    """A code in the spelling that servers up to 7.7 understand."""
    old = CODES | _OLD_ONLY_WAY
    return ".".join(old.get(piece, piece) for piece in code.split("."))


def new_code(code: str) -> str:
    """A code in the spelling since 7.8, from either spelling in any case.

    Codes that are not X-Road's (``soap:Server``) stay as they are.
    """
    return ".".join(_NEW.get(piece.lower(), piece) for piece in code.split("."))
