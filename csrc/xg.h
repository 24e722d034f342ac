/* xg.h: the native core of xgate: contract, manual and cffi input in one text.
 *
 * Every function is xg_<noun>_<verb>(outputs..., inputs..., sizes) and returns an xg_err that the
 * caller must look at. Outputs come first and are the caller's. On any error the outputs are as
 * they were before the call: nothing that a failed call leaves behind can pass for a result.
 * One that answers with a single number returns that, and an xg_err as a negative: where the call
 * itself is all it costs, an output to be made and read would double that.
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

/* --- Canonical XML: c14n.c, over xmlns.c (names), xmlscan.c (tokens), xmlchars.c (characters) --- */

/* What is refused as XG_E_LIMIT when exceeded. They bound memory, and keep time near linear. */
enum {
    XG_XML_MAX_SIZE = 10485760,    /* octets of a document */
    XG_XML_MAX_OUTPUT = 67108864,  /* octets of a canonical form (it may repeat declarations) */
    XG_XML_MAX_DEPTH = 100,        /* open elements */
    XG_XML_MAX_ATTRIBUTES = 256,   /* of one element, namespace declarations included */
    XG_XML_MAX_PREFIXES = 4096,    /* different prefixes in a document and the PrefixList */
    XG_XML_MAX_NAMESPACE = 512    /* octets of a namespace name */
};

/* Where and why a parser stopped; text is static. Written only on failure; tells, never counts. */
typedef struct {
    size_t at; /* octet offset in the input */
    const char *text;
} xg_cause;

typedef struct {
    size_t element;  /* apex: index in document order, counting elements only; 0 = root element */
    bool exclusive;  /* Exclusive C14N 1.0; else Canonical XML 1.0 */
    bool comments;   /* keep comments */
    const xg_span *prefixes; /* exclusive: PrefixList, UTF-8; "#default" or "" = the default one */
    size_t prefixes_n;
} xg_c14n_options;

/* Canonical octets of one element's subtree in document context: inherited namespaces count, and
 * without exclusive the apex takes over its ancestors' xml: attributes. Element 0 is the document
 * without comments and instructions outside its root. The document is untrusted, and the whole of
 * it is checked, not only the subtree: UTF-8 XML 1.0 with namespaces.
 * out: what it held is freed and replaced. cause: may be null.
 * XG_E_SYNTAX not well formed; XG_E_UNSUPPORTED DOCTYPE, other encoding or version, namespace name
 * that is no absolute URI; XG_E_LIMIT; XG_E_NOT_FOUND no element with that index. */
xg_err xg_c14n_write(xg_buf *out, xg_cause *cause, xg_span document,
                     const xg_c14n_options *options);

/* ---- digest.c ---- */

enum { XG_SHA256 = 1, XG_SHA384 = 2, XG_SHA512 = 3 };
enum { XG_DIGEST_MAX = 64 };

/* A digest of n octets; what stands behind them means nothing. */
typedef struct {
    uint8_t octets[64];
    uint32_t n;
} xg_digest;

/* The digest of a stream that comes in pieces. Made by _new, freed once by _free. */
typedef struct xg_hasher xg_hasher;

xg_err xg_hasher_new(xg_hasher **out, int algorithm);
void xg_hasher_free(xg_hasher *hasher);
xg_err xg_hasher_update(xg_hasher *hasher, const uint8_t *octets, size_t n);
/* The digest of all octets so far; the stream may go on. */
xg_err xg_hasher_final(xg_digest *out, xg_hasher *hasher);

/* The digests of n spans, one each. */
xg_err xg_digest_parts(xg_digest *out, int algorithm, const xg_span *parts, size_t n);

/* ---- hashchain.c: the tree and the chains of X-Road batch signatures and time-stamps ---- */

/* Bounds of a chain that is evaluated: steps, values in all, references below one another (those of
 * the reference implementation); and of a merge: inputs, and the longest path that follows. */
enum { XG_CHAIN_STEPS = 1024, XG_CHAIN_VALUES = 10000, XG_CHAIN_DEPTH = 64 };
enum { XG_CHAIN_INPUTS = 1048576, XG_CHAIN_PATH = 20 };
enum { XG_NO_STEP = -1 };

/* One value of a hash step: a digest, or (step is not XG_NO_STEP) the hash of another step by
 * this value's algorithm. */
typedef struct {
    xg_digest digest;
    int32_t algorithm;
    int32_t step;
} xg_hash_value;

/* Append DER(DigestList) of values that are all digests. */
xg_err xg_digestlist_write(xg_buf *out, const xg_hash_value *values, size_t n);

/* The hash, by algorithm, of the last of some steps. The values of all steps stand one after
 * another; counts says how many belong to each step. A value may refer to an earlier step only
 * (XG_E_SYNTAX otherwise), so there are no loops; every step is hashed once however often it is
 * referred to. */
xg_err xg_hashchain_evaluate(xg_digest *out, int algorithm, const xg_hash_value *values,
                             size_t n_values, const uint32_t *counts, size_t steps);

/* One tree over many inputs of one part or more each, and every input's path through it.
 *
 * top: the digest that stands for all. nodes (2 * inputs - 1): node i is the leaf of input i.
 * paths (inputs * XG_CHAIN_PATH), lengths (inputs): per input, from the top down, the siblings of
 * its path, each as 2 * node + (1 if the sibling is on the left).
 * parts: the digests of all inputs one after another; counts: how many belong to each. */
xg_err xg_hashchain_merge(xg_digest *top, xg_digest *nodes, uint32_t *paths, uint32_t *lengths,
                          int algorithm, const xg_hash_value *parts, size_t n_parts,
                          const uint32_t *counts, size_t inputs);

/* ---- table.c: a table of keys in a block of octets, such as a mapped file ---- */

enum { XG_TABLE_BLOCK = 1073741823 }; /* octets of a block, so that two places fit one number */

/* Where a table lies; kept by the caller and only read here. The block is not trusted: whatever it
 * holds, nothing outside of it is looked at, and a search has 28 steps at most. */
typedef struct {
    xg_span block;
    size_t start;   /* of the table, in the block */
    uint32_t count; /* of its keys */
} xg_table;

/* Where the value of a key lies in the block: its end << 30 | its start. Negative:
 * XG_E_NOT_FOUND no such key; XG_E_SYNTAX what had to be looked at is not in the block. */
int64_t xg_table_find(const xg_table *table, const uint8_t *key, size_t n);
