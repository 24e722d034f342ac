/* key.c: keys that are references: how OpenSSL loads them and what it may know of them. */
#include "provider.h"

/* --- a key's life --- */

xgp_key *xgp_key_share(xgp_key *key) {
    atomic_fetch_add(&key->users, 1);
    return key;
}

void xgp_key_free(void *data) {
    xgp_key *key = data;
    if (key && atomic_fetch_sub(&key->users, 1) == 1) free(key);
}

/* RSA: of the modulus; EC: of SEQUENCE { r, s }, whose lengths may need two octets. */
size_t xgp_key_signature_size(const xgp_key *key) {
    size_t octets = ((size_t)key->reference.bits + 7) / 8;
    return key->reference.kind == XGP_RSA ? octets : 2 * (octets + 1 + 2) + 3;
}

/* What the decoder hands over is a pointer, which is taken out of its hands. */
static void *load(const void *reference, size_t n) {
    xgp_key *key;
    if (!reference || n != sizeof key) return NULL;
    memcpy(&key, reference, sizeof key);
    memset((void *)reference, 0, sizeof key);
    return key;
}

static int has(const void *data, int selection) {
    (void)selection; /* it can do all that a whole key can */
    return data != NULL;
}

static int match(const void *one, const void *other, int selection) {
    const xgp_reference *a = &((const xgp_key *)one)->reference;
    const xgp_reference *b = &((const xgp_key *)other)->reference;
    (void)selection; /* there is one private key to a public one */
    return a->kind == b->kind && a->first_n == b->first_n && a->second_n == b->second_n &&
           strcmp(a->group, b->group) == 0 && memcmp(a->first, b->first, a->first_n) == 0 &&
           memcmp(a->second, b->second, a->second_n) == 0;
}

/* By NIST SP 800-57 part 1, table 2, rounded down. */
static int security_bits(const xgp_reference *key) {
    if (key->kind == XGP_EC) return key->bits / 2;
    return key->bits >= 15360 ? 256 : key->bits >= 7680 ? 192 : key->bits >= 3072 ? 128
         : key->bits >= 2048  ? 112 : 80;
}

static int get_params(void *data, OSSL_PARAM *params) {
    xgp_key *key = data;
    xgp_reference *facts = &key->reference;
    int size = (int)xgp_key_signature_size(key);
    int good = xgp_param_set_int(params, OSSL_PKEY_PARAM_BITS, facts->bits) &&
               xgp_param_set_int(params, OSSL_PKEY_PARAM_SECURITY_BITS, security_bits(facts)) &&
               xgp_param_set_int(params, OSSL_PKEY_PARAM_MAX_SIZE, size) &&
               xgp_param_set_text(params, OSSL_PKEY_PARAM_DEFAULT_DIGEST, "SHA256");
    if (!good) return 0;
    if (facts->kind == XGP_RSA)
        return xgp_param_set_number(params, OSSL_PKEY_PARAM_RSA_N, facts->first, facts->first_n) &&
               xgp_param_set_number(params, OSSL_PKEY_PARAM_RSA_E, facts->second, facts->second_n);
    return xgp_param_set_text(params, OSSL_PKEY_PARAM_GROUP_NAME, facts->group) &&
           xgp_param_set_text(params, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed") &&
           xgp_param_set_octets(params, OSSL_PKEY_PARAM_PUB_KEY, facts->first, facts->first_n) &&
           xgp_param_set_octets(params, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, facts->first,
                                facts->first_n);
}

static const OSSL_PARAM RSA_GETTABLE[] = {
    XGP_PARAM(OSSL_PKEY_PARAM_BITS, OSSL_PARAM_INTEGER, NULL, sizeof(int)),
    XGP_PARAM(OSSL_PKEY_PARAM_SECURITY_BITS, OSSL_PARAM_INTEGER, NULL, sizeof(int)),
    XGP_PARAM(OSSL_PKEY_PARAM_MAX_SIZE, OSSL_PARAM_INTEGER, NULL, sizeof(int)),
    XGP_PARAM(OSSL_PKEY_PARAM_DEFAULT_DIGEST, OSSL_PARAM_UTF8_STRING, NULL, 0),
    XGP_PARAM(OSSL_PKEY_PARAM_RSA_N, OSSL_PARAM_UNSIGNED_INTEGER, NULL, 0),
    XGP_PARAM(OSSL_PKEY_PARAM_RSA_E, OSSL_PARAM_UNSIGNED_INTEGER, NULL, 0),
    XGP_END,
};
static const OSSL_PARAM EC_GETTABLE[] = {
    XGP_PARAM(OSSL_PKEY_PARAM_BITS, OSSL_PARAM_INTEGER, NULL, sizeof(int)),
    XGP_PARAM(OSSL_PKEY_PARAM_SECURITY_BITS, OSSL_PARAM_INTEGER, NULL, sizeof(int)),
    XGP_PARAM(OSSL_PKEY_PARAM_MAX_SIZE, OSSL_PARAM_INTEGER, NULL, sizeof(int)),
    XGP_PARAM(OSSL_PKEY_PARAM_DEFAULT_DIGEST, OSSL_PARAM_UTF8_STRING, NULL, 0),
    XGP_PARAM(OSSL_PKEY_PARAM_GROUP_NAME, OSSL_PARAM_UTF8_STRING, NULL, 0),
    XGP_PARAM(OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, OSSL_PARAM_UTF8_STRING, NULL, 0),
    XGP_PARAM(OSSL_PKEY_PARAM_PUB_KEY, OSSL_PARAM_OCTET_STRING, NULL, 0),
    XGP_PARAM(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, OSSL_PARAM_OCTET_STRING, NULL, 0),
    XGP_END,
};

static const OSSL_PARAM *rsa_gettable(void *provider) {
    (void)provider;
    return RSA_GETTABLE;
}

static const OSSL_PARAM *ec_gettable(void *provider) {
    (void)provider;
    return EC_GETTABLE;
}

/* --- the public half, for those who compare it with a certificate or verify by it --- */

enum {
    PRIVATE = OSSL_KEYMGMT_SELECT_PRIVATE_KEY,
    PUBLIC = OSSL_KEYMGMT_SELECT_PUBLIC_KEY
};

static int export_rsa(const xgp_reference *key, OSSL_CALLBACK *take, void *arg) {
    uint8_t n[XGP_FIELD_MAX], e[XGP_FIELD_MAX];
    OSSL_PARAM params[] = {
        XGP_PARAM(OSSL_PKEY_PARAM_RSA_N, OSSL_PARAM_UNSIGNED_INTEGER, n, key->first_n),
        XGP_PARAM(OSSL_PKEY_PARAM_RSA_E, OSSL_PARAM_UNSIGNED_INTEGER, e, key->second_n),
        XGP_END,
    };
    return xgp_param_set_number(params, OSSL_PKEY_PARAM_RSA_N, key->first, key->first_n) &&
           xgp_param_set_number(params, OSSL_PKEY_PARAM_RSA_E, key->second, key->second_n) &&
           take(params, arg);
}

static int export_ec(const xgp_reference *key, int selection, OSSL_CALLBACK *take, void *arg) {
    OSSL_PARAM params[] = {
        XGP_PARAM(OSSL_PKEY_PARAM_GROUP_NAME, OSSL_PARAM_UTF8_STRING, key->group,
                  strlen(key->group)),
        XGP_PARAM(OSSL_PKEY_PARAM_PUB_KEY, OSSL_PARAM_OCTET_STRING, key->first, key->first_n),
        XGP_END,
    };
    if (!(selection & PUBLIC)) params[1] = (OSSL_PARAM)XGP_END;
    return take(params, arg);
}

static int export_public(void *data, int selection, OSSL_CALLBACK *take, void *arg) {
    const xgp_key *key = data;
    if (!key || selection & PRIVATE) return 0; /* it is not here to be given */
    if (key->reference.kind == XGP_EC) return export_ec(&key->reference, selection, take, arg);
    return selection & PUBLIC ? export_rsa(&key->reference, take, arg) : 0;
}

static const OSSL_PARAM *rsa_export_types(int selection) {
    static const OSSL_PARAM none[] = {XGP_END};
    return selection & PUBLIC ? RSA_GETTABLE + 4 : none;
}

static const OSSL_PARAM *ec_export_types(int selection) {
    static const OSSL_PARAM all[] = {
        XGP_PARAM(OSSL_PKEY_PARAM_GROUP_NAME, OSSL_PARAM_UTF8_STRING, NULL, 0),
        XGP_PARAM(OSSL_PKEY_PARAM_PUB_KEY, OSSL_PARAM_OCTET_STRING, NULL, 0),
        XGP_END,
    };
    (void)selection;
    return all;
}

static const char *rsa_operation(int operation) {
    return operation == OSSL_OP_SIGNATURE ? "RSA" : NULL;
}

static const char *ec_operation(int operation) {
    return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

static const OSSL_DISPATCH RSA_KEYS[] = {
    XGP_FN(OSSL_FUNC_KEYMGMT_LOAD, load),
    XGP_FN(OSSL_FUNC_KEYMGMT_FREE, xgp_key_free),
    XGP_FN(OSSL_FUNC_KEYMGMT_HAS, has),
    XGP_FN(OSSL_FUNC_KEYMGMT_MATCH, match),
    XGP_FN(OSSL_FUNC_KEYMGMT_GET_PARAMS, get_params),
    XGP_FN(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, rsa_gettable),
    XGP_FN(OSSL_FUNC_KEYMGMT_EXPORT, export_public),
    XGP_FN(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, rsa_export_types),
    XGP_FN(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, rsa_operation),
    {0, NULL},
};
static const OSSL_DISPATCH EC_KEYS[] = {
    XGP_FN(OSSL_FUNC_KEYMGMT_LOAD, load),
    XGP_FN(OSSL_FUNC_KEYMGMT_FREE, xgp_key_free),
    XGP_FN(OSSL_FUNC_KEYMGMT_HAS, has),
    XGP_FN(OSSL_FUNC_KEYMGMT_MATCH, match),
    XGP_FN(OSSL_FUNC_KEYMGMT_GET_PARAMS, get_params),
    XGP_FN(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, ec_gettable),
    XGP_FN(OSSL_FUNC_KEYMGMT_EXPORT, export_public),
    XGP_FN(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, ec_export_types),
    XGP_FN(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, ec_operation),
    {0, NULL},
};

/* --- from the text to the key --- */

static void *decoder_new(void *provider) { return provider; }

static void decoder_free(void *data) { (void)data; }

static int decoder_selects(void *provider, int selection) {
    (void)provider;
    return selection == 0 || (selection & PRIVATE) != 0;
}

/* Whatever is no reference is left to others, which is 1 without a word. */
static size_t read_text(xgp_provider *provider, OSSL_CORE_BIO *in, uint8_t *text) {
    size_t n = 0, got = 0;
    while (n < XGP_PEM_MAX && provider->bio_read(in, text + n, XGP_PEM_MAX - n, &got) && got) {
        n += got;
        if (n >= 32 && !xgp_is_reference(text, n)) return 0;
    }
    return n;
}

static int hand_over(xgp_key *key, const char *type, OSSL_CALLBACK *take, void *arg) {
    int object = OSSL_OBJECT_PKEY;
    OSSL_PARAM params[] = {
        XGP_PARAM(OSSL_OBJECT_PARAM_TYPE, OSSL_PARAM_INTEGER, &object, sizeof object),
        XGP_PARAM(OSSL_OBJECT_PARAM_DATA_TYPE, OSSL_PARAM_UTF8_STRING, type, strlen(type)),
        XGP_PARAM(OSSL_OBJECT_PARAM_REFERENCE, OSSL_PARAM_OCTET_STRING, &key, sizeof key),
        XGP_END,
    };
    int taken = take(params, arg);
    xgp_key_free(key); /* NULL by now if somebody has loaded it */
    return taken;
}

static int decode(xgp_provider *provider, OSSL_CORE_BIO *in, xgp_kind kind, const char *type,
                  OSSL_CALLBACK *take, void *arg) {
    uint8_t text[XGP_PEM_MAX];
    size_t n = read_text(provider, in, text);
    if (!xgp_is_reference(text, n)) return 1;
    xgp_key *key = calloc(1, sizeof *key);
    if (!key) return 0;
    key->provider = provider;
    atomic_init(&key->users, 1);
    if (!xgp_reference_read(&key->reference, text, n)) {
        free(key);
        return xgp_refuse(provider, "the XGATE KEY is damaged");
    }
    if (key->reference.kind == kind) return hand_over(key, type, take, arg);
    free(key);
    return 1;
}

static int decode_rsa(void *provider, OSSL_CORE_BIO *in, int selection, OSSL_CALLBACK *take,
                      void *arg, OSSL_PASSPHRASE_CALLBACK *ask, void *ask_arg) {
    (void)selection, (void)ask, (void)ask_arg;
    return decode(provider, in, XGP_RSA, "RSA", take, arg);
}

static int decode_ec(void *provider, OSSL_CORE_BIO *in, int selection, OSSL_CALLBACK *take,
                     void *arg, OSSL_PASSPHRASE_CALLBACK *ask, void *ask_arg) {
    (void)selection, (void)ask, (void)ask_arg;
    return decode(provider, in, XGP_EC, "EC", take, arg);
}

static const OSSL_DISPATCH RSA_DECODER[] = {
    XGP_FN(OSSL_FUNC_DECODER_NEWCTX, decoder_new),
    XGP_FN(OSSL_FUNC_DECODER_FREECTX, decoder_free),
    XGP_FN(OSSL_FUNC_DECODER_DOES_SELECTION, decoder_selects),
    XGP_FN(OSSL_FUNC_DECODER_DECODE, decode_rsa),
    {0, NULL},
};
static const OSSL_DISPATCH EC_DECODER[] = {
    XGP_FN(OSSL_FUNC_DECODER_NEWCTX, decoder_new),
    XGP_FN(OSSL_FUNC_DECODER_FREECTX, decoder_free),
    XGP_FN(OSSL_FUNC_DECODER_DOES_SELECTION, decoder_selects),
    XGP_FN(OSSL_FUNC_DECODER_DECODE, decode_ec),
    {0, NULL},
};

#define RSA_NAMES "RSA:rsaEncryption:1.2.840.113549.1.1.1"
#define EC_NAMES "EC:id-ecPublicKey:1.2.840.10045.2.1"

const OSSL_ALGORITHM xgp_key_algorithms[] = {
    {RSA_NAMES, "provider=xgate", RSA_KEYS, "RSA keys that the signer holds"},
    {EC_NAMES, "provider=xgate", EC_KEYS, "EC keys that the signer holds"},
    {NULL, NULL, NULL, NULL},
};
const OSSL_ALGORITHM xgp_decoder_algorithms[] = {
    {RSA_NAMES, "provider=xgate,input=pem", RSA_DECODER, "XGATE KEY, RSA"},
    {EC_NAMES, "provider=xgate,input=pem", EC_DECODER, "XGATE KEY, EC"},
    {NULL, NULL, NULL, NULL},
};
