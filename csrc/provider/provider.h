/* provider.h: a provider for OpenSSL whose keys are somewhere else.
 *
 * A key is a reference (XGATE KEY): a socket, a name, a public key. Whatever has to be signed with
 * it goes to the signer's process on that socket; nothing secret is ever in this process. Loaded by
 * OpenSSL 3.0 or newer, of whichever copy; not linked with any libcrypto.
 *
 * The rule: on any doubt there is no signature. Functions return 1, or 0 with outputs untouched.
 */
#ifndef XGP_PROVIDER_H
#define XGP_PROVIDER_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/core_object.h>

enum {
    XGP_PEM_MAX = 8192,      /* octets of a reference's text */
    XGP_FIELD_MAX = 2048,    /* octets of a field of a reference: a modulus of 16384 bits */
    XGP_NAME_MAX = 128,      /* octets of the name of a key */
    XGP_SIGNED_MAX = 917504, /* octets to sign: a whole TLS 1.2 handshake; the signer takes 1 MiB */
    XGP_SIGNATURE_MAX = 2048
};

typedef enum { XGP_RSA = 1, XGP_EC = 2 } xgp_kind;

/* --- reference.c: the text that stands for a key --- */

/* Numbers are big-endian, without leading zeros. */
typedef struct {
    xgp_kind kind;
    char socket[108]; /* as in sockaddr_un */
    char name[XGP_NAME_MAX + 1];
    char group[16];                /* EC */
    uint8_t first[XGP_FIELD_MAX];  /* RSA: modulus; EC: point */
    size_t first_n;
    uint8_t second[XGP_FIELD_MAX]; /* RSA: exponent */
    size_t second_n;
    int bits;
} xgp_reference;

/* Whether text begins as a reference does. */
bool xgp_is_reference(const uint8_t *text, size_t n);
int xgp_reference_read(xgp_reference *out, const uint8_t *text, size_t n);

/* --- words.c: what is said to the signer, and what it answers (src/xgate/signer/protocol.py) --- */

/* Hello and one request, framed. *out is malloced. */
int xgp_words_write(uint8_t **out, size_t *out_n, const char *name, const char *kind,
                    const char *digest, const uint8_t *octets, size_t n);
/* Octets that the frame at p has in all, its length included; 0: not known yet. A frame that is
 * larger than an answer may be has SIZE_MAX. */
size_t xgp_frame_size(const uint8_t *p, size_t n);
bool xgp_is_welcome(const uint8_t *frame, size_t n);
/* The signature in an answer; or 0, and then why, cut to why_n, if the signer refused. */
int xgp_answer_read(uint8_t *out, size_t *out_n, size_t cap, char *why, size_t why_n,
                    const uint8_t *frame, size_t n);

/* --- line.c: one question to the signer --- */

/* 1; 0 and why; or -1 and why when the deadline passed. */
int xgp_ask(uint8_t *out, size_t *out_n, size_t cap, char *why, size_t why_n, const char *socket,
            const uint8_t *words, size_t n, int milliseconds);
int64_t xgp_now(void); /* milliseconds, monotonic */

/* --- provider.c --- */

typedef struct {
    const OSSL_CORE_HANDLE *core;
    OSSL_FUNC_core_new_error_fn *new_error;
    OSSL_FUNC_core_set_error_debug_fn *set_error_debug;
    OSSL_FUNC_core_vset_error_fn *vset_error;
    OSSL_FUNC_BIO_read_ex_fn *bio_read;
    _Atomic int64_t not_before; /* the signer kept us waiting in vain: nobody is asked until then */
} xgp_provider;

/* Put a reason into OpenSSL's error queue. Always returns 0. */
int xgp_refuse(const xgp_provider *provider, const char *why);

/* --- key.c --- */

typedef struct {
    xgp_provider *provider;
    atomic_int users;
    xgp_reference reference;
} xgp_key;

xgp_key *xgp_key_share(xgp_key *key);
void xgp_key_free(void *key);
size_t xgp_key_signature_size(const xgp_key *key);

extern const OSSL_ALGORITHM xgp_key_algorithms[];
extern const OSSL_ALGORITHM xgp_decoder_algorithms[];

/* --- signature.c --- */

extern const OSSL_ALGORITHM xgp_signature_algorithms[];

/* --- params.c: OSSL_PARAM without libcrypto --- */

OSSL_PARAM *xgp_param_find(OSSL_PARAM *params, const char *key);
int xgp_param_set_int(OSSL_PARAM *params, const char *key, int value);
int xgp_param_set_text(OSSL_PARAM *params, const char *key, const char *text);
int xgp_param_set_octets(OSSL_PARAM *params, const char *key, const uint8_t *p, size_t n);
/* From big-endian octets into the platform's order. */
int xgp_param_set_number(OSSL_PARAM *params, const char *key, const uint8_t *p, size_t n);
int xgp_param_int(int *out, const OSSL_PARAM *param);

#define XGP_PARAM(key, type, data, size) {(key), (type), (void *)(data), (size), (size_t)-1}
#define XGP_END {NULL, 0, NULL, 0, 0}
#define XGP_FN(id, function) {(id), (void (*)(void))(function)}

#endif
