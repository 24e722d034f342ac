/* drive_provider.c: the whole provider inside the system's OpenSSL: load a reference, sign, verify.
 *
 * drive_provider PEM KIND...: for each kind (rsa, pss, ecdsa) one line, "good N" or "refused: why";
 * every way is tried: one-shot, in pieces, through a copy of the context. */
#include <stdio.h>
#include <string.h>

#include <openssl/core.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>

OSSL_provider_init_fn OSSL_provider_init;

static const unsigned char DATA[] = "what a handshake signs, in two pieces";
enum { HALF = 10, ALL = sizeof DATA };

static EVP_PKEY *load(const char *path) {
    BIO *in = BIO_new_file(path, "r");
    EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, NULL, NULL) : NULL;
    BIO_free(in);
    return key;
}

/* The key itself cannot verify: a stranger with its public half does. */
static EVP_PKEY *public_half(EVP_PKEY *key) {
    unsigned char *der = NULL;
    OSSL_PARAM *params = NULL;
    EVP_PKEY *other = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(
        NULL, EVP_PKEY_is_a(key, "RSA") ? "RSA" : "EC", "provider=default");
    if (EVP_PKEY_todata(key, EVP_PKEY_PUBLIC_KEY, &params) == 1 && ctx &&
        EVP_PKEY_fromdata_init(ctx) == 1)
        EVP_PKEY_fromdata(ctx, &other, EVP_PKEY_PUBLIC_KEY, params);
    OSSL_PARAM_free(params);
    EVP_PKEY_CTX_free(ctx);
    OPENSSL_free(der);
    return other;
}

static int pad(EVP_PKEY_CTX *ctx, const char *kind) {
    if (strcmp(kind, "pss") != 0) return 1;
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static int sign(EVP_MD_CTX *ctx, unsigned char *out, size_t *n, int pieces) {
    if (!pieces) return EVP_DigestSign(ctx, NULL, n, DATA, ALL) == 1 &&
                        EVP_DigestSign(ctx, out, n, DATA, ALL) == 1;
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    int done = copy && EVP_DigestSignUpdate(ctx, DATA, HALF) == 1 &&
               EVP_MD_CTX_copy_ex(copy, ctx) == 1 &&
               EVP_DigestSignUpdate(copy, DATA + HALF, ALL - HALF) == 1 &&
               EVP_DigestSignFinal(copy, NULL, n) == 1 && EVP_DigestSignFinal(copy, out, n) == 1;
    EVP_MD_CTX_free(copy);
    return done;
}

static int verify(EVP_PKEY *key, const char *kind, const unsigned char *signature, size_t n) {
    EVP_PKEY_CTX *params = NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int good = ctx && EVP_DigestVerifyInit_ex(ctx, &params, "SHA384", NULL, NULL, key, NULL) == 1 &&
               pad(params, kind) && EVP_DigestVerify(ctx, signature, n, DATA, ALL) == 1;
    EVP_MD_CTX_free(ctx);
    return good;
}

static const char *reason(void) {
    const char *data = "", *text = "none";
    int flags = 0;
    unsigned long code;
    while ((code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)))
        if (flags & ERR_TXT_STRING && *data) text = data;
    static char kept[256];
    snprintf(kept, sizeof kept, "%s", text);
    return kept;
}

static void try(EVP_PKEY *key, EVP_PKEY *other, const char *kind, int pieces) {
    unsigned char signature[2048];
    size_t n = sizeof signature;
    EVP_PKEY_CTX *params = NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    ERR_clear_error();
    int done = ctx && EVP_DigestSignInit_ex(ctx, &params, "SHA384", NULL, NULL, key, NULL) == 1 &&
               pad(params, kind) && sign(ctx, signature, &n, pieces);
    if (!done)
        printf("refused: %s\n", reason());
    else
        printf("%s\n", verify(other, kind, signature, n) ? "good" : "bad");
    EVP_MD_CTX_free(ctx);
}

int main(int argc, char **argv) {
    if (argc < 3) return fprintf(stderr, "usage: %s PEM KIND...\n", argv[0]), 2;
    if (OSSL_PROVIDER_add_builtin(NULL, "xgate", OSSL_provider_init) != 1) return 2;
    OSSL_PROVIDER *mine = OSSL_PROVIDER_load(NULL, "default");
    OSSL_PROVIDER *ours = OSSL_PROVIDER_load(NULL, "xgate");
    if (!mine || !ours) return 2;
    EVP_PKEY *key = load(argv[1]);
    if (!key) {
        printf("no key: %s\n", reason());
    } else {
        EVP_PKEY *other = public_half(key);
        int equal = other && EVP_PKEY_eq(key, other) == 1;
        printf("%d bits, %s\n", EVP_PKEY_get_bits(key), equal ? "its public half" : "strange");
        for (int i = 2; i < argc; i++)
            for (int pieces = 0; pieces < 2; pieces++) try(key, other, argv[i], pieces);
        EVP_PKEY_free(other);
        EVP_PKEY_free(key);
    }
    OSSL_PROVIDER_unload(ours);
    OSSL_PROVIDER_unload(mine);
    return 0;
}
