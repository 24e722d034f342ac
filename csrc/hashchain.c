/* hashchain.c: X-Road hash chains: what is hashed, how many inputs become one, and what a received
 * chain comes to.
 *
 * A step's hash is H over DER of its values, in order (hashchain 2):
 *
 *     30 len                                     DigestList   SEQUENCE OF
 *        30 len                                  SingleDigest SEQUENCE
 *           04 n  digest...                      OCTET STRING
 *           0c n  "http://www.w3.org/..."        UTF8String, the URI of its algorithm
 *           30 00                                no transforms, ever
 *        ...
 *
 * A SingleDigest has at most 2+64 + 2+45 + 2 = 115 octets inside: its length is always one octet.
 */
#include "inner.h"

/* The hash of one step, by every algorithm it is wanted by. */
typedef struct {
    xg_digest by[XG_SHA512 + 1];
    unsigned wanted;
    unsigned depth;
} step_hash;

/* What the hashing of steps works with: one hasher per algorithm, made when first needed. */
typedef struct {
    xg_hasher *hashers[XG_SHA512 + 1];
    xg_buf der;
} workshop;

static void workshop_close(workshop *shop) {
    for (int code = 0; code <= XG_SHA512; code++) xg_hasher_free(shop->hashers[code]);
    xg_buf_free(&shop->der);
}

static const xg_digest *digest_of(const xg_hash_value *value, const step_hash *known) {
    if (value->step == XG_NO_STEP) return &value->digest;
    return &known[value->step].by[value->algorithm];
}

static size_t single_size(const xg_hash_value *value, const step_hash *known) {
    return 2 + digest_of(value, known)->n + 2 + xg_algorithm_of(value->algorithm)->uri_n + 2;
}

static xg_err add_header(xg_buf *out, uint8_t tag, size_t n) {
    uint8_t header[6] = {tag};
    size_t used = 1;
    int octets = n > 0xffffff ? 4 : n > 0xffff ? 3 : n > 0xff ? 2 : 1;
    if (n > 0xffffffff) return XG_E_LIMIT;
    if (n > 127) header[used++] = (uint8_t)(0x80 | octets);
    for (int i = octets - 1; i >= 0; i--) header[used++] = (uint8_t)(n >> (8 * i));
    return xg_buf_add(out, header, used);
}

static xg_err add_single(xg_buf *out, const xg_hash_value *value, const step_hash *known) {
    const xg_digest *digest = digest_of(value, known);
    const xg_algorithm *algorithm = xg_algorithm_of(value->algorithm);
    XG_TRY(add_header(out, 0x30, single_size(value, known)));
    XG_TRY(add_header(out, 0x04, digest->n));
    XG_TRY(xg_buf_add(out, digest->octets, digest->n));
    XG_TRY(add_header(out, 0x0c, algorithm->uri_n));
    XG_TRY(xg_buf_add(out, algorithm->uri, algorithm->uri_n));
    return add_header(out, 0x30, 0);
}

static xg_err add_list(xg_buf *out, const xg_hash_value *values, size_t n, const step_hash *known) {
    size_t size = 0;
    for (size_t i = 0; i < n; i++) size += 2 + single_size(&values[i], known);
    XG_TRY(add_header(out, 0x30, size));
    for (size_t i = 0; i < n; i++) XG_TRY(add_single(out, &values[i], known));
    return XG_OK;
}

/* Every value has a known algorithm and a digest that fits; those that refer are not looked at. */
static xg_err check_values(const xg_hash_value *values, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (!xg_algorithm_of(values[i].algorithm)) return XG_E_ARGUMENT;
        if (values[i].digest.n > XG_DIGEST_MAX) return XG_E_LIMIT;
    }
    return XG_OK;
}

static xg_err check_all_given(const xg_hash_value *values, size_t n) {
    XG_TRY(check_values(values, n));
    for (size_t i = 0; i < n; i++)
        if (values[i].step != XG_NO_STEP) return XG_E_ARGUMENT;
    return XG_OK;
}

xg_err xg_digestlist_write(xg_buf *out, const xg_hash_value *values, size_t n) {
    if (!out || (!values && n)) return XG_E_ARGUMENT;
    if (n > XG_CHAIN_VALUES) return XG_E_LIMIT;
    XG_TRY(check_all_given(values, n));
    size_t before = out->n;
    xg_err err = add_list(out, values, n, NULL);
    if (err != XG_OK) out->n = before;
    return err;
}

/* H(DER(values)) by one algorithm; the DER is left in the workshop. */
static xg_err hash_der(xg_digest *out, workshop *shop, int algorithm) {
    if (!shop->hashers[algorithm]) XG_TRY(xg_hasher_new(&shop->hashers[algorithm], algorithm));
    return xg_hasher_once(out, shop->hashers[algorithm], (xg_span){shop->der.p, shop->der.n});
}

static xg_err write_der(workshop *shop, const xg_hash_value *values, size_t n,
                        const step_hash *known) {
    shop->der.n = 0;
    return add_list(&shop->der, values, n, known);
}

/* ---- evaluating a received chain ---- */

/* References only go back, so there are no loops and one pass forward meets every step once. Notes
 * by which algorithms each step's hash is wanted, and how deep the references go. */
static xg_err plan(step_hash *known, const xg_hash_value *values, const uint32_t *counts,
                   size_t steps) {
    for (size_t step = 0; step < steps; values += counts[step], step++) {
        for (uint32_t i = 0; i < counts[step]; i++) {
            if (values[i].step == XG_NO_STEP) continue;
            if (values[i].step < 0 || (size_t)values[i].step >= step) return XG_E_SYNTAX;
            step_hash *below = &known[values[i].step];
            below->wanted |= 1U << values[i].algorithm;
            if (known[step].depth <= below->depth) known[step].depth = below->depth + 1;
        }
        if (known[step].depth >= XG_CHAIN_DEPTH) return XG_E_LIMIT;
    }
    return XG_OK;
}

static xg_err hash_steps(step_hash *known, workshop *shop, const xg_hash_value *values,
                         const uint32_t *counts, size_t steps) {
    for (size_t step = 0; step < steps; values += counts[step], step++) {
        if (known[step].wanted == 0) continue;
        XG_TRY(write_der(shop, values, counts[step], known));
        for (int code = XG_SHA256; code <= XG_SHA512; code++)
            if (known[step].wanted & 1U << code)
                XG_TRY(hash_der(&known[step].by[code], shop, code));
    }
    return XG_OK;
}

static xg_err check_counts(const uint32_t *counts, size_t steps, size_t n_values) {
    if (steps > XG_CHAIN_STEPS || n_values > XG_CHAIN_VALUES) return XG_E_LIMIT;
    size_t sum = 0;
    for (size_t step = 0; step < steps; step++) sum += counts[step];
    return steps > 0 && sum == n_values ? XG_OK : XG_E_ARGUMENT;
}

xg_err xg_hashchain_evaluate(xg_digest *out, int algorithm, const xg_hash_value *values,
                             size_t n_values, const uint32_t *counts, size_t steps) {
    if (!out || (!values && n_values) || !counts || !xg_algorithm_of(algorithm))
        return XG_E_ARGUMENT;
    XG_TRY(check_counts(counts, steps, n_values));
    XG_TRY(check_values(values, n_values));
    step_hash *known = calloc(steps, sizeof *known);
    if (!known) return XG_E_MEMORY;
    workshop shop = {0};
    known[steps - 1].wanted = 1U << algorithm;
    xg_err err = plan(known, values, counts, steps);
    if (err == XG_OK) err = hash_steps(known, &shop, values, counts, steps);
    if (err == XG_OK) *out = known[steps - 1].by[algorithm];
    workshop_close(&shop);
    free(known);
    return err;
}

/* ---- merging inputs into one tree ---- */

/* Where n leaves are split: the largest power of two smaller than n (hashchain 3). */
static size_t split_of(size_t n) {
    size_t k = 1;
    while (2 * k < n) k *= 2;
    return k;
}

/* The node over the leaves [low, high) of a tree of n. Leaf i is node i; every other node splits
 * its leaves before another leaf s, and is node n - 1 + s. */
static size_t node_of(size_t n, size_t low, size_t high) {
    return high - low == 1 ? low : n - 1 + low + split_of(high - low);
}

static xg_err hash_leaves(xg_digest *nodes, workshop *shop, int algorithm,
                          const xg_hash_value *parts, const uint32_t *counts, size_t inputs) {
    for (size_t i = 0; i < inputs; parts += counts[i], i++) {
        if (counts[i] == 1) {
            nodes[i] = parts[0].digest;
            continue;
        }
        XG_TRY(write_der(shop, parts, counts[i], NULL));
        XG_TRY(hash_der(&nodes[i], shop, algorithm));
    }
    return XG_OK;
}

/* Recursion ends after log2(XG_CHAIN_INPUTS) = 20 levels. */
static xg_err hash_inner(xg_digest *nodes, workshop *shop, int algorithm, size_t n, size_t low,
                         size_t high) {
    if (high - low == 1) return XG_OK;
    size_t split = low + split_of(high - low);
    XG_TRY(hash_inner(nodes, shop, algorithm, n, low, split));
    XG_TRY(hash_inner(nodes, shop, algorithm, n, split, high));
    xg_hash_value pair[2] = {
        {nodes[node_of(n, low, split)], algorithm, XG_NO_STEP},
        {nodes[node_of(n, split, high)], algorithm, XG_NO_STEP},
    };
    XG_TRY(write_der(shop, pair, 2, NULL));
    return hash_der(&nodes[node_of(n, low, high)], shop, algorithm);
}

static void write_path(uint32_t *path, uint32_t *length, size_t n, size_t leaf) {
    uint32_t used = 0;
    for (size_t low = 0, high = n; high - low > 1;) {
        size_t split = low + split_of(high - low);
        bool left = leaf < split; /* the leaf's side; the sibling is on the other one */
        size_t sibling = left ? node_of(n, split, high) : node_of(n, low, split);
        path[used++] = (uint32_t)(2 * sibling + (left ? 0 : 1));
        if (left)
            high = split;
        else
            low = split;
    }
    *length = used;
}

static xg_err check_inputs(const xg_hash_value *parts, size_t n_parts, const uint32_t *counts,
                           size_t inputs) {
    if (inputs > XG_CHAIN_INPUTS) return XG_E_LIMIT;
    size_t sum = 0;
    for (size_t i = 0; i < inputs; i++) {
        if (counts[i] == 0) return XG_E_ARGUMENT;
        if (counts[i] > XG_CHAIN_VALUES) return XG_E_LIMIT;
        sum += counts[i];
    }
    if (inputs == 0 || sum != n_parts) return XG_E_ARGUMENT;
    return check_all_given(parts, n_parts);
}

xg_err xg_hashchain_merge(xg_digest *top, xg_digest *nodes, uint32_t *paths, uint32_t *lengths,
                          int algorithm, const xg_hash_value *parts, size_t n_parts,
                          const uint32_t *counts, size_t inputs) {
    if (!top || !nodes || !paths || !lengths || !parts || !counts || !xg_algorithm_of(algorithm))
        return XG_E_ARGUMENT;
    XG_TRY(check_inputs(parts, n_parts, counts, inputs));
    size_t n_nodes = 2 * inputs - 1;
    xg_digest *made = malloc(n_nodes * sizeof *made);
    if (!made) return XG_E_MEMORY;
    workshop shop = {0};
    xg_err err = hash_leaves(made, &shop, algorithm, parts, counts, inputs);
    if (err == XG_OK) err = hash_inner(made, &shop, algorithm, inputs, 0, inputs);
    if (err == XG_OK) {
        *top = made[node_of(inputs, 0, inputs)];
        memcpy(nodes, made, n_nodes * sizeof *nodes);
        for (size_t i = 0; i < inputs; i++)
            write_path(paths + i * XG_CHAIN_PATH, &lengths[i], inputs, i);
    }
    workshop_close(&shop);
    free(made);
    return err;
}
