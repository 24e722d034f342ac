/* fuzz_hashchain.c: any octets as values, as a chain, as a batch. A DigestList must read back as
 * what was written; a chain must come to what its steps come to one by one; every path of a tree
 * must lead to its top; a refusal must leave the output alone.
 *
 *     verb  algorithm  groups  count*groups  ( algorithm  step  n  digest... )*
 *
 * Every number is one octet; what is missing at the end is 0. */
#include "inner.h"

enum { GROUPS = 40, VALUES = 400, LONG = 70 };

static void require(bool true_or_bug) {
    if (!true_or_bug) abort();
}

static uint8_t take(xg_span *input) {
    if (input->n == 0) return 0;
    input->n--;
    return *input->p++;
}

/* 1, 2 and 3 are algorithms; an octet in sixteen is taken as it is. */
static int take_algorithm(xg_span *input) {
    uint8_t octet = take(input);
    return octet >= 240 ? octet - 245 : 1 + octet % 3;
}

/* A step below 200 is one; above, there is none, or a number that no step has. */
static int32_t take_step(xg_span *input) {
    uint8_t octet = take(input);
    if (octet < 200) return octet % GROUPS;
    return octet < 254 ? XG_NO_STEP : octet == 254 ? INT32_MIN : INT32_MAX;
}

static xg_hash_value take_value(xg_span *input) {
    xg_hash_value value = {.algorithm = take_algorithm(input), .step = take_step(input)};
    value.digest.n = take(input) % LONG;
    for (uint32_t i = 0; i < value.digest.n && i < XG_DIGEST_MAX; i++)
        value.digest.octets[i] = take(input);
    return value;
}

static bool same(const xg_digest *a, const xg_digest *b) {
    return a->n == b->n && memcmp(a->octets, b->octets, a->n) == 0;
}

/* ---- DigestList ---- */

/* The content of the next TLV, which must have this tag and a length in its shortest form. */
static xg_span tlv(xg_span *der, uint8_t tag) {
    require(der->n >= 2 && der->p[0] == tag);
    size_t n = der->p[1], header = 2;
    if (n > 127) {
        header += n & 127;
        n = 0;
        require(header > 2 && header <= 6 && der->n >= header && der->p[2] != 0);
        for (size_t i = 2; i < header; i++) n = n << 8 | der->p[i];
        require(n > 127);
    }
    require(der->n - header >= n);
    xg_span content = {der->p + header, n};
    der->p += header + n;
    der->n -= header + n;
    return content;
}

static void require_reads_back(xg_span der, const xg_hash_value *values, size_t n) {
    xg_span list = tlv(&der, 0x30);
    require(der.n == 0);
    for (size_t i = 0; i < n; i++) {
        const xg_algorithm *algorithm = xg_algorithm_of(values[i].algorithm);
        xg_span single = tlv(&list, 0x30), digest = tlv(&single, 0x04), uri = tlv(&single, 0x0c);
        require(digest.n == values[i].digest.n);
        require(memcmp(digest.p, values[i].digest.octets, digest.n) == 0);
        require(uri.n == strlen(algorithm->uri) && memcmp(uri.p, algorithm->uri, uri.n) == 0);
        require(tlv(&single, 0x30).n == 0 && single.n == 0);
    }
    require(list.n == 0);
}

static void try_list(const xg_hash_value *values, size_t n) {
    static const uint8_t before[] = "before";
    xg_buf out = {0};
    if (xg_buf_add(&out, before, sizeof before)) return;
    xg_err err = xg_digestlist_write(&out, values, n);
    require(memcmp(out.p, before, sizeof before) == 0);
    if (err)
        require(out.n == sizeof before);
    else
        require_reads_back((xg_span){out.p + sizeof before, out.n - sizeof before}, values, n);
    xg_buf_free(&out);
}

/* ---- chains ---- */

/* The last step again, with every reference replaced by what the steps up to there come to. */
static void require_steps_agree(const xg_digest *whole, int algorithm, const xg_hash_value *values,
                                size_t n, const uint32_t *counts, size_t steps) {
    xg_hash_value last[VALUES];
    uint32_t count = counts[steps - 1];
    const xg_hash_value *of_last = values + (n - count);
    for (uint32_t i = 0; i < count; i++) {
        last[i] = of_last[i];
        if (last[i].step == XG_NO_STEP) continue;
        size_t below = (size_t)last[i].step + 1, n_below = 0;
        for (size_t step = 0; step < below; step++) n_below += counts[step];
        last[i].step = XG_NO_STEP;
        if (xg_hashchain_evaluate(&last[i].digest, last[i].algorithm, values, n_below, counts,
                                  below))
            return;
    }
    xg_digest again;
    if (xg_hashchain_evaluate(&again, algorithm, last, count, &count, 1)) return;
    require(same(whole, &again));
}

static void try_chain(int algorithm, const xg_hash_value *values, size_t n, const uint32_t *counts,
                      size_t steps) {
    static const xg_digest untouched = {.octets = "untouched", .n = 9};
    xg_digest out = untouched;
    xg_err err = xg_hashchain_evaluate(&out, algorithm, values, n, counts, steps);
    if (err)
        require(memcmp(&out, &untouched, sizeof out) == 0);
    else
        require_steps_agree(&out, algorithm, values, n, counts, steps);
}

/* ---- trees ---- */

static void require_leads_to(const xg_digest *top, int algorithm, xg_digest node,
                             const xg_digest *nodes, const uint32_t *path, uint32_t length) {
    while (length--) {
        xg_hash_value own = {node, algorithm, XG_NO_STEP};
        xg_hash_value sibling = {nodes[path[length] / 2], algorithm, XG_NO_STEP};
        bool sibling_first = path[length] & 1;
        xg_hash_value pair[2] = {sibling_first ? sibling : own, sibling_first ? own : sibling};
        uint32_t two = 2;
        if (xg_hashchain_evaluate(&node, algorithm, pair, 2, &two, 1)) return;
    }
    require(same(top, &node));
}

static void try_tree(int algorithm, const xg_hash_value *parts, size_t n, const uint32_t *counts,
                     size_t inputs) {
    static xg_digest nodes[2 * GROUPS];
    static uint32_t paths[GROUPS * XG_CHAIN_PATH], lengths[GROUPS];
    xg_digest top = {.n = 1};
    nodes[0].n = lengths[0] = paths[0] = 999;
    if (xg_hashchain_merge(&top, nodes, paths, lengths, algorithm, parts, n, counts, inputs)) {
        require(top.n == 1 && nodes[0].n == 999 && paths[0] == 999 && lengths[0] == 999);
        return;
    }
    for (size_t i = 0; i < inputs; i++)
        require_leads_to(&top, algorithm, nodes[i], nodes, paths + i * XG_CHAIN_PATH, lengths[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static xg_hash_value values[VALUES];
    xg_span input = {data, size};
    uint8_t verb = take(&input);
    int algorithm = take_algorithm(&input);
    uint32_t counts[GROUPS] = {0};
    size_t groups = take(&input) % GROUPS, sum = 0, n = 0;
    for (size_t i = 0; i < groups; i++) sum += counts[i] = take(&input) % (VALUES / GROUPS);
    for (; n < sum && input.n; n++) values[n] = take_value(&input);
    if (verb & 4)
        for (size_t i = 0; i < n; i++) values[i].step = XG_NO_STEP;
    if (verb & 8) memset(&values[n], 0, (sum - n) * sizeof *values);
    if (verb & 8) n = sum;
    if (verb % 3 == 0) try_list(values, n);
    if (verb % 3 == 1) try_chain(algorithm, values, n, counts, groups);
    if (verb % 3 == 2) try_tree(algorithm, values, n, counts, groups);
    return 0;
}
