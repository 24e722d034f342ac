/* c14n.c: Canonical XML 1.0 (REC-xml-c14n-20010315) and Exclusive XML Canonicalization 1.0
 * (REC-xml-exc-c14n-20020718) of one element: one pass over the tokens, writing while inside. */
#include "xml.h"

/* How octets of the document turn into octets of the canonical form. */
typedef enum { TEXT = 1, CDATA = 2, ATTRIBUTE = 4, VERBATIM = 8 } manner;

typedef struct {
    const xg_c14n_options *options;
    xml_scan scan;
    xml_scope scope;
    xg_buf out;
    size_t apex;              /* depth of the apex while inside it, or 0 */
    bool done;                /* the apex has been written */
    xml_attribute *inherited; /* xml: attributes of open elements, until the apex */
    size_t inherited_n, inherited_cap;
    const xml_binding **news; /* declarations to write at this element */
    size_t news_n, news_cap;
} canon;

/* --- characters --- */

static const uint8_t stops[256] = {['&'] = TEXT | CDATA | ATTRIBUTE,
                                   ['<'] = CDATA,
                                   ['>'] = TEXT | CDATA,
                                   ['"'] = ATTRIBUTE,
                                   ['\t'] = ATTRIBUTE,
                                   ['\n'] = ATTRIBUTE,
                                   ['\r'] = TEXT | CDATA | ATTRIBUTE | VERBATIM};

static xg_err add(xg_buf *out, const char *text) { return xg_buf_add(out, text, strlen(text)); }

static xg_err add_span(xg_buf *out, xg_span span) { return xg_buf_add(out, span.p, span.n); }

/* A character of the content, whatever it was written as. */
static xg_err add_char(xg_buf *out, uint32_t c, manner as) {
    uint8_t octets[4];
    if (c == '&') return add(out, "&amp;");
    if (c == '<') return add(out, "&lt;");
    if (c == '\r') return add(out, "&#xD;");
    if (c == '>' && as != ATTRIBUTE) return add(out, "&gt;");
    if (c == '"' && as == ATTRIBUTE) return add(out, "&quot;");
    if (c == '\t' && as == ATTRIBUTE) return add(out, "&#x9;");
    if (c == '\n' && as == ATTRIBUTE) return add(out, "&#xA;");
    return xg_buf_add(out, octets, xml_encode(octets, c));
}

static xg_err add_content(xg_buf *out, xg_span raw, manner as) {
    const uint8_t *p = raw.p, *end = p + raw.n;
    while (p < end) {
        const uint8_t *run = p;
        while (p < end && !(stops[*p] & as)) p++;
        XG_TRY(xg_buf_add(out, run, (size_t)(p - run)));
        if (p == end) break;
        uint32_t c = *p;
        if (c == '&' && as != CDATA) {
            p = xml_read_reference(p, end, &c);
            XG_TRY(add_char(out, c, as));
        } else if (xml_is_space(*p)) { /* a line end, or white space in an attribute value */
            p += c == '\r' && end - p > 1 && p[1] == '\n' ? 2 : 1;
            XG_TRY(xg_buf_byte(out, as == ATTRIBUTE ? ' ' : '\n'));
        } else {
            p++;
            XG_TRY(add_char(out, c, as));
        }
    }
    return XG_OK;
}

/* --- namespaces --- */

static xg_err maybe_show(canon *c, size_t index) {
    const xml_binding *binding = &c->scope.bindings[index];
    if (index == XML_XML || xml_same(binding->uri, binding->shown)) return XG_OK;
    XG_TRY(xml_scope_show(&c->scope, index));
    XG_TRY(xml_grow((void **)&c->news, &c->news_cap, c->news_n, sizeof *c->news));
    c->news[c->news_n++] = binding;
    return XG_OK;
}

/* What Canonical XML renders: at the apex all that is in scope, further in what is declared. The
 * PrefixList asks the same for its prefixes. */
static xg_err show_in_scope(canon *c, bool apex) {
    const xml_scope *scope = &c->scope;
    bool all = !c->options->exclusive;
    size_t first = scope->marks[c->scan.depth - 1], last = scope->undo_n;
    if (apex) first = 0, last = scope->bindings_n;
    for (size_t i = first; i < last; i++) {
        size_t index = apex ? i : scope->undo[i].index;
        if (all || scope->bindings[index].listed) XG_TRY(maybe_show(c, index));
    }
    return XG_OK;
}

/* What Exclusive C14N renders: the prefixes that this tag itself uses. */
static xg_err show_used(canon *c) {
    XG_TRY(maybe_show(c, c->scope.element_binding));
    for (size_t i = 0; i < c->scan.attributes_n; i++)
        if (c->scan.attributes[i].name.prefix.n)
            XG_TRY(maybe_show(c, c->scan.attributes[i].binding));
    return XG_OK;
}

static int by_prefix(const void *a, const void *b) {
    return xml_compare((*(const xml_binding *const *)a)->prefix,
                       (*(const xml_binding *const *)b)->prefix);
}

static xg_err write_namespaces(canon *c, bool apex) {
    c->news_n = 0;
    XG_TRY(show_in_scope(c, apex));
    if (c->options->exclusive) XG_TRY(show_used(c));
    if (c->news_n > 1) qsort(c->news, c->news_n, sizeof *c->news, by_prefix);
    for (size_t i = 0; i < c->news_n; i++) {
        const xml_binding *binding = c->news[i];
        XG_TRY(add(&c->out, binding->prefix.n ? " xmlns:" : " xmlns"));
        XG_TRY(add_span(&c->out, binding->prefix));
        XG_TRY(add(&c->out, "=\""));
        XG_TRY(add_content(&c->out, binding->uri, CDATA)); /* resolved; only '&' can need it */
        XG_TRY(xg_buf_byte(&c->out, '"'));
    }
    return XG_OK;
}

/* --- elements --- */

static xg_err inherit(canon *c, const xml_attribute *attribute) {
    XG_TRY(xml_grow((void **)&c->inherited, &c->inherited_cap, c->inherited_n, sizeof *attribute));
    c->inherited[c->inherited_n++] = *attribute;
    return XG_OK;
}

static xg_err write_attribute(canon *c, const xml_attribute *attribute) {
    XG_TRY(xg_buf_byte(&c->out, ' '));
    XG_TRY(add_span(&c->out, attribute->name.whole));
    XG_TRY(add(&c->out, "=\""));
    XG_TRY(add_content(&c->out, attribute->value, ATTRIBUTE));
    return xg_buf_byte(&c->out, '"');
}

/* The apex's own attributes, and the nearest xml: attribute of each name it does not have. */
static xg_err write_apex_attributes(canon *c) {
    for (size_t i = 0; i < c->scan.attributes_n; i++)
        XG_TRY(inherit(c, &c->scan.attributes[i]));
    const xml_attribute *all = c->inherited;
    if (c->inherited_n > 1)
        qsort(c->inherited, c->inherited_n, sizeof *all, xml_attribute_order);
    for (size_t i = 0; i < c->inherited_n; i++)
        if (i == 0 || !xml_same(all[i].uri, all[i - 1].uri) ||
            !xml_same(all[i].name.local, all[i - 1].name.local))
            XG_TRY(write_attribute(c, &all[i]));
    c->inherited_n = 0;
    return XG_OK;
}

static xg_err write_start(canon *c) {
    bool apex = c->apex == c->scan.depth;
    XG_TRY(xg_buf_byte(&c->out, '<'));
    XG_TRY(add_span(&c->out, c->scan.name.whole));
    XG_TRY(write_namespaces(c, apex));
    if (apex && !c->options->exclusive) {
        XG_TRY(write_apex_attributes(c));
    } else {
        for (size_t i = 0; i < c->scan.attributes_n; i++)
            XG_TRY(write_attribute(c, &c->scan.attributes[i]));
    }
    return xg_buf_byte(&c->out, '>');
}

static xg_err on_start(canon *c) {
    XG_TRY(xml_scope_open(&c->scope, &c->scan));
    if (c->scope.elements - 1 == c->options->element) c->apex = c->scan.depth;
    if (c->apex) return write_start(c);
    if (c->done) return XG_OK;
    for (size_t i = 0; i < c->scan.attributes_n; i++)
        if (c->scan.attributes[i].binding == XML_XML) XG_TRY(inherit(c, &c->scan.attributes[i]));
    return XG_OK;
}

static xg_err on_end(canon *c) {
    xml_scope_close(&c->scope, &c->scan);
    if (c->apex) {
        XG_TRY(add(&c->out, "</"));
        XG_TRY(add_span(&c->out, c->scan.name.whole));
        XG_TRY(xg_buf_byte(&c->out, '>'));
        c->done = c->scan.depth < c->apex;
        if (c->done) c->apex = 0;
    }
    while (c->inherited_n && c->inherited[c->inherited_n - 1].depth > c->scan.depth)
        c->inherited_n--;
    return XG_OK;
}

/* --- everything else --- */

static xg_err write_instruction(canon *c) {
    XG_TRY(add(&c->out, "<?"));
    XG_TRY(add_span(&c->out, c->scan.name.whole));
    if (c->scan.text.n) XG_TRY(xg_buf_byte(&c->out, ' '));
    XG_TRY(add_content(&c->out, c->scan.text, VERBATIM));
    return add(&c->out, "?>");
}

static xg_err write_comment(canon *c) {
    if (!c->options->comments) return XG_OK;
    XG_TRY(add(&c->out, "<!--"));
    XG_TRY(add_content(&c->out, c->scan.text, VERBATIM));
    return add(&c->out, "-->");
}

static xg_err on_token(canon *c) {
    if (c->scan.kind == XML_START) return on_start(c);
    if (c->scan.kind == XML_END) return on_end(c);
    if (!c->apex) return XG_OK;
    if (c->scan.kind == XML_TEXT) return add_content(&c->out, c->scan.text, TEXT);
    if (c->scan.kind == XML_CDATA) return add_content(&c->out, c->scan.text, CDATA);
    if (c->scan.kind == XML_COMMENT) return write_comment(c);
    return write_instruction(c);
}

static xg_err canonicalise(canon *c, xg_span document) {
    XG_TRY(xml_scan_begin(&c->scan, document));
    XG_TRY(xml_scope_begin(&c->scope));
    if (c->options->prefixes_n > XG_XML_MAX_PREFIXES / 2)
        return xml_fail(&c->scan, XG_E_LIMIT, document.p, "a PrefixList that is too long");
    for (size_t i = 0; c->options->exclusive && i < c->options->prefixes_n; i++)
        XG_TRY(xml_scope_list(&c->scope, c->options->prefixes[i]));
    for (;;) {
        XG_TRY(xml_scan_next(&c->scan));
        if (c->scan.kind == XML_EOF) break;
        XG_TRY(on_token(c));
        if (c->out.n > XG_XML_MAX_OUTPUT)
            return xml_fail(&c->scan, XG_E_LIMIT, c->scan.p, "a canonical form that is too long");
    }
    if (!c->done) return xml_fail(&c->scan, XG_E_NOT_FOUND, c->scan.p, "no element of that index");
    return XG_OK;
}

xg_err xg_c14n_write(xg_buf *out, xg_cause *cause, xg_span document,
                     const xg_c14n_options *options) {
    if (!out || !options || (!document.p && document.n) ||
        (!options->prefixes && options->prefixes_n))
        return XG_E_ARGUMENT;
    if (!document.p) document.p = (const uint8_t *)"";
    canon *c = calloc(1, sizeof *c);
    if (!c) return XG_E_MEMORY;
    c->options = options;
    xg_err err = canonicalise(c, document);
    if (!err) {
        xg_buf_free(out);
        *out = c->out;
    } else {
        xg_buf_free(&c->out);
        if (cause) *cause = c->scan.cause;
    }
    xml_scope_end(&c->scope);
    free(c->scan.attributes);
    free(c->inherited);
    free(c->news);
    free(c);
    return err;
}
