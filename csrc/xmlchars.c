/* xmlchars.c: which octets are XML 1.0 characters and names (5th edition, productions 2, 4, 4a). */
#include "xml.h"

bool xml_is_char(uint32_t c) {
    if (c < 0x20) return c == '\t' || c == '\n' || c == '\r';
    return c < 0xD800 || (c > 0xDFFF && c < 0xFFFE) || (c > 0xFFFF && c < 0x110000);
}

/* Strict UTF-8 (RFC 3629): length of the sequence at p and its code point; 0 = not one. */
static size_t decode(const uint8_t *p, const uint8_t *end, uint32_t *c) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = *p < 0x80 ? 1 : *p < 0xC2 ? 0 : *p < 0xE0 ? 2 : *p < 0xF0 ? 3 : *p < 0xF5 ? 4 : 0;
    if (n == 0 || (size_t)(end - p) < n) return 0;
    uint32_t value = n == 1 ? *p : *p & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80) return 0;
        value = value << 6 | (p[i] & 0x3F);
    }
    if (value < least[n]) return 0;
    *c = value;
    return n;
}

/* Eight octets at once: all of them 0x20..0x7F. */
static bool plain_word(const uint8_t *p) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return ((word | (word - 0x2020202020202020u)) & 0x8080808080808080u) == 0;
}

const uint8_t *xml_find_illegal(const uint8_t *p, const uint8_t *end) {
    while (p < end) {
        if (end - p >= 8 && plain_word(p)) {
            p += 8;
            continue;
        }
        uint32_t c;
        size_t n = decode(p, end, &c);
        if (n == 0 || !xml_is_char(c)) return p;
        p += n;
    }
    return end;
}

static bool ascii_starts(uint32_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
}

static bool starts_name(uint32_t c) {
    static const uint32_t ranges[][2] = {
        {0xC0, 0xD6},     {0xD8, 0xF6},     {0xF8, 0x2FF},    {0x370, 0x37D},   {0x37F, 0x1FFF},
        {0x200C, 0x200D}, {0x2070, 0x218F}, {0x2C00, 0x2FEF}, {0x3001, 0xD7FF}, {0xF900, 0xFDCF},
        {0xFDF0, 0xFFFD}, {0x10000, 0xEFFFF}};
    if (c < 0x80) return ascii_starts(c);
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (c >= ranges[i][0] && c <= ranges[i][1]) return true;
    return false;
}

static bool goes_on_name(uint32_t c) {
    if (c < 0x80) return ascii_starts(c) || (c >= '0' && c <= '9') || c == '-' || c == '.';
    return c == 0xB7 || (c >= 0x300 && c <= 0x36F) || c == 0x203F || c == 0x2040 || starts_name(c);
}

size_t xml_name_length(const uint8_t *p, const uint8_t *end) {
    const uint8_t *start = p;
    while (p < end) {
        uint32_t c;
        size_t n = decode(p, end, &c);
        if (n == 0 || !(p == start ? starts_name(c) : goes_on_name(c))) break;
        p += n;
    }
    return (size_t)(p - start);
}

size_t xml_encode(uint8_t octets[4], uint32_t c) {
    if (c < 0x80) {
        octets[0] = (uint8_t)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6) octets[i] = 0x80 | (c & 0x3F);
    octets[0] = (uint8_t)(0xF00u >> n) | (uint8_t)c;
    return n;
}
