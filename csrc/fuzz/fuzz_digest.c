/* fuzz_digest.c: any octets, cut anywhere. A stream's digest is that of its octets wherever it is
 * cut and however often it is asked for; a refusal must leave the output alone.
 *
 *     algorithm  cuts  size*cuts  octets... */
#include "inner.h"

enum { CUTS = 16 };

static void require(bool true_or_bug) {
    if (!true_or_bug) abort();
}

static bool same(const xg_digest *a, const xg_digest *b) {
    return a->n == b->n && memcmp(a->octets, b->octets, a->n) == 0;
}

static void try_stream(int algorithm, const xg_span *pieces, size_t n, const xg_digest *expected) {
    xg_hasher *hasher = NULL;
    if (xg_hasher_new(&hasher, algorithm)) return;
    xg_digest digest;
    for (size_t i = 0; i < n; i++) {
        require(xg_hasher_update(hasher, pieces[i].p, pieces[i].n) == XG_OK);
        require(xg_hasher_final(&digest, hasher) == XG_OK);
    }
    require(same(&digest, expected));
    xg_hasher_free(hasher);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 + CUTS) return 0;
    int algorithm = data[0] % 5;
    size_t n = 1 + data[1] % CUTS, left = size - 2 - CUTS;
    const uint8_t *octets = data + 2 + CUTS;
    xg_span pieces[CUTS] = {0};
    for (size_t i = 0; i < n; i++) {
        size_t wanted = i + 1 == n ? left : data[2 + i];
        pieces[i] = (xg_span){octets, wanted < left ? wanted : left};
        octets += pieces[i].n;
        left -= pieces[i].n;
    }
    xg_span whole = {data + 2 + CUTS, size - 2 - CUTS};
    xg_digest expected = {.n = 999}, parts[CUTS] = {{.n = 999}}, one;
    xg_err err = xg_digest_parts(&expected, algorithm, &whole, 1);
    require(err == XG_OK || expected.n == 999);
    if (err) return 0;
    try_stream(algorithm, pieces, n, &expected);
    if (xg_digest_parts(parts, algorithm, pieces, n)) return require(parts[0].n == 999), 0;
    for (size_t i = 0; i < n; i++)
        if (!xg_digest_parts(&one, algorithm, &pieces[i], 1)) require(same(&one, &parts[i]));
    return 0;
}
