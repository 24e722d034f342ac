/* fuzz_c14n.c: any octets as a document. What is canonical must stay as it is when it is
 * canonicalised again, and a refusal must leave the output alone. */
#include "inner.h"

static const uint8_t untouched[] = "untouched";

static void require(bool true_or_bug) {
    if (!true_or_bug) abort();
}

/* A second time: the same octets, unless the result is beyond a limit, or memory is short. */
static void require_stable(const xg_buf *form, xg_c14n_options options) {
    xg_buf again = {0};
    options.element = 0;
    xg_err err = xg_c14n_write(&again, NULL, (xg_span){form->p, form->n}, &options);
    if (!err)
        require(again.n == form->n && memcmp(again.p, form->p, form->n) == 0);
    else
        require(err == XG_E_LIMIT || err == XG_E_MEMORY);
    xg_buf_free(&again);
}

static void try_form(xg_span document, xg_c14n_options options) {
    xg_buf out = {0};
    xg_cause cause = {0, NULL};
    if (xg_buf_add(&out, untouched, sizeof untouched)) return;
    xg_err err = xg_c14n_write(&out, &cause, document, &options);
    if (!err) {
        require(out.n >= sizeof "<a></a>" - 1 && out.p[0] == '<' && out.p[out.n - 1] == '>');
        require_stable(&out, options);
    } else {
        require(out.n == sizeof untouched && memcmp(out.p, untouched, out.n) == 0);
        require(err == XG_E_MEMORY || (cause.text && cause.at <= document.n));
    }
    xg_buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const xg_span prefixes[] = {{(const uint8_t *)"p", 1}, {(const uint8_t *)"#default", 8}};
    xg_span document = {data, size};
    for (unsigned form = 0; form < 4; form++) {
        xg_c14n_options options = {.exclusive = form & 1, .comments = form & 2};
        try_form(document, options);
        options.element = 1 + size % 3;
        options.prefixes = prefixes;
        options.prefixes_n = form & 2 ? 2 : 0;
        try_form(document, options);
    }
    return 0;
}
