/* buf.c: growable octets. */
#include "inner.h"

void xg_buf_free(xg_buf *buf) {
    if (!buf) return;
    free(buf->p);
    buf->p = NULL;
    buf->n = buf->cap = 0;
}

static xg_err reserve(xg_buf *buf, size_t more) {
    if (more <= buf->cap - buf->n) return XG_OK;
    if (more > SIZE_MAX / 2 - buf->n) return XG_E_LIMIT;
    size_t cap = buf->cap ? buf->cap : 256;
    while (cap - buf->n < more) cap *= 2;
    uint8_t *p = realloc(buf->p, cap);
    if (!p) return XG_E_MEMORY;
    buf->p = p;
    buf->cap = cap;
    return XG_OK;
}

xg_err xg_buf_add(xg_buf *buf, const void *octets, size_t n) {
    if (n == 0) return XG_OK;
    XG_TRY(reserve(buf, n));
    memcpy(buf->p + buf->n, octets, n);
    buf->n += n;
    return XG_OK;
}

xg_err xg_buf_byte(xg_buf *buf, uint8_t octet) { return xg_buf_add(buf, &octet, 1); }
