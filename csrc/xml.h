/* xml.h: how the XML files see each other: characters, tokens, namespace scope. Not public. */
#ifndef XG_XML_H
#define XG_XML_H

#include "inner.h"

/* --- xmlchars.c --- */

/* First octet that begins no XML 1.0 character in strict UTF-8, or end. */
const uint8_t *xml_find_illegal(const uint8_t *p, const uint8_t *end);
/* Octets of the name (5th edition, colons included) that starts at p; 0 = none starts there. */
size_t xml_name_length(const uint8_t *p, const uint8_t *end);
bool xml_is_char(uint32_t c);
/* UTF-8 of a legal character; returns its length. */
size_t xml_encode(uint8_t octets[4], uint32_t c);

static inline bool xml_is_space(uint8_t c) {
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static inline bool xml_same(xg_span a, xg_span b) {
    return a.n == b.n && (a.p == b.p || a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool xml_is(xg_span a, const char *text) {
    return a.n == strlen(text) && memcmp(a.p, text, a.n) == 0;
}

/* By octets, a proper beginning first: for UTF-8 that is the order of code points. */
static inline int xml_compare(xg_span a, xg_span b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n && a.p != b.p ? memcmp(a.p, b.p, n) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

/* --- xmlscan.c --- */

typedef enum {
    XML_START, /* name and attributes; an empty-element tag yields START, then END */
    XML_END,
    XML_TEXT,    /* raw: references and line ends as they stand, checked */
    XML_CDATA,   /* raw */
    XML_COMMENT, /* raw */
    XML_PI,      /* name = target, text raw without the white space before it */
    XML_EOF
} xml_kind;

typedef struct {
    xg_span whole, prefix, local; /* prefix is empty without a colon */
} xml_name;

typedef struct {
    xml_name name;
    xg_span value; /* raw, between the quotes, checked */
    /* filled in by xml_scope_open: */
    xg_span uri;    /* empty = in no namespace */
    size_t binding; /* of its prefix */
    size_t depth;   /* of its element */
} xml_attribute;

typedef struct {
    const uint8_t *start, *p, *end;
    xg_cause cause; /* of the first failure */
    xml_kind kind;  /* the current token: */
    xml_name name;
    xg_span text;
    xml_attribute *attributes;
    size_t attributes_n, attributes_cap;
    xg_span open[XG_XML_MAX_DEPTH]; /* names of open elements, as written */
    size_t depth;                   /* after START it counts that element, after END no longer */
    bool empty;                     /* the END of an empty-element tag is due */
    bool rooted;
} xml_scan;

/* scan is all zeros; its attributes are the caller's to free, whatever happened. */
XG_MUST_USE xg_err xml_scan_begin(xml_scan *scan, xg_span document);
XG_MUST_USE xg_err xml_scan_next(xml_scan *scan);
xg_err xml_fail(xml_scan *scan, xg_err err, const uint8_t *at, const char *text);
/* Past the reference at p ('&' of checked text); its character in *c. */
const uint8_t *xml_read_reference(const uint8_t *p, const uint8_t *end, uint32_t *c);

/* --- xmlns.c --- */

/* One prefix of the document; "" is the default namespace. Kept for the whole document. */
typedef struct {
    xg_span prefix;
    xg_span uri;     /* in scope; empty = none */
    xg_span shown;   /* as the output has it in scope; empty = none */
    size_t declared; /* ordinal of the element that last declared it */
    bool listed;     /* in the PrefixList */
} xml_binding;

typedef struct {
    size_t index;
    xg_span uri, shown;
} xml_undo;

typedef struct xml_text xml_text;

typedef struct {
    xml_binding *bindings; /* in order of appearance; 0 = default, 1 = xml */
    size_t bindings_n, bindings_cap;
    uint16_t *order;       /* bindings by prefix */
    size_t order_cap;
    xml_undo *undo;
    size_t undo_n, undo_cap;
    size_t marks[XG_XML_MAX_DEPTH]; /* undo_n when the element at that depth began */
    size_t elements;                /* START tokens seen */
    size_t element_binding;         /* of the prefix of the element just opened */
    xml_text *texts;                /* namespace names that are not verbatim in the document */
} xml_scope;

enum { XML_DEFAULT = 0, XML_XML = 1 };

/* scope is all zeros; xml_scope_end frees, whatever happened. */
XG_MUST_USE xg_err xml_scope_begin(xml_scope *scope);
void xml_scope_end(xml_scope *scope);
/* Put a prefix of the PrefixList on record; its octets must outlive the scope. */
XG_MUST_USE xg_err xml_scope_list(xml_scope *scope, xg_span prefix);
/* On START: takes the declarations out of scan->attributes into scope, completes the other
 * attributes, sorts them by (uri, local name) and refuses duplicates and unbound prefixes.
 * The declared ones are undo[marks[depth - 1]...].index until xml_scope_show is called. */
XG_MUST_USE xg_err xml_scope_open(xml_scope *scope, xml_scan *scan);
/* On END: the scope is as it was before the START. */
void xml_scope_close(xml_scope *scope, const xml_scan *scan);
/* The output declares this binding as it is in scope, until the current element ends. */
XG_MUST_USE xg_err xml_scope_show(xml_scope *scope, size_t index);
/* Ascending (uri, local name), inner elements first: for qsort over xml_attribute. */
int xml_attribute_order(const void *a, const void *b);

/* Room for one more item in a growable array. */
XG_MUST_USE xg_err xml_grow(void **items, size_t *cap, size_t n, size_t size);

#endif
