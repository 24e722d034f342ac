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

#endif
