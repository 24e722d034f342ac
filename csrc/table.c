/* table.c: finding a key among those of a table that lies in one block of octets.
 *
 * All numbers in the machine's own order, all places counted from the start of the block. A key's
 * bucket are the upper `bits` bits of its CRC-32, where `bits` is the least number with
 * 4 * 2^bits >= the number of keys: so the directory stays in the cache.
 *
 *     u32 bucket[2^bits]      where each bucket lies
 *     bucket:
 *        u32 place[2 * n + 1]   of its n keys, in their order: where a key begins, where its value
 *                               does; at the end, where the last value ends
 *        key value key value...
 *
 * All of a bucket lies together, so that a search waits for memory once. The first place tells n.
 * Keys are in order, so that those which were made to
 * share a bucket cost steps and not a walk.
 */
#include "inner.h"

enum { NUMBER = 4, LINE = 64 };

/* The CRC of an octet is the sum of those of its bits. Also with one, two and three octets of 0
 * behind it, so that four octets are one step. */
#define BIT(n, bit, crc) ((n) >> (bit) & 1 ? UINT32_C(crc) : 0)
#define SUM(n, a, b, c, d, e, f, g, h)                                                             \
    (BIT(n, 0, a) ^ BIT(n, 1, b) ^ BIT(n, 2, c) ^ BIT(n, 3, d) ^ BIT(n, 4, e) ^ BIT(n, 5, f) ^     \
     BIT(n, 6, g) ^ BIT(n, 7, h))
#define LAST(n)                                                                                    \
    SUM(n, 0x77073096, 0xee0e612c, 0x076dc419, 0x0edb8832, 0x1db71064, 0x3b6e20c8, 0x76dc4190,     \
        0xedb88320)
#define ONE_BEFORE(n)                                                                              \
    SUM(n, 0x191b3141, 0x32366282, 0x646cc504, 0xc8d98a08, 0x4ac21251, 0x958424a2, 0xf0794f05,     \
        0x3b83984b)
#define TWO_BEFORE(n)                                                                              \
    SUM(n, 0x01c26a37, 0x0384d46e, 0x0709a8dc, 0x0e1351b8, 0x1c26a370, 0x384d46e0, 0x709a8dc0,     \
        0xe1351b80)
#define THREE_BEFORE(n)                                                                            \
    SUM(n, 0xb8bc6765, 0xaa09c88b, 0x8f629757, 0xc5b428ef, 0x5019579f, 0xa032af3e, 0x9b14583d,     \
        0xed59b63b)
#define FOUR(CRC_AT, n) CRC_AT(n), CRC_AT((n) + 1), CRC_AT((n) + 2), CRC_AT((n) + 3)
#define SIXTEEN(CRC_AT, n)                                                                         \
    FOUR(CRC_AT, n), FOUR(CRC_AT, (n) + 4), FOUR(CRC_AT, (n) + 8), FOUR(CRC_AT, (n) + 12)
#define SIXTY_FOUR(CRC_AT, n)                                                                      \
    SIXTEEN(CRC_AT, n), SIXTEEN(CRC_AT, (n) + 16), SIXTEEN(CRC_AT, (n) + 32),                      \
        SIXTEEN(CRC_AT, (n) + 48)
#define ALL(CRC_AT)                                                                                \
    {SIXTY_FOUR(CRC_AT, 0), SIXTY_FOUR(CRC_AT, 64), SIXTY_FOUR(CRC_AT, 128), SIXTY_FOUR(CRC_AT, 192)}

static const uint32_t CRC[4][256] = {ALL(LAST), ALL(ONE_BEFORE), ALL(TWO_BEFORE),
                                     ALL(THREE_BEFORE)};

static uint32_t crc_of(xg_span key) {
    uint32_t crc = UINT32_MAX;
    const uint8_t *p = key.p, *end = key.p + key.n;
    for (; end - p >= 4; p += 4)
        crc = CRC[3][(crc ^ p[0]) & 0xff] ^ CRC[2][(crc >> 8 ^ p[1]) & 0xff] ^
              CRC[1][(crc >> 16 ^ p[2]) & 0xff] ^ CRC[0][(crc >> 24 ^ p[3]) & 0xff];
    for (; p < end; p++) crc = CRC[0][(crc ^ *p) & 0xff] ^ crc >> 8;
    return ~crc;
}

static size_t number_at(xg_span block, size_t at) {
    uint32_t number;
    memcpy(&number, block.p + at, sizeof number);
    return number;
}

static unsigned bits_of(uint32_t count) {
    unsigned bits = 0;
    while (UINT64_C(4) << bits < count) bits++;
    return bits;
}

/* Below, equal or above 0 as the key is to the other one: by octets, the shorter first. */
static int compare(xg_span key, xg_span other) {
    int order = memcmp(key.p, other.p, key.n < other.n ? key.n : other.n);
    return order ? order : (key.n > other.n) - (key.n < other.n);
}

/* Have the next lines of the cache on their way, while the first one is looked at. */
static void fetch(xg_span block, size_t at) {
    for (size_t line = 1; line <= 3 && line * LINE < block.n - at; line++)
        __builtin_prefetch(block.p + at + line * LINE);
}

/* Where a key's value is, in a bucket of n keys whose places are within the block. */
static int64_t find_in_bucket(xg_span block, size_t places, size_t n, xg_span key) {
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2, at = places + middle * 2 * NUMBER;
        size_t start = number_at(block, at), value = number_at(block, at + NUMBER),
               end = number_at(block, at + 2 * NUMBER);
        if (start > value || value > end || end > block.n) return -XG_E_SYNTAX;
        int order = compare(key, (xg_span){block.p + start, value - start});
        if (order == 0) return (int64_t)(end << 30 | value);
        if (order > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -XG_E_NOT_FOUND;
}

int64_t xg_table_find(const xg_table *table, const uint8_t *key, size_t n) {
    if (!table || (!table->block.p && table->block.n) || !key) return -XG_E_ARGUMENT;
    xg_span block = table->block;
    unsigned bits = bits_of(table->count);
    if (block.n > XG_TABLE_BLOCK) return -XG_E_LIMIT;
    if (table->start > block.n || block.n - table->start < (uint64_t)NUMBER << bits)
        return -XG_E_SYNTAX;
    size_t bucket = (size_t)((uint64_t)crc_of((xg_span){key, n}) << bits >> 32);
    size_t places = number_at(block, table->start + bucket * NUMBER);
    if (places > block.n || block.n - places < NUMBER) return -XG_E_SYNTAX;

    fetch(block, places);
    size_t first = number_at(block, places), last = places + NUMBER;
    if (first < last || first > block.n || (first - last) % (2 * NUMBER)) return -XG_E_SYNTAX;
    return find_in_bucket(block, places, (first - last) / (2 * NUMBER), (xg_span){key, n});
}
