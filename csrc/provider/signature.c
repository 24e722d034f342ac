/* signature.c: what a handshake asks for: a signature over octets that are gathered here and hashed
 * and signed by the signer. Only signing: verifying is the default provider's. */
#define _GNU_SOURCE /* strcasecmp */
#include <stdio.h>
#include <strings.h>

#include "provider.h"

enum {
    PKCS1 = 1, /* RSA_PKCS1_PADDING */
    PSS = 6,   /* RSA_PKCS1_PSS_PADDING */
    DEADLINE = 3000,
    SULK = 2000 /* milliseconds without asking a signer that has just kept us waiting in vain */
};

typedef struct {
    xgp_provider *provider;
    xgp_key *key;
    const char *digest; /* as the signer calls it; NULL: not begun */
    size_t digest_n;
    int padding;
    uint8_t *octets;
    size_t n, cap;
} context;

static void *context_new(void *provider, const char *properties) {
    (void)properties;
    context *made = calloc(1, sizeof *made);
    if (made) made->provider = provider;
    return made;
}

static void context_free(void *data) {
    context *ctx = data;
    if (!ctx) return;
    xgp_key_free(ctx->key);
    free(ctx->octets);
    free(ctx);
}

static void *context_copy(void *data) {
    const context *ctx = data;
    context *made = calloc(1, sizeof *made);
    if (!made) return NULL;
    *made = *ctx;
    made->octets = NULL;
    made->cap = 0;
    if (ctx->n) {
        made->octets = malloc(ctx->n);
        if (!made->octets) {
            free(made);
            return NULL;
        }
        memcpy(made->octets, ctx->octets, ctx->n);
        made->cap = ctx->n;
    }
    if (made->key) xgp_key_share(made->key);
    return made;
}

static bool name_digest(context *ctx, const char *name) {
    static const struct {
        const char *names[4], *known;
        size_t size;
    } DIGESTS[] = {
        {{"SHA256", "SHA2-256", "SHA-256", "2.16.840.1.101.3.4.2.1"}, "SHA-256", 32},
        {{"SHA384", "SHA2-384", "SHA-384", "2.16.840.1.101.3.4.2.2"}, "SHA-384", 48},
        {{"SHA512", "SHA2-512", "SHA-512", "2.16.840.1.101.3.4.2.3"}, "SHA-512", 64},
    };
    for (size_t i = 0; name && i < sizeof DIGESTS / sizeof *DIGESTS; i++)
        for (size_t k = 0; k < 4; k++)
            if (strcasecmp(DIGESTS[i].names[k], name) == 0) {
                ctx->digest = DIGESTS[i].known;
                ctx->digest_n = DIGESTS[i].size;
                return true;
            }
    return false;
}

/* --- parameters: the padding of RSA, and a salt of which only one length is made --- */

static int set_padding(context *ctx, const OSSL_PARAM *param) {
    int padding = 0;
    if (param->data_type == OSSL_PARAM_UTF8_STRING)
        padding = param->data && strcmp(param->data, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0     ? PSS
                : param->data && strcmp(param->data, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0 ? PKCS1
                                                                                         : 0;
    else if (!xgp_param_int(&padding, param))
        return 0;
    if (padding != PKCS1 && padding != PSS) return xgp_refuse(ctx->provider, "unknown padding");
    ctx->padding = padding;
    return 1;
}

/* RSA_PSS_SALTLEN_DIGEST is -1; in words "digest". */
static int set_salt(const context *ctx, const OSSL_PARAM *param) {
    int size;
    if (param->data_type == OSSL_PARAM_UTF8_STRING) {
        if (param->data && strcmp(param->data, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) == 0) return 1;
        size = param->data ? atoi(param->data) : 0;
    } else if (!xgp_param_int(&size, param)) {
        return 0;
    }
    if (size == -1 || (size > 0 && (size_t)size == ctx->digest_n)) return 1;
    return xgp_refuse(ctx->provider, "the salt of PSS has the size of the digest");
}

static int set_mask_digest(const context *ctx, const OSSL_PARAM *param) {
    context other = {0};
    if (param->data_type != OSSL_PARAM_UTF8_STRING || !name_digest(&other, param->data)) return 0;
    return !ctx->digest || other.digest == ctx->digest;
}

static int set_params(void *data, const OSSL_PARAM params[]) {
    context *ctx = data;
    bool rsa = ctx->key && ctx->key->reference.kind == XGP_RSA;
    for (const OSSL_PARAM *p = params; p && p->key; p++) {
        int good = 1;
        if (strcmp(p->key, OSSL_SIGNATURE_PARAM_PAD_MODE) == 0) good = rsa && set_padding(ctx, p);
        if (strcmp(p->key, OSSL_SIGNATURE_PARAM_PSS_SALTLEN) == 0) good = rsa && set_salt(ctx, p);
        if (strcmp(p->key, OSSL_SIGNATURE_PARAM_MGF1_DIGEST) == 0) good = set_mask_digest(ctx, p);
        if (!good) return 0;
    }
    return 1;
}

static const OSSL_PARAM *settable(void *data, void *provider) {
    static const OSSL_PARAM all[] = {
        XGP_PARAM(OSSL_SIGNATURE_PARAM_PAD_MODE, OSSL_PARAM_INTEGER, NULL, 0),
        XGP_PARAM(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, OSSL_PARAM_UTF8_STRING, NULL, 0),
        XGP_PARAM(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, OSSL_PARAM_UTF8_STRING, NULL, 0),
        XGP_END,
    };
    (void)data, (void)provider;
    return all;
}

/* --- signing --- */

static int begin(void *data, const char *digest, void *key, const OSSL_PARAM params[]) {
    context *ctx = data;
    if (key) {
        xgp_key_free(ctx->key);
        ctx->key = xgp_key_share(key);
    }
    ctx->n = 0;
    ctx->padding = PKCS1;
    ctx->digest = NULL;
    if (!ctx->key) return 0;
    if (!name_digest(ctx, digest ? digest : "SHA256"))
        return xgp_refuse(ctx->provider, "the signer makes no signatures with this digest");
    return set_params(ctx, params);
}

static int gather(void *data, const unsigned char *octets, size_t n) {
    context *ctx = data;
    if (!ctx->digest || n > XGP_SIGNED_MAX - ctx->n) return 0;
    if (ctx->n + n > ctx->cap) {
        size_t cap = ctx->n + n + 1024;
        uint8_t *more = realloc(ctx->octets, cap);
        if (!more) return 0;
        ctx->octets = more;
        ctx->cap = cap;
    }
    if (n) memcpy(ctx->octets + ctx->n, octets, n);
    ctx->n += n;
    return 1;
}

static const char *kind_of(const context *ctx) {
    if (ctx->key->reference.kind == XGP_EC) return "ecdsa";
    return ctx->padding == PSS ? "pss" : "rsa";
}

/* RSA signatures have one size; ECDSA ones are DER, which begins as it must. */
static bool fits(const xgp_key *key, const uint8_t *p, size_t n) {
    if (key->reference.kind == XGP_RSA) return n == xgp_key_signature_size(key);
    return n >= 8 && n <= xgp_key_signature_size(key) && p[0] == 0x30;
}

static int sign(const context *ctx, uint8_t *out, size_t *out_n, const uint8_t *octets, size_t n) {
    const xgp_reference *facts = &ctx->key->reference;
    xgp_provider *provider = ctx->provider;
    uint8_t *words, made[XGP_SIGNATURE_MAX];
    size_t words_n, made_n = 0;
    char why[256] = "the signer is not asked: it kept us waiting in vain a moment ago";
    if (xgp_now() < atomic_load(&provider->not_before)) return xgp_refuse(provider, why);
    if (!xgp_words_write(&words, &words_n, facts->name, kind_of(ctx), ctx->digest, octets, n))
        return xgp_refuse(provider, "too much to sign");
    int done = xgp_ask(made, &made_n, sizeof made, why, sizeof why, facts->socket, words, words_n,
                       DEADLINE);
    free(words);
    if (done < 0) atomic_store(&provider->not_before, xgp_now() + SULK);
    if (done != 1) return xgp_refuse(provider, why);
    if (!fits(ctx->key, made, made_n)) return xgp_refuse(provider, "that is no signature");
    memcpy(out, made, made_n);
    *out_n = made_n;
    return 1;
}

/* Without out, the most octets that there may be. */
static int one_shot(void *data, unsigned char *out, size_t *out_n, size_t cap,
                    const unsigned char *octets, size_t n) {
    const context *ctx = data;
    if (!ctx->key || !ctx->digest) return 0;
    size_t most = xgp_key_signature_size(ctx->key);
    if (!out) {
        *out_n = most;
        return 1;
    }
    if (cap < most) return xgp_refuse(ctx->provider, "no room for a signature");
    return sign(ctx, out, out_n, octets, n);
}

static int finish(void *data, unsigned char *out, size_t *out_n, size_t cap) {
    const context *ctx = data;
    return one_shot(data, out, out_n, cap, ctx->octets, ctx->n);
}

static const OSSL_DISPATCH SIGNATURE[] = {
    XGP_FN(OSSL_FUNC_SIGNATURE_NEWCTX, context_new),
    XGP_FN(OSSL_FUNC_SIGNATURE_FREECTX, context_free),
    XGP_FN(OSSL_FUNC_SIGNATURE_DUPCTX, context_copy),
    XGP_FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, begin),
    XGP_FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_UPDATE, gather),
    XGP_FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_FINAL, finish),
    XGP_FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, one_shot),
    XGP_FN(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, set_params),
    XGP_FN(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, settable),
    {0, NULL},
};

const OSSL_ALGORITHM xgp_signature_algorithms[] = {
    {"RSA:rsaEncryption:1.2.840.113549.1.1.1", "provider=xgate", SIGNATURE, "by the signer"},
    {"ECDSA", "provider=xgate", SIGNATURE, "by the signer"},
    {NULL, NULL, NULL, NULL},
};
