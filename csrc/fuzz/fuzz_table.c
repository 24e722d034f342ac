/* fuzz_table.c: any octets as a block with a table in it. What is found lies in the block, right
 * behind the key that was asked for; and in a table as it should be, what is not found is not there.
 *
 *     start(2)  count(4)  key_n  key...  block...
 *
 * Numbers have their lowest octet first; those of the block are the machine's own. */
#include "inner.h"

static void require(bool true_or_bug) {
    if (!true_or_bug) abort();
}

static uint32_t take(xg_span *input, unsigned octets) {
    uint32_t number = 0;
    for (unsigned i = 0; i < octets && input->n; i++, input->n--)
        number |= (uint32_t)*input->p++ << (8 * i);
    return number;
}

static xg_span take_span(xg_span *input, size_t n) {
    xg_span span = {input->p, n < input->n ? n : input->n};
    input->p += span.n;
    input->n -= span.n;
    return span;
}

static uint32_t number_at(xg_span block, size_t at) {
    uint32_t number;
    memcpy(&number, block.p + at, sizeof number);
    return number;
}

static uint32_t crc_of(xg_span octets) {
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < octets.n; i++) {
        crc ^= octets.p[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

/* An entry's key; its crc is right and all of it is in the block, or there is none (null). */
static xg_span key_at(xg_span block, size_t entry) {
    uint64_t start = number_at(block, entry + 4), n = number_at(block, entry + 8);
    if (start + n + number_at(block, entry + 12) > block.n) return (xg_span){0};
    xg_span key = {block.p + start, (size_t)n};
    return crc_of(key) == number_at(block, entry) ? key : (xg_span){0};
}

static bool is_before(xg_span a, xg_span b) {
    uint32_t crc_a = crc_of(a), crc_b = crc_of(b);
    if (crc_a != crc_b) return crc_a < crc_b;
    int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
    return order ? order < 0 : a.n < b.n;
}

/* Whether a table is one that can be relied on; it is known to lie in the block. */
static bool is_sound(const xg_table *table, unsigned bits) {
    xg_span block = table->block, last = {0};
    size_t first = table->start + (size_t)table->count * 16, bucket = 0;
    for (uint32_t i = 0; i < table->count; i++) {
        xg_span key = key_at(block, table->start + (size_t)i * 16);
        if (!key.p || (i && !is_before(last, key))) return false;
        last = key;
        for (; bucket <= (uint64_t)crc_of(key) << bits >> 32; bucket++)
            if (number_at(block, first + 4 * bucket) != i) return false;
    }
    for (; bucket <= (size_t)1 << bits; bucket++)
        if (number_at(block, first + 4 * bucket) != table->count) return false;
    return true;
}

static void require_not_there(const xg_table *table, xg_span key) {
    unsigned bits = 0;
    while ((uint64_t)4 << bits < table->count) bits++;
    if (!is_sound(table, bits)) return;
    for (uint32_t i = 0; i < table->count; i++) {
        xg_span other = key_at(table->block, table->start + (size_t)i * 16);
        require(other.n != key.n || memcmp(other.p, key.p, key.n) != 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    xg_span input = {data, size};
    xg_table table = {.start = take(&input, 2), .count = take(&input, 4)};
    xg_span key = take_span(&input, take(&input, 1));
    table.block = input;
    int64_t found = xg_table_find(&table, key.p, key.n);
    if (found == -XG_E_NOT_FOUND) return require_not_there(&table, key), 0;
    if (found < 0) return require(found == -XG_E_SYNTAX), 0;
    size_t start = (size_t)found & XG_TABLE_BLOCK, end = (size_t)(found >> 30);
    require(start <= end && end <= input.n && key.n <= start);
    require(memcmp(input.p + start - key.n, key.p, key.n) == 0);
    return 0;
}
