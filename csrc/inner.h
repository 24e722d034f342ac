/* inner.h: what the C files share and nobody else sees: includes, macros, buffer verbs. */
#ifndef XG_INNER_H
#define XG_INNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "xg.h"

#define XG_MUST_USE __attribute__((warn_unused_result))
#define XG_TRY(call)                                                                               \
    do {                                                                                           \
        xg_err xg_try_err = (call);                                                                \
        if (xg_try_err != XG_OK) return xg_try_err;                                                \
    } while (0)

/* Append n octets; on XG_E_MEMORY the buffer is as it was. */
XG_MUST_USE xg_err xg_buf_add(xg_buf *buf, const void *octets, size_t n);
XG_MUST_USE xg_err xg_buf_byte(xg_buf *buf, uint8_t octet);

/* What a digest algorithm is called by libcrypto and in XML; sizes in octets. */
typedef struct {
    int code;
    const char *name;
    size_t size;
    const char *uri;
    size_t uri_n;
} xg_algorithm;

/* NULL: unknown. */
XG_MUST_USE const xg_algorithm *xg_algorithm_of(int code);
/* The digest of one span; the hasher's own stream is not touched. */
XG_MUST_USE xg_err xg_hasher_once(xg_digest *out, xg_hasher *hasher, xg_span octets);

#endif
