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

static bool is_before(xg_span a, xg_span b) {
    int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
    return order ? order < 0 : a.n < b.n;
}

/* Whether a bucket's keys are in order and all its own; found: whether one of them is `key`. */
static bool is_sound(xg_span block, size_t at, size_t bucket, unsigned bits, xg_span key,
                     bool *found) {
    xg_span last = {0};
    if (at > block.n || block.n - at < 4) return false;
    size_t first = number_at(block, at), place = at;
    if (first < at + 4 || first > block.n || (first - at) % 8 != 4) return false;
    for (; place + 4 < first; place += 8) {
        size_t start = number_at(block, place), value = number_at(block, place + 4);
        if (start > value || value > number_at(block, place + 8)) return false;
        if (number_at(block, place + 8) > block.n) return false;
        xg_span other = {block.p + start, value - start};
        if ((uint64_t)crc_of(other) << bits >> 32 != bucket) return false;
        if (last.p && !is_before(last, other)) return false;
        last = other;
        *found |= other.n == key.n && memcmp(other.p, key.p, key.n) == 0;
    }
    return true;
}

/* Not in this table, unless one of its buckets is not as it should be. */
static void require_not_there(const xg_table *table, xg_span key) {
    unsigned bits = 0;
    bool found = false;
    while ((uint64_t)4 << bits < table->count) bits++;
    for (size_t bucket = 0; bucket < (size_t)1 << bits; bucket++) {
        size_t at = number_at(table->block, table->start + 4 * bucket);
        if (!is_sound(table->block, at, bucket, bits, key, &found)) return;
    }
    require(!found);
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
