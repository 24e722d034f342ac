/* digest.c: SHA-2 of one stream, or of many spans, over libcrypto. */
#include <openssl/evp.h>

#include "inner.h"

struct xg_hasher {
    const xg_algorithm *algorithm;
    EVP_MD *md;
    EVP_MD_CTX *state;
    EVP_MD_CTX *scratch; /* the state is finished here, so that it can go on */
};

static const xg_algorithm ALGORITHMS[] = {
    {XG_SHA256, "SHA256", 32, "http://www.w3.org/2001/04/xmlenc#sha256", 39},
    {XG_SHA384, "SHA384", 48, "http://www.w3.org/2001/04/xmldsig-more#sha384", 45},
    {XG_SHA512, "SHA512", 64, "http://www.w3.org/2001/04/xmlenc#sha512", 39},
};

const xg_algorithm *xg_algorithm_of(int code) {
    for (size_t i = 0; i < sizeof ALGORITHMS / sizeof *ALGORITHMS; i++)
        if (ALGORITHMS[i].code == code) return &ALGORITHMS[i];
    return NULL;
}

xg_err xg_hasher_new(xg_hasher **out, int algorithm) {
    const xg_algorithm *facts = xg_algorithm_of(algorithm);
    if (!out || !facts) return XG_E_ARGUMENT;
    xg_hasher *hasher = calloc(1, sizeof *hasher);
    if (!hasher) return XG_E_MEMORY;
    hasher->algorithm = facts;
    hasher->md = EVP_MD_fetch(NULL, facts->name, NULL);
    hasher->state = EVP_MD_CTX_new();
    hasher->scratch = EVP_MD_CTX_new();
    bool made = hasher->md && hasher->state && hasher->scratch &&
                EVP_DigestInit_ex2(hasher->state, hasher->md, NULL) == 1;
    if (!made) {
        xg_hasher_free(hasher);
        return XG_E_MEMORY;
    }
    *out = hasher;
    return XG_OK;
}

void xg_hasher_free(xg_hasher *hasher) {
    if (!hasher) return;
    EVP_MD_CTX_free(hasher->scratch);
    EVP_MD_CTX_free(hasher->state);
    EVP_MD_free(hasher->md);
    free(hasher);
}

xg_err xg_hasher_update(xg_hasher *hasher, const uint8_t *octets, size_t n) {
    if (!hasher || (!octets && n)) return XG_E_ARGUMENT;
    if (n == 0) return XG_OK;
    return EVP_DigestUpdate(hasher->state, octets, n) == 1 ? XG_OK : XG_E_MEMORY;
}

static xg_err finish(xg_digest *out, const xg_hasher *hasher, EVP_MD_CTX *state) {
    xg_digest digest = {.n = (uint32_t)hasher->algorithm->size};
    if (EVP_DigestFinal_ex(state, digest.octets, NULL) != 1) return XG_E_MEMORY;
    *out = digest;
    return XG_OK;
}

xg_err xg_hasher_final(xg_digest *out, xg_hasher *hasher) {
    if (!out || !hasher) return XG_E_ARGUMENT;
    if (EVP_MD_CTX_copy_ex(hasher->scratch, hasher->state) != 1) return XG_E_MEMORY;
    return finish(out, hasher, hasher->scratch);
}

xg_err xg_hasher_once(xg_digest *out, xg_hasher *hasher, xg_span octets) {
    EVP_MD_CTX *state = hasher->scratch;
    if (EVP_DigestInit_ex2(state, hasher->md, NULL) != 1) return XG_E_MEMORY;
    if (octets.n && EVP_DigestUpdate(state, octets.p, octets.n) != 1) return XG_E_MEMORY;
    return finish(out, hasher, state);
}

xg_err xg_digest_parts(xg_digest *out, int algorithm, const xg_span *parts, size_t n) {
    if (!out || !parts || !xg_algorithm_of(algorithm)) return XG_E_ARGUMENT;
    if (n == 0) return XG_OK;
    if (n > SIZE_MAX / sizeof *out) return XG_E_LIMIT;
    for (size_t i = 0; i < n; i++)
        if (!parts[i].p && parts[i].n) return XG_E_ARGUMENT;
    xg_hasher *hasher = NULL;
    XG_TRY(xg_hasher_new(&hasher, algorithm));
    xg_digest *made = malloc(n * sizeof *made);
    xg_err err = made ? XG_OK : XG_E_MEMORY;
    for (size_t i = 0; err == XG_OK && i < n; i++)
        err = xg_hasher_once(&made[i], hasher, parts[i]);
    if (err == XG_OK) memcpy(out, made, n * sizeof *out);
    free(made);
    xg_hasher_free(hasher);
    return err;
}
