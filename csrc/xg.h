/* xg.h: the native core of xgate: contract, manual and cffi input in one text.
 *
 * Every function is xg_<noun>_<verb>(outputs..., inputs..., sizes) and returns an xg_err that the
 * caller must look at. Outputs come first and are the caller's. On any error the outputs are as
 * they were before the call: nothing that a failed call leaves behind can pass for a result.
 * No globals, no callbacks, no I/O. Functions may run on several threads at once as long as no two
 * share an output.
 */

typedef enum {
    XG_OK = 0,
    XG_E_MEMORY = 1,     /* no memory */
    XG_E_ARGUMENT = 2,   /* the caller's mistake: a null, an unknown algorithm, a size out of range */
    XG_E_SYNTAX = 3,     /* the input is not what it claims to be */
    XG_E_LIMIT = 4,      /* too long, too deep, too many */
    XG_E_NOT_FOUND = 5,  /* what was asked for is not in the input */
    XG_E_UNSUPPORTED = 6 /* well formed, and refused on purpose (DOCTYPE, relative namespace...) */
} xg_err;

/* Borrowed octets; never freed by us, never kept after the call. */
typedef struct {
    const uint8_t *p;
    size_t n;
} xg_span;

/* Growable octets. Start with all zeros; free with xg_buf_free, once, whatever happened. */
typedef struct {
    uint8_t *p;
    size_t n;
    size_t cap;
} xg_buf;

void xg_buf_free(xg_buf *buf);
