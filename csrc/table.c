/* table.c: finding a key among those of a table that lies in one block of octets.
 *
 * A table of `count` keys, at `start` of the block; all numbers in the machine's own order. A key's
 * bucket are the upper `bits` bits of its CRC-32, where `bits` is the least number with
 * 4 * 2^bits >= count: so the directory stays in the cache, and a bucket's entries share a line or
 * two.
 *
 *     entry[count]            in order of their CRC, then of their keys
 *        u32 crc
 *        u32 key              where it lies in the block
 *        u32 key_n
 *        u32 value_n          the value follows the key
 *     u32 first[2^bits + 1]   per bucket, its first entry; at the end, count
 *
 * In order, so that keys which were made to share a bucket, or a CRC, cost steps and not a walk.
 */
#include "inner.h"

enum { NUMBER = 4, ENTRY = 4 * NUMBER };

typedef struct {
    uint32_t crc, key, key_n, value_n;
} table_entry;

/* The CRC of one octet is the sum of those of its bits. */
#define BIT(n, bit, crc) ((n) >> (bit) & 1 ? UINT32_C(crc) : 0)
#define ONE(n)                                                                                     \
    (BIT(n, 0, 0x77073096) ^ BIT(n, 1, 0xee0e612c) ^ BIT(n, 2, 0x076dc419) ^                       \
     BIT(n, 3, 0x0edb8832) ^ BIT(n, 4, 0x1db71064) ^ BIT(n, 5, 0x3b6e20c8) ^                       \
     BIT(n, 6, 0x76dc4190) ^ BIT(n, 7, 0xedb88320))
#define FOUR(n) ONE(n), ONE((n) + 1), ONE((n) + 2), ONE((n) + 3)
#define SIXTEEN(n) FOUR(n), FOUR((n) + 4), FOUR((n) + 8), FOUR((n) + 12)
#define SIXTY_FOUR(n) SIXTEEN(n), SIXTEEN((n) + 16), SIXTEEN((n) + 32), SIXTEEN((n) + 48)

static const uint32_t CRC[256] = {SIXTY_FOUR(0), SIXTY_FOUR(64), SIXTY_FOUR(128), SIXTY_FOUR(192)};

static uint32_t crc_of(const uint8_t *octets, size_t n) {
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < n; i++) crc = CRC[(crc ^ octets[i]) & 0xff] ^ crc >> 8;
    return ~crc;
}

static uint32_t number_at(const uint8_t *p, size_t index) {
    uint32_t number;
    memcpy(&number, p + index * NUMBER, sizeof number);
    return number;
}

static unsigned bits_of(uint32_t count) {
    unsigned bits = 0;
    while (UINT64_C(4) << bits < count) bits++;
    return bits;
}

/* Below, equal or above 0 as the key is to the one in the block, by octets, the shorter first. */
static int compare(const uint8_t *key, size_t n, const uint8_t *other, size_t other_n) {
    int order = memcmp(key, other, n < other_n ? n : other_n);
    return order ? order : (n > other_n) - (n < other_n);
}

static int64_t place_of(const table_entry *entry) {
    uint64_t start = (uint64_t)entry->key + entry->key_n;
    return (int64_t)((start + entry->value_n) << 30 | start);
}

/* Whether the key and the value of an entry are in the block. */
static bool is_inside(const table_entry *entry, size_t n) {
    return (uint64_t)entry->key + entry->key_n + entry->value_n <= n;
}

int64_t xg_table_find(const xg_table *table, const uint8_t *key, size_t n) {
    if (!table || (!table->block.p && table->block.n) || !key) return -XG_E_ARGUMENT;
    xg_span block = table->block;
    uint32_t count = table->count;
    unsigned bits = bits_of(count);
    uint64_t entries_n = (uint64_t)count * ENTRY;
    uint64_t whole = entries_n + ((UINT64_C(1) << bits) + 1) * NUMBER;
    if (block.n > XG_TABLE_BLOCK) return -XG_E_LIMIT;
    if (table->start > block.n || block.n - table->start < whole) return -XG_E_SYNTAX;
    const uint8_t *entries = block.p + table->start, *first = entries + entries_n;
    uint32_t crc = crc_of(key, n);
    size_t bucket = (size_t)((uint64_t)crc << bits >> 32);
    uint32_t low = number_at(first, bucket), high = number_at(first, bucket + 1);
    if (low > high || high > count) return -XG_E_SYNTAX;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        table_entry entry;
        memcpy(&entry, entries + (size_t)middle * ENTRY, sizeof entry);
        if (!is_inside(&entry, block.n)) return -XG_E_SYNTAX;
        int order = (crc > entry.crc) - (crc < entry.crc);
        if (order == 0) order = compare(key, n, block.p + entry.key, entry.key_n);
        if (order == 0) return place_of(&entry);
        if (order > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -XG_E_NOT_FOUND;
}
