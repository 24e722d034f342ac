/* reference.c: reads an XGATE KEY, the text that stands for a key (src/xgate/net/key_reference.py).
 *
 *   -----BEGIN XGATE KEY-----
 *   base64 of: "XGK1" | n socket | n name | kind
 *                kind 1 (RSA): | n modulus | n exponent
 *                kind 2 (EC):  | n curve   | n point, uncompressed
 *   -----END XGATE KEY-----
 *
 * n: two octets, big-endian, the length of the field behind it. */
#include "provider.h"

static const char BEGIN[] = "-----BEGIN XGATE KEY-----\n";
static const char END[] = "-----END XGATE KEY-----";

bool xgp_is_reference(const uint8_t *text, size_t n) {
    return n >= sizeof BEGIN - 1 && memcmp(text, BEGIN, sizeof BEGIN - 1) == 0;
}

static int value_of(uint8_t c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Up to the END line. Returns octets written to out, which is as long as the text; 0: no base64. */
static size_t decode(uint8_t *out, const uint8_t *text, size_t n) {
    uint32_t bits = 0;
    size_t made = 0, quads = 0, padding = 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\n' || text[i] == '\r') continue;
        if (text[i] == '-') {
            bool ends = n - i >= sizeof END - 1 && memcmp(text + i, END, sizeof END - 1) == 0;
            return ends && quads == 0 ? made : 0;
        }
        int value = text[i] == '=' ? 0 : value_of(text[i]);
        if (value < 0 || (padding && text[i] != '=')) return 0;
        padding += text[i] == '=';
        bits = bits << 6 | (uint32_t)value;
        if (++quads < 4) continue;
        if (padding > 2) return 0;
        for (size_t k = 0; k < 3 - padding; k++) out[made++] = (uint8_t)(bits >> (16 - 8 * k));
        quads = 0;
        bits = 0;
    }
    return 0; /* no END */
}

typedef struct {
    const uint8_t *p;
    size_t n;
} rest;

/* A field of 1 to most octets. */
static bool take(const uint8_t **p, size_t *n, rest *from, size_t most) {
    if (from->n < 2) return false;
    size_t size = (size_t)from->p[0] << 8 | from->p[1];
    if (size == 0 || size > most || size > from->n - 2) return false;
    *p = from->p + 2;
    *n = size;
    from->p += 2 + size;
    from->n -= 2 + size;
    return true;
}

/* Into out, which has cap octets, with a zero behind it; there is none within. */
static bool take_text(char *out, rest *from, size_t cap) {
    const uint8_t *p;
    size_t n;
    if (!take(&p, &n, from, cap - 1) || memchr(p, 0, n)) return false;
    memcpy(out, p, n);
    out[n] = 0;
    return true;
}

static bool take_octets(uint8_t *out, size_t *out_n, rest *from) {
    const uint8_t *p;
    if (!take(&p, out_n, from, XGP_FIELD_MAX)) return false;
    memcpy(out, p, *out_n);
    return true;
}

static int bits_of(const uint8_t *p, size_t n) {
    int bits = (int)(8 * (n - 1));
    for (uint8_t top = p[0]; top; top >>= 1) bits++;
    return bits;
}

static bool read_rsa(xgp_reference *key, rest *from) {
    if (!take_octets(key->first, &key->first_n, from)) return false;
    if (!take_octets(key->second, &key->second_n, from)) return false;
    if (!key->first[0] || !key->second[0]) return false;
    key->bits = bits_of(key->first, key->first_n);
    return key->bits >= 1024;
}

static bool read_ec(xgp_reference *key, rest *from) {
    static const struct {
        const char *name;
        int bits;
    } CURVES[] = {{"prime256v1", 256}, {"secp384r1", 384}, {"secp521r1", 521}};
    if (!take_text(key->group, from, sizeof key->group)) return false;
    if (!take_octets(key->first, &key->first_n, from)) return false;
    for (size_t i = 0; i < sizeof CURVES / sizeof *CURVES; i++)
        if (strcmp(CURVES[i].name, key->group) == 0) key->bits = CURVES[i].bits;
    return key->bits && key->first_n == 1 + 2 * (((size_t)key->bits + 7) / 8) &&
           key->first[0] == 4;
}

static bool read_fields(xgp_reference *key, rest from) {
    if (from.n < 4 || memcmp(from.p, "XGK1", 4) != 0) return false;
    from = (rest){from.p + 4, from.n - 4};
    if (!take_text(key->socket, &from, sizeof key->socket)) return false;
    if (!take_text(key->name, &from, sizeof key->name)) return false;
    if (from.n < 1) return false;
    key->kind = from.p[0] == XGP_RSA ? XGP_RSA : XGP_EC;
    bool known = from.p[0] == XGP_RSA || from.p[0] == XGP_EC;
    from = (rest){from.p + 1, from.n - 1};
    if (!known || key->socket[0] != '/') return false;
    return (key->kind == XGP_RSA ? read_rsa(key, &from) : read_ec(key, &from)) && from.n == 0;
}

int xgp_reference_read(xgp_reference *out, const uint8_t *text, size_t n) {
    if (!xgp_is_reference(text, n) || n > XGP_PEM_MAX) return 0;
    uint8_t octets[XGP_PEM_MAX];
    size_t head = sizeof BEGIN - 1, made = decode(octets, text + head, n - head);
    xgp_reference *key = calloc(1, sizeof *key);
    int done = key && made && read_fields(key, (rest){octets, made});
    if (done) *out = *key;
    free(key);
    return done;
}
