/* words.c: the few sentences of the signer's protocol that a TLS handshake needs.
 *
 *   frame: n (four octets, big-endian) | message in MessagePack
 *   said:  ["hello", 1]  ["sign-tls", 1, name, kind, digest, octets]
 *   heard: ["welcome", 1]  ["octets", 1, signature]  or  ["refused", id, code, text] */
#include "provider.h"

enum { ANSWER_MAX = 65536 };

typedef struct {
    uint8_t *p;
    size_t n;
} pen;

static void put(pen *pen, const void *octets, size_t n) {
    if (n) memcpy(pen->p + pen->n, octets, n);
    pen->n += n;
}

static void put_byte(pen *pen, unsigned octet) {
    uint8_t one = (uint8_t)octet;
    put(pen, &one, 1);
}

static void put_size(pen *pen, size_t n) {
    for (int shift = 24; shift >= 0; shift -= 8) put_byte(pen, (unsigned)(n >> shift) & 0xff);
}

static void put_text(pen *pen, const char *text) { /* str 8; callers bound it */
    put_byte(pen, 0xd9);
    put_byte(pen, (unsigned)strlen(text));
    put(pen, text, strlen(text));
}

int xgp_words_write(uint8_t **out, size_t *out_n, const char *name, const char *kind,
                    const char *digest, const uint8_t *octets, size_t n) {
    static const uint8_t HELLO[] = {0, 0, 0, 8, 0x92, 0xa5, 'h', 'e', 'l', 'l', 'o', 1};
    static const char VERB[] = "\x96\xa8sign-tls\x01";
    size_t names = strlen(name) + strlen(kind) + strlen(digest);
    if (n > XGP_SIGNED_MAX || names > 2 * XGP_NAME_MAX || strlen(name) > XGP_NAME_MAX) return 0;
    size_t message = sizeof VERB - 1 + names + 3 * 2 + 5 + n;
    uint8_t *p = malloc(sizeof HELLO + 4 + message);
    if (!p) return 0;
    pen pen = {p, 0};
    put(&pen, HELLO, sizeof HELLO);
    put_size(&pen, message);
    put(&pen, VERB, sizeof VERB - 1);
    put_text(&pen, name);
    put_text(&pen, kind);
    put_text(&pen, digest);
    put_byte(&pen, 0xc6); /* bin 32 */
    put_size(&pen, n);
    put(&pen, octets, n);
    *out = p;
    *out_n = pen.n;
    return 1;
}

size_t xgp_frame_size(const uint8_t *p, size_t n) {
    if (n < 4) return 0;
    size_t size = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    return size > ANSWER_MAX ? SIZE_MAX : 4 + size;
}

bool xgp_is_welcome(const uint8_t *frame, size_t n) {
    static const uint8_t WELCOME[] = {0, 0, 0, 10, 0x92, 0xa7, 'w', 'e', 'l', 'c', 'o', 'm', 'e', 1};
    return n == sizeof WELCOME && memcmp(frame, WELCOME, n) == 0;
}

typedef struct {
    const uint8_t *p;
    size_t n;
} rest;

static bool take(const uint8_t **p, rest *from, size_t n) {
    if (from->n < n) return false;
    *p = from->p;
    from->p += n;
    from->n -= n;
    return true;
}

/* A text or octets, in whichever size MessagePack writes it. */
static bool take_string(const uint8_t **p, size_t *n, rest *from, bool text) {
    const uint8_t *head, *size;
    if (!take(&head, from, 1)) return false;
    unsigned short_form = text ? 0xd9 : 0xc4; /* then 16 and 32 bits */
    if (text && (*head & 0xe0) == 0xa0) {
        *n = *head & 0x1f;
        return take(p, from, *n);
    }
    if (*head < short_form || *head > short_form + 1) return false;
    size_t width = *head == short_form ? 1 : 2;
    if (!take(&size, from, width)) return false;
    *n = width == 1 ? size[0] : (size_t)size[0] << 8 | size[1];
    return take(p, from, *n);
}

static bool begins(rest *from, const char *octets, size_t n) {
    const uint8_t *p;
    return from->n >= n && memcmp(from->p, octets, n) == 0 && take(&p, from, n);
}

/* Printable ASCII only: it goes into an error queue and from there into a log. */
static void tell(char *why, size_t why_n, const uint8_t *p, size_t n) {
    size_t kept = n < why_n - 1 ? n : why_n - 1;
    for (size_t i = 0; i < kept; i++) why[i] = p[i] >= 0x20 && p[i] < 0x7f ? (char)p[i] : '?';
    why[kept] = 0;
}

static void read_refusal(char *why, size_t why_n, rest from) {
    const uint8_t *p;
    size_t n;
    if (!take(&p, &from, 1) || *p > 1) return;
    if (!take_string(&p, &n, &from, true)) return;
    if (take_string(&p, &n, &from, true)) tell(why, why_n, p, n);
}

int xgp_answer_read(uint8_t *out, size_t *out_n, size_t cap, char *why, size_t why_n,
                    const uint8_t *frame, size_t n) {
    static const char SIGNED[] = "\x93\xa6octets\x01", REFUSED[] = "\x94\xa7refused";
    if (n < 4 || xgp_frame_size(frame, n) != n) return 0;
    rest from = {frame + 4, n - 4};
    if (begins(&from, REFUSED, sizeof REFUSED - 1)) {
        read_refusal(why, why_n, from);
        return 0;
    }
    const uint8_t *p;
    size_t size;
    if (!begins(&from, SIGNED, sizeof SIGNED - 1)) return 0;
    if (!take_string(&p, &size, &from, false) || from.n || !size || size > cap) return 0;
    memcpy(out, p, size);
    *out_n = size;
    return 1;
}
