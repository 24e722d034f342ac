/* xmlscan.c: UTF-8 XML 1.0 as tokens. Every octet of the document is checked before it is reported,
 * each one once or twice; there is no DTD, so there is nothing to expand and nothing to fetch. */
#include "xml.h"

xg_err xml_fail(xml_scan *scan, xg_err err, const uint8_t *at, const char *text) {
    scan->cause = (xg_cause){(size_t)(at - scan->start), text};
    return err;
}

static xg_err malformed(xml_scan *scan, const uint8_t *at, const char *text) {
    return xml_fail(scan, XG_E_SYNTAX, at, text);
}

static bool starts(const uint8_t *p, const uint8_t *end, const char *text) {
    size_t n = strlen(text);
    return (size_t)(end - p) >= n && memcmp(p, text, n) == 0;
}

static const uint8_t *skip_space(const uint8_t *p, const uint8_t *end) {
    while (p < end && xml_is_space(*p)) p++;
    return p;
}

static xg_span between(const uint8_t *p, const uint8_t *end) {
    return (xg_span){p, (size_t)(end - p)};
}

/* The '>' that closes markup whose content starts at p and ends with tail; null = none. */
static const uint8_t *find_close(const uint8_t *p, const uint8_t *end, const char *tail) {
    size_t n = strlen(tail);
    for (const uint8_t *q = p; q < end; q++) {
        q = memchr(q, '>', (size_t)(end - q));
        if (!q) return NULL;
        if ((size_t)(q - p) >= n && memcmp(q - n, tail, n) == 0) return q;
    }
    return NULL;
}

/* --- references --- */

static int digit_of(uint8_t c, unsigned base) {
    if (c >= '0' && c <= '9') return c - '0';
    if (base == 16 && c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (base == 16 && c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static const uint8_t *read_char_reference(const uint8_t *p, const uint8_t *end, uint32_t *c) {
    unsigned base = p < end && *p == 'x' ? 16 : 10;
    uint32_t value = 0;
    const uint8_t *digits = p += base == 16;
    for (int digit; p < end && (digit = digit_of(*p, base)) >= 0; p++)
        value = value > 0x10FFFF ? value : value * base + (uint32_t)digit;
    if (p == digits || p == end || *p != ';' || !xml_is_char(value)) return NULL;
    *c = value;
    return p + 1;
}

const uint8_t *xml_read_reference(const uint8_t *p, const uint8_t *end, uint32_t *c) {
    static const struct {
        const char *text;
        char c;
    } predefined[] = {
        {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    if (starts(p, end, "&#")) return read_char_reference(p + 2, end, c);
    for (size_t i = 0; i < sizeof predefined / sizeof *predefined; i++)
        if (starts(p, end, predefined[i].text)) {
            *c = (uint32_t)predefined[i].c;
            return p + strlen(predefined[i].text);
        }
    return NULL;
}

static xg_err skip_reference(xml_scan *scan, const uint8_t **p) {
    uint32_t c;
    const uint8_t *after = xml_read_reference(*p, scan->end, &c);
    if (!after) return malformed(scan, *p, "an undefined entity or a bad character reference");
    *p = after;
    return XG_OK;
}

/* --- the XML declaration --- */

/* A pseudo-attribute of the XML declaration; an empty value = it is not there. */
static xg_err read_pseudo(xml_scan *scan, const char *name, xg_span *value) {
    *value = (xg_span){scan->p, 0};
    const uint8_t *p = skip_space(scan->p, scan->end);
    if (p == scan->p || !starts(p, scan->end, name)) return XG_OK;
    p = skip_space(p + strlen(name), scan->end);
    if (p == scan->end || *p != '=') return malformed(scan, p, "a bad XML declaration");
    p = skip_space(p + 1, scan->end);
    if (p == scan->end || (*p != '"' && *p != '\''))
        return malformed(scan, p, "a bad XML declaration");
    const uint8_t *close = memchr(p + 1, *p, (size_t)(scan->end - p - 1));
    if (!close || close == p + 1) return malformed(scan, p, "a bad XML declaration");
    *value = between(p + 1, close);
    scan->p = close + 1;
    return XG_OK;
}

static bool is_utf8(xg_span name) {
    static const char lower[] = "utf-8";
    if (name.n != sizeof lower - 1) return false;
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != lower[i]) return false;
    }
    return true;
}

static xg_err read_declaration(xml_scan *scan) {
    xg_span version, encoding, standalone;
    if (!starts(scan->p, scan->end, "<?xml") || scan->end - scan->p < 6) return XG_OK;
    if (!xml_is_space(scan->p[5])) return XG_OK; /* an instruction, <?xml-...?> */
    scan->p += 5;
    XG_TRY(read_pseudo(scan, "version", &version));
    if (!version.n) return malformed(scan, scan->p, "an XML declaration without a version");
    if (!xml_is(version, "1.0"))
        return xml_fail(scan, XG_E_UNSUPPORTED, version.p, "a version other than XML 1.0");
    XG_TRY(read_pseudo(scan, "encoding", &encoding));
    if (encoding.n && !is_utf8(encoding))
        return xml_fail(scan, XG_E_UNSUPPORTED, encoding.p, "an encoding other than UTF-8");
    XG_TRY(read_pseudo(scan, "standalone", &standalone));
    if (standalone.n && !xml_is(standalone, "yes") && !xml_is(standalone, "no"))
        return malformed(scan, standalone.p, "a bad XML declaration");
    scan->p = skip_space(scan->p, scan->end);
    if (!starts(scan->p, scan->end, "?>")) return malformed(scan, scan->p, "a bad XML declaration");
    scan->p += 2;
    return XG_OK;
}

xg_err xml_scan_begin(xml_scan *scan, xg_span document) {
    scan->start = scan->p = document.p;
    scan->end = document.p + document.n;
    if (document.n > XG_XML_MAX_SIZE)
        return xml_fail(scan, XG_E_LIMIT, scan->start, "a document that is too long");
    if (starts(scan->p, scan->end, "\xEF\xBB\xBF")) scan->p += 3;
    const uint8_t *illegal = xml_find_illegal(scan->p, scan->end);
    if (illegal != scan->end)
        return malformed(scan, illegal, "octets that are no XML character in UTF-8");
    return read_declaration(scan);
}

/* --- tags --- */

/* A qualified name at p, which is moved past it. */
static xg_err read_name(xml_scan *scan, const uint8_t **p, xml_name *name) {
    size_t n = xml_name_length(*p, scan->end);
    if (n == 0) return malformed(scan, *p, "a character that starts no name");
    name->whole = name->local = (xg_span){*p, n};
    name->prefix = (xg_span){*p, 0};
    const uint8_t *colon = memchr(*p, ':', n), *end = *p + n;
    if (colon) {
        name->prefix = between(*p, colon);
        name->local = between(colon + 1, end);
        if (colon == *p || xml_name_length(colon + 1, end) == 0 ||
            memchr(colon + 1, ':', name->local.n))
            return malformed(scan, *p, "a name that is no qualified name");
    }
    *p = end;
    return XG_OK;
}

static xg_err read_value(xml_scan *scan, const uint8_t **p, xg_span *value) {
    if (*p == scan->end || (**p != '"' && **p != '\''))
        return malformed(scan, *p, "an attribute value without quotes");
    const uint8_t quote = **p, *q = *p + 1;
    while (q < scan->end && *q != quote) {
        if (*q == '<') return malformed(scan, q, "'<' in an attribute value");
        if (*q == '&')
            XG_TRY(skip_reference(scan, &q));
        else
            q++;
    }
    if (q == scan->end) return malformed(scan, *p, "an attribute value without an end");
    *value = between(*p + 1, q);
    *p = q + 1;
    return XG_OK;
}

static xg_err read_attribute(xml_scan *scan, const uint8_t **p) {
    if (scan->attributes_n == XG_XML_MAX_ATTRIBUTES)
        return xml_fail(scan, XG_E_LIMIT, *p, "an element with too many attributes");
    XG_TRY(xml_grow((void **)&scan->attributes, &scan->attributes_cap, scan->attributes_n,
                    sizeof(xml_attribute)));
    xml_attribute *attribute = &scan->attributes[scan->attributes_n++];
    XG_TRY(read_name(scan, p, &attribute->name));
    *p = skip_space(*p, scan->end);
    if (*p == scan->end || **p != '=') return malformed(scan, *p, "an attribute without '='");
    *p = skip_space(*p + 1, scan->end);
    return read_value(scan, p, &attribute->value);
}

static xg_err read_start(xml_scan *scan) {
    const uint8_t *p = scan->p + 1;
    if (scan->depth == 0 && scan->rooted) return malformed(scan, scan->p, "a second root element");
    if (scan->depth == XG_XML_MAX_DEPTH)
        return xml_fail(scan, XG_E_LIMIT, scan->p, "elements nested too deeply");
    XG_TRY(read_name(scan, &p, &scan->name));
    for (scan->attributes_n = 0;;) {
        const uint8_t *after = skip_space(p, scan->end);
        if (after == scan->end) return malformed(scan, scan->p, "a start tag without an end");
        if (*after == '>' || starts(after, scan->end, "/>")) {
            scan->empty = *after == '/';
            scan->p = after + 1 + scan->empty;
            break;
        }
        if (after == p) return malformed(scan, p, "a start tag with a stray character");
        p = after;
        XG_TRY(read_attribute(scan, &p));
    }
    scan->kind = XML_START;
    scan->rooted = true;
    scan->open[scan->depth++] = scan->name.whole;
    return XG_OK;
}

static xg_err read_end(xml_scan *scan) {
    const uint8_t *p = scan->p + 2;
    XG_TRY(read_name(scan, &p, &scan->name));
    if (scan->depth == 0 || !xml_same(scan->name.whole, scan->open[scan->depth - 1]))
        return malformed(scan, scan->p, "an end tag that closes nothing");
    p = skip_space(p, scan->end);
    if (p == scan->end || *p != '>') return malformed(scan, p, "an end tag without an end");
    scan->p = p + 1;
    scan->kind = XML_END;
    scan->depth--;
    return XG_OK;
}

/* --- everything else --- */

static xg_err read_text(xml_scan *scan) {
    const uint8_t *p = scan->p;
    if (scan->depth == 0) return malformed(scan, p, "text outside the root element");
    while (p < scan->end && *p != '<') {
        if (*p == '&') {
            XG_TRY(skip_reference(scan, &p));
            continue;
        }
        if (*p == ']' && starts(p, scan->end, "]]>")) return malformed(scan, p, "']]>' in text");
        p++;
    }
    scan->kind = XML_TEXT;
    scan->text = between(scan->p, p);
    scan->p = p;
    return XG_OK;
}

static xg_err read_comment(xml_scan *scan) {
    const uint8_t *start = scan->p + 4, *p = start;
    while ((p = memchr(p, '-', (size_t)(scan->end - p))) && !starts(p, scan->end, "--")) p++;
    if (!p) return malformed(scan, scan->p, "a comment without an end");
    if (!starts(p, scan->end, "-->")) return malformed(scan, p, "'--' in a comment");
    scan->kind = XML_COMMENT;
    scan->text = between(start, p);
    scan->p = p + 3;
    return XG_OK;
}

static xg_err read_cdata(xml_scan *scan) {
    const uint8_t *start = scan->p + 9, *close = find_close(start, scan->end, "]]");
    if (scan->depth == 0) return malformed(scan, scan->p, "text outside the root element");
    if (!close) return malformed(scan, scan->p, "a CDATA section without an end");
    scan->kind = XML_CDATA;
    scan->text = between(start, close - 2);
    scan->p = close + 1;
    return XG_OK;
}

static bool is_xml_target(xg_span name) {
    return name.n == 3 && (name.p[0] | 32) == 'x' && (name.p[1] | 32) == 'm' &&
           (name.p[2] | 32) == 'l';
}

static xg_err read_instruction(xml_scan *scan) {
    const uint8_t *p = scan->p + 2;
    XG_TRY(read_name(scan, &p, &scan->name));
    if (scan->name.prefix.n || is_xml_target(scan->name.whole))
        return malformed(scan, scan->p, "an instruction with a reserved target");
    const uint8_t *close = find_close(p, scan->end, "?");
    if (!close) return malformed(scan, scan->p, "an instruction without an end");
    const uint8_t *start = skip_space(p, close - 1);
    if (start == p && start != close - 1)
        return malformed(scan, p, "an instruction with a stray character");
    scan->kind = XML_PI;
    scan->text = between(start, close - 1);
    scan->p = close + 1;
    return XG_OK;
}

xg_err xml_scan_next(xml_scan *scan) {
    if (scan->empty) { /* its name is still in scan->name */
        scan->empty = false;
        scan->kind = XML_END;
        scan->depth--;
        return XG_OK;
    }
    if (scan->depth == 0) scan->p = skip_space(scan->p, scan->end);
    if (scan->p == scan->end) {
        if (scan->depth) return malformed(scan, scan->p, "the document ends inside an element");
        if (!scan->rooted) return malformed(scan, scan->p, "no root element");
        scan->kind = XML_EOF;
        return XG_OK;
    }
    if (*scan->p != '<') return read_text(scan);
    if (starts(scan->p, scan->end, "</")) return read_end(scan);
    if (starts(scan->p, scan->end, "<?")) return read_instruction(scan);
    if (!starts(scan->p, scan->end, "<!")) return read_start(scan);
    if (starts(scan->p, scan->end, "<!--")) return read_comment(scan);
    if (starts(scan->p, scan->end, "<![CDATA[")) return read_cdata(scan);
    if (starts(scan->p, scan->end, "<!DOCTYPE"))
        return xml_fail(scan, XG_E_UNSUPPORTED, scan->p, "a DOCTYPE");
    return malformed(scan, scan->p, "an unknown kind of markup");
}
