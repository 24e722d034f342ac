"""Is it genuine? Certificates, OCSP, seals, hash chains, signatures, timestamps, containers."""
