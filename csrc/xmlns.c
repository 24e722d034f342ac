/* xmlns.c: which namespace a prefix means here (Namespaces in XML 1.0), and what the output has
 * already said about it. A prefix has one record for the whole document, found by binary search;
 * an undo list takes back at an end tag what its start tag changed. */
#include "xml.h"

struct xml_text {
    xml_text *next;
    uint8_t octets[];
};

static const char xml_uri[] = "http://www.w3.org/XML/1998/namespace";
static const char xmlns_uri[] = "http://www.w3.org/2000/xmlns/";

xg_err xml_grow(void **items, size_t *cap, size_t n, size_t size) {
    if (n < *cap) return XG_OK;
    size_t more = *cap ? *cap * 2 : 16;
    if (more > SIZE_MAX / 2 / size) return XG_E_MEMORY;
    void *p = realloc(*items, more * size);
    if (!p) return XG_E_MEMORY;
    *items = p;
    *cap = more;
    return XG_OK;
}

/* --- prefixes --- */

/* Where a prefix is in scope->order, or where it belongs. */
static size_t place_of(const xml_scope *scope, xg_span prefix, bool *found) {
    size_t low = 0, high = scope->bindings_n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = xml_compare(scope->bindings[scope->order[middle]].prefix, prefix);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = false;
    return low;
}

/* The record of a prefix, a new one if need be. */
static xg_err intern(xml_scope *scope, xg_span prefix, size_t *index) {
    bool found;
    size_t place = place_of(scope, prefix, &found), n = scope->bindings_n;
    if (!found) {
        if (n == XG_XML_MAX_PREFIXES) return XG_E_LIMIT;
        XG_TRY(xml_grow((void **)&scope->bindings, &scope->bindings_cap, n, sizeof(xml_binding)));
        XG_TRY(xml_grow((void **)&scope->order, &scope->order_cap, n, sizeof *scope->order));
        memmove(scope->order + place + 1, scope->order + place,
                (n - place) * sizeof *scope->order);
        scope->order[place] = (uint16_t)n;
        scope->bindings[n] = (xml_binding){.prefix = prefix};
        scope->bindings_n++;
    }
    *index = scope->order[place];
    return XG_OK;
}

xg_err xml_scope_begin(xml_scope *scope) {
    size_t index;
    XG_TRY(intern(scope, (xg_span){(const uint8_t *)"", 0}, &index));
    XG_TRY(intern(scope, (xg_span){(const uint8_t *)"xml", 3}, &index));
    scope->bindings[XML_XML].uri = (xg_span){(const uint8_t *)xml_uri, sizeof xml_uri - 1};
    return XG_OK;
}

void xml_scope_end(xml_scope *scope) {
    for (xml_text *text = scope->texts, *next; text; text = next) {
        next = text->next;
        free(text);
    }
    free(scope->bindings);
    free(scope->order);
    free(scope->undo);
}

xg_err xml_scope_list(xml_scope *scope, xg_span prefix) {
    size_t index = XML_DEFAULT;
    if (prefix.n && !xml_is(prefix, "#default")) XG_TRY(intern(scope, prefix, &index));
    scope->bindings[index].listed = true;
    return XG_OK;
}

/* --- declarations --- */

static xg_err remember(xml_scope *scope, size_t index) {
    const xml_binding *binding = &scope->bindings[index];
    XG_TRY(xml_grow((void **)&scope->undo, &scope->undo_cap, scope->undo_n, sizeof(xml_undo)));
    scope->undo[scope->undo_n++] = (xml_undo){index, binding->uri, binding->shown};
    return XG_OK;
}

/* The namespace name that a raw attribute value spells. */
static xg_err spell(xml_scope *scope, xg_span raw, xg_span *uri) {
    *uri = raw;
    if (!raw.n || !memchr(raw.p, '&', raw.n)) return XG_OK;
    xml_text *text = malloc(sizeof *text + raw.n); /* a reference is longer than its character */
    if (!text) return XG_E_MEMORY;
    text->next = scope->texts;
    scope->texts = text;
    uint8_t *out = text->octets;
    for (const uint8_t *p = raw.p, *end = p + raw.n; p < end;) {
        uint32_t c;
        if (*p != '&') {
            *out++ = *p++;
            continue;
        }
        p = xml_read_reference(p, end, &c);
        out += xml_encode(out, c);
    }
    *uri = (xg_span){text->octets, (size_t)(out - text->octets)};
    return XG_OK;
}

static bool is_letter(uint8_t c) { return (c | 32) >= 'a' && (c | 32) <= 'z'; }
static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }

/* Octets at the beginning of a URI that are letters, digits or one of others. */
static size_t run_of(xg_span uri, const char *others) {
    size_t i = 0;
    while (i < uri.n && (is_letter(uri.p[i]) || is_digit(uri.p[i]) || strchr(others, uri.p[i])))
        i++;
    return i;
}

/* A scheme, a colon, and nothing but characters of RFC 3986 (so no white space either). */
static bool is_absolute(xg_span uri) {
    size_t scheme = run_of(uri, "+-.");
    return scheme < uri.n && is_letter(uri.p[0]) && uri.p[scheme] == ':' &&
           run_of(uri, "-._~:/?#[]@!$&'()*+,;=%") == uri.n;
}

/* Namespaces in XML 1.0, sections 2.2, 3 and 5; Canonical XML 1.0, section 1.3. */
static xg_err check_declaration(xml_scan *scan, xg_span prefix, xg_span uri, const uint8_t *at) {
    if (xml_is(prefix, "xmlns") || xml_is(uri, xmlns_uri))
        return xml_fail(scan, XG_E_SYNTAX, at, "a declaration of the prefix or namespace xmlns");
    if (xml_is(prefix, "xml") != xml_is(uri, xml_uri))
        return xml_fail(scan, XG_E_SYNTAX, at, "a declaration that moves the prefix xml");
    if (prefix.n && !uri.n)
        return xml_fail(scan, XG_E_SYNTAX, at, "a prefix declared without a namespace");
    if (uri.n > XG_XML_MAX_NAMESPACE)
        return xml_fail(scan, XG_E_LIMIT, at, "a namespace name that is too long");
    if (uri.n && !is_absolute(uri))
        return xml_fail(scan, XG_E_UNSUPPORTED, at, "a namespace name that is no absolute URI");
    return XG_OK;
}

static xg_err declare(xml_scope *scope, xml_scan *scan, xg_span prefix, const xml_attribute *from) {
    xg_span uri;
    size_t index;
    const uint8_t *at = from->name.whole.p;
    XG_TRY(spell(scope, from->value, &uri));
    XG_TRY(check_declaration(scan, prefix, uri, at));
    xg_err err = intern(scope, prefix, &index);
    if (err == XG_E_LIMIT) return xml_fail(scan, err, at, "too many different prefixes");
    if (err) return err;
    if (scope->bindings[index].declared == scope->elements)
        return xml_fail(scan, XG_E_SYNTAX, at, "a prefix declared twice");
    XG_TRY(remember(scope, index));
    scope->bindings[index].declared = scope->elements;
    scope->bindings[index].uri = uri;
    return XG_OK;
}

/* Takes the declarations out of the token's attributes. */
static xg_err declare_all(xml_scope *scope, xml_scan *scan) {
    size_t kept = 0;
    for (size_t i = 0; i < scan->attributes_n; i++) {
        const xml_attribute *attribute = &scan->attributes[i];
        if (xml_is(attribute->name.whole, "xmlns"))
            XG_TRY(declare(scope, scan, attribute->name.prefix, attribute));
        else if (xml_is(attribute->name.prefix, "xmlns"))
            XG_TRY(declare(scope, scan, attribute->name.local, attribute));
        else if (kept++ != i)
            scan->attributes[kept - 1] = *attribute;
    }
    scan->attributes_n = kept;
    return XG_OK;
}

/* --- elements --- */

static xg_err resolve(const xml_scope *scope, xml_scan *scan, const xml_name *name, size_t *index) {
    bool found;
    *index = XML_DEFAULT;
    if (!name->prefix.n) return XG_OK;
    size_t place = place_of(scope, name->prefix, &found);
    if (found) *index = scope->order[place];
    if (!found || !scope->bindings[*index].uri.n)
        return xml_fail(scan, XG_E_SYNTAX, name->whole.p, "a prefix that is not declared");
    return XG_OK;
}

int xml_attribute_order(const void *a, const void *b) {
    const xml_attribute *x = a, *y = b;
    int order = xml_compare(x->uri, y->uri);
    if (!order) order = xml_compare(x->name.local, y->name.local);
    return order ? order : (x->depth < y->depth) - (x->depth > y->depth);
}

static xg_err resolve_all(xml_scope *scope, xml_scan *scan) {
    xml_attribute *attributes = scan->attributes;
    XG_TRY(resolve(scope, scan, &scan->name, &scope->element_binding));
    for (size_t i = 0; i < scan->attributes_n; i++) {
        xml_attribute *attribute = &attributes[i];
        XG_TRY(resolve(scope, scan, &attribute->name, &attribute->binding));
        attribute->depth = scan->depth;
        attribute->uri = (xg_span){attribute->value.p, 0};
        if (attribute->name.prefix.n) attribute->uri = scope->bindings[attribute->binding].uri;
    }
    if (scan->attributes_n < 2) return XG_OK;
    qsort(attributes, scan->attributes_n, sizeof *attributes, xml_attribute_order);
    for (size_t i = 1; i < scan->attributes_n; i++)
        if (xml_attribute_order(&attributes[i - 1], &attributes[i]) == 0)
            return xml_fail(scan, XG_E_SYNTAX, attributes[i].name.whole.p,
                            "an attribute given twice");
    return XG_OK;
}

xg_err xml_scope_open(xml_scope *scope, xml_scan *scan) {
    scope->marks[scan->depth - 1] = scope->undo_n;
    scope->elements++;
    XG_TRY(declare_all(scope, scan));
    return resolve_all(scope, scan);
}

void xml_scope_close(xml_scope *scope, const xml_scan *scan) {
    while (scope->undo_n > scope->marks[scan->depth]) {
        const xml_undo *undo = &scope->undo[--scope->undo_n];
        scope->bindings[undo->index].uri = undo->uri;
        scope->bindings[undo->index].shown = undo->shown;
    }
}

xg_err xml_scope_show(xml_scope *scope, size_t index) {
    XG_TRY(remember(scope, index));
    scope->bindings[index].shown = scope->bindings[index].uri;
    return XG_OK;
}
