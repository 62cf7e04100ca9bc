#include "smtp/address.h"

#include <idn2.h>
#include <limits.h>
#include <string.h>

#include "base/str.h"

#define LABEL_MAX 63 /* RFC 1035 section 2.3.4 */

static bool fail(const char **why, const char *reason)
{
    *why = reason;
    return false;
}

/* Let-dig and the hyphen of Ldh-str: RFC 5321 section 4.1.2. */
static const bool ldh[UCHAR_MAX + 1] = {
    ['-'] = true,
    ['0' ... '9'] = true,
    ['A' ... 'Z'] = true,
    ['a' ... 'z'] = true,
};

/* RFC 5322 section 3.2.3. */
static const bool atext[UCHAR_MAX + 1] = {
    ['!'] = true,         ['#' ... '\''] = true, ['*'] = true, ['+'] = true,
    ['-'] = true,         ['/' ... '9'] = true,  ['='] = true, ['?'] = true,
    ['A' ... 'Z'] = true, ['^' ... '~'] = true,
};

/* Length of the atext character at `p`, 0 for anything else: also RFC 6531 section 3.3. */
static size_t atext_length(const unsigned char *p, size_t n)
{
    return p[0] < 0x80 ? atext[p[0]] : str_utf8_length(p, n);
}

/* Atom = 1*atext: how many octets of `s` are one; 0 is none. */
static size_t atom_span(const unsigned char *s, size_t len)
{
    size_t i = 0, n;

    while (i < len && (n = atext_length(s + i, len - i)) > 0)
        i += n;
    return i;
}

/* Dot-string = Atom *("." Atom): how many octets of `s` are one; 0 is none. */
static size_t dot_string_span(const unsigned char *s, size_t len, const char **why)
{
    size_t n = atom_span(s, len), i = n;

    while (n > 0 && i < len && s[i] == '.') {
        n = atom_span(s + i + 1, len - i - 1);
        i += 1 + n;
    }
    if (i < len && s[i] != '@' && s[i] != '.')
        return fail(why, s[i] >= 0x80 ? "local part is not UTF-8" : "character in local part");
    if (i == 0 && len > 0 && s[0] == '@')
        return fail(why, "empty local part");
    if (n == 0)
        return fail(why, "misplaced dot in local part");
    return i;
}

/* qtextSMTP and what quoted-pairSMTP may escape, together: the printable ASCII; RFC 6531 3.3. */
static size_t qcontent_length(const unsigned char *p, size_t n)
{
    if (p[0] >= 0x80)
        return str_utf8_length(p, n);
    return p[0] >= 0x20 && p[0] != 0x7f;
}

/*
 * Quoted-string = DQUOTE *(qtextSMTP / quoted-pairSMTP) DQUOTE: how many octets of `s`, which
 * begins with the quote, are one; 0 is none. A quoted pair is ASCII also under RFC 6531.
 */
static size_t quoted_string_span(const unsigned char *s, size_t len, const char **why)
{
    size_t i = 1;

    while (i < len && s[i] != '"') {
        bool pair = s[i] == '\\';
        size_t n;

        if (pair && ++i == len)
            break;
        n = qcontent_length(s + i, len - i);
        if (n == 0 || (pair && n > 1))
            return fail(why, "character in quoted local part");
        i += n;
    }
    return i < len ? i + 1 : fail(why, "unterminated quoted local part");
}

/* Takes the quotes and escapes off a valid quoted local part; returns the length. */
static size_t local_unquote(const char *local, char raw[ADDRESS_LOCAL_MAX + 1])
{
    size_t len = strlen(local), n = 0;

    for (size_t i = 1; i + 1 < len; i++) {
        if (local[i] == '\\')
            i++;
        raw[n++] = local[i];
    }
    raw[n] = '\0';
    return n;
}

/* Writes `raw` as a local part, quoted if it is no dot-string. */
static bool local_quote(const char *raw, size_t len, char out[ADDRESS_LOCAL_MAX + 1],
                        const char **why)
{
    const unsigned char *s = (const unsigned char *)raw;
    const char *ignored;
    size_t n = 0;

    if (len > ADDRESS_LOCAL_MAX)
        return fail(why, "local part longer than 64 octets");
    if (len > 0 && dot_string_span(s, len, &ignored) == len) {
        memcpy(out, raw, len);
        out[len] = '\0';
        return true;
    }
    out[n++] = '"';
    for (size_t i = 0, step; i < len; i += step) {
        step = qcontent_length(s + i, len - i);
        if (step == 0)
            return fail(why, "character in local part that cannot be quoted");
        if (n + 2 + step > ADDRESS_LOCAL_MAX)
            return fail(why, "local part longer than 64 octets");
        if (s[i] == '"' || s[i] == '\\')
            out[n++] = '\\';
        memcpy(out + n, raw + i, step);
        n += step;
    }
    if (n + 1 > ADDRESS_LOCAL_MAX)
        return fail(why, "local part longer than 64 octets");
    out[n++] = '"';
    out[n] = '\0';
    return true;
}

/* Snum "." Snum "." Snum "." Snum, Snum = 1*3DIGIT: decimal, 0 to 255. */
static bool parse_ipv4(const char *text, struct netaddr *out)
{
    memset(out, 0, sizeof(*out));
    for (int part = 0; part < 4; part++) {
        unsigned value = 0, digits = 0;

        for (; *text >= '0' && *text <= '9' && digits < 4; text++, digits++)
            value = value * 10 + (unsigned)(*text - '0');
        if (digits == 0 || digits > 3 || value > 255 || *text != (part < 3 ? '.' : '\0'))
            return false;
        out->bytes[part] = (uint8_t)value;
        text++;
    }
    out->family = AF_INET;
    return true;
}

/*
 * address-literal = "[" ( IPv4-address-literal / "IPv6:" IPv6-addr ) "]"; a General-address-literal
 * needs a registered tag, and "IPv6" is the only one.
 */
static bool literal_set(const char *text, size_t len, struct address *out, const char **why)
{
    static const char tag[] = "IPv6:";
    char inner[64], ip[NETADDR_TEXT_MAX];
    bool v6;

    if (len < 2 || text[len - 1] != ']' || memchr(text, '\0', len) != NULL ||
        !str_copyn(inner, sizeof(inner), text + 1, len - 2))
        return fail(why, "broken address literal");
    v6 = strncasecmp(inner, tag, strlen(tag)) == 0;
    if (v6 ? !netaddr_parse(inner + strlen(tag), &out->literal) || out->literal.family != AF_INET6
           : !parse_ipv4(inner, &out->literal))
        return fail(why, v6 ? "broken IPv6 address literal" : "broken address literal");
    netaddr_format(&out->literal, ip);
    (void)str_format(out->domain, sizeof(out->domain), "[%s%s]", v6 ? tag : "", ip);
    return true;
}

/* sub-domain = Let-dig [Ldh-str], of 63 octets at most: into small letters, and its length; 0 is
   none. Of these characters all but the capitals have the bit that makes a letter small. */
static size_t label_fold(const char *label, size_t len, char out[LABEL_MAX], const char **why)
{
    if (len == 0)
        return fail(why, "empty label in domain");
    if (len > LABEL_MAX)
        return fail(why, "label longer than 63 octets");
    for (size_t i = 0; i < len; i++) {
        if (!ldh[(unsigned char)label[i]])
            return fail(why, "character in domain");
        out[i] = (char)(label[i] | ('a' - 'A'));
    }
    if (label[0] == '-' || label[len - 1] == '-')
        return fail(why, "hyphen at the edge of a label");
    return len;
}

/* The same of a U-label, by way of its A-label: RFC 5891 section 5. */
static size_t label_to_ascii(const char *label, size_t len, char out[LABEL_MAX], const char **why)
{
    char u[ADDRESS_DOMAIN_MAX + 1];
    uint8_t *a = NULL;
    int rc;

    if (memchr(label, '\0', len) != NULL)
        return fail(why, "character in domain");
    (void)str_copyn(u, sizeof(u), label, len);
    rc = idn2_lookup_u8((const uint8_t *)u, &a, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (rc != IDN2_OK)
        return fail(why, rc == IDN2_TOO_BIG_LABEL ? "label longer than 63 octets"
                                                  : "label that IDNA2008 does not allow");
    len = label_fold((const char *)a, strlen((const char *)a), out, why);
    idn2_free(a);
    return len;
}

static bool is_ascii(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] >= 0x80)
            return false;
    return true;
}

/*
 * Appends one label to out->domain, a U-label as its A-label. What is ASCII is taken as it is:
 * there are domains whose A-labels IDNA2008 does not allow, and they take mail.
 */
static bool label_append(const char *label, size_t len, struct address *out, size_t *used,
                         const char **why)
{
    const char *bad = "";
    char read[LABEL_MAX];
    size_t n = label_fold(label, len, read, &bad);

    if (n == 0 && !is_ascii(label, len))
        n = label_to_ascii(label, len, read, &bad);
    if (n == 0)
        return fail(why, bad);
    if (*used + 1 + n > ADDRESS_DOMAIN_MAX)
        return fail(why, "domain longer than 255 octets");
    if (*used > 0)
        out->domain[(*used)++] = '.';
    memcpy(out->domain + *used, read, n);
    *used += n;
    return true;
}

/* Domain = sub-domain *("." sub-domain), sub-domain =/ U-label; or an address literal. */
static bool domain_set(const char *text, size_t len, struct address *out, const char **why)
{
    size_t used = 0;

    out->domain[0] = '\0';
    memset(&out->literal, 0, sizeof(out->literal));
    out->literal.family = AF_UNSPEC;
    if (len == 0)
        return fail(why, "empty domain");
    if (len > ADDRESS_DOMAIN_MAX)
        return fail(why, "domain longer than 255 octets");
    if (text[0] == '[')
        return literal_set(text, len, out, why);
    if (text[len - 1] == '.')
        return fail(why, "dot at the end of the domain");
    for (size_t start = 0; start <= len;) {
        const char *dot = memchr(text + start, '.', len - start);
        size_t end = dot != NULL ? (size_t)(dot - text) : len;

        if (!label_append(text + start, end - start, out, &used, why))
            return false;
        start = end + 1;
    }
    out->domain[used] = '\0';
    return true;
}

static bool join(const char *local, const char *domain, char *out, size_t size)
{
    size_t len = strlen(local);

    if (!str_copyn(out, size, local, len) || len + 1 == size)
        return false;
    out[len] = '@';
    return str_copy(out + len + 1, size - len - 1, domain);
}

static bool canonical_quoted(struct address *out, bool fold, const char **why)
{
    char raw[ADDRESS_LOCAL_MAX + 1], local[ADDRESS_LOCAL_MAX + 1];
    size_t len = local_unquote(out->local, raw);

    if (fold)
        str_lower(raw);
    return local_quote(raw, len, local, why) &&
           join(local, out->domain, out->canonical, sizeof(out->canonical));
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* A dot-string is its own canonical form, but for its case. */
static bool canonical_set(struct address *out, bool fold, const char **why)
{
    size_t n = 0;

    if (out->local[0] == '"')
        return canonical_quoted(out, fold, why);
    for (; out->local[n] != '\0'; n++)
        out->canonical[n] = fold ? lower(out->local[n]) : out->local[n];
    out->canonical[n] = '@';
    (void)str_copy(out->canonical + n + 1, sizeof(out->canonical) - n - 1, out->domain);
    return true;
}

/* With local and domain set: the total length, the canonical form, whether SMTPUTF8 is needed. */
static bool address_finish(struct address *out, const char **why)
{
    size_t local_len = strlen(out->local);

    if (local_len + 1 + strlen(out->domain) > ADDRESS_MAX)
        return fail(why, "address longer than 254 octets");
    out->smtputf8 = !is_ascii(out->local, local_len);
    return canonical_set(out, true, why);
}

bool address_parse(const char *text, size_t len, struct address *out, const char **why)
{
    const unsigned char *s = (const unsigned char *)text;
    bool quoted = len > 0 && text[0] == '"';
    size_t n;

    *why = "";
    if (len == 0)
        return fail(why, "empty");
    n = quoted ? quoted_string_span(s, len, why) : dot_string_span(s, len, why);
    if (n == 0)
        return false;
    if (n == len)
        return fail(why, "no @");
    if (text[n] != '@')
        return fail(why, "text after the quoted local part");
    if (n > ADDRESS_LOCAL_MAX)
        return fail(why, "local part longer than 64 octets");
    (void)str_copyn(out->local, sizeof(out->local), text, n);
    if (!domain_set(text + n + 1, len - n - 1, out, why))
        return false;
    if (len > ADDRESS_MAX)
        return fail(why, "address longer than 254 octets");
    return address_finish(out, why);
}

bool address_from_internal(const char *text, size_t len, struct address *out, const char **why)
{
    const char *at = len > 0 ? memrchr(text, '@', len) : NULL;
    size_t local_len, domain_len;

    *why = "";
    if (at == NULL)
        return fail(why, "no @");
    local_len = (size_t)(at - text);
    domain_len = len - local_len - 1;
    if (domain_len > 1 && text[len - 1] == '.')
        domain_len--;
    if (!local_quote(text, local_len, out->local, why) || !domain_set(at + 1, domain_len, out, why))
        return false;
    if (strlen(out->local) + 1 + domain_len > ADDRESS_MAX)
        return fail(why, "address longer than 254 octets");
    return address_finish(out, why);
}

static bool ends_in_number(const char *name)
{
    const char *dot = strrchr(name, '.');
    const char *last = dot != NULL ? dot + 1 : name;

    return last[strspn(last, "0123456789")] == '\0';
}

bool address_host_parse(const char *text, size_t len, char out[ADDRESS_DOMAIN_MAX + 1])
{
    struct address a;
    const char *why;

    return domain_set(text, len, &a, &why) && a.literal.family == AF_UNSPEC &&
           !ends_in_number(a.domain) && str_copy(out, ADDRESS_DOMAIN_MAX + 1, a.domain);
}

bool address_domain_parse(const char *text, size_t len, char out[ADDRESS_DOMAIN_MAX + 1],
                          const char **why)
{
    struct address a;

    return domain_set(text, len, &a, why) && str_copy(out, ADDRESS_DOMAIN_MAX + 1, a.domain);
}

void address_keep_case(struct address *a)
{
    const char *why;

    (void)canonical_set(a, false, &why); /* what could be folded can be kept */
}

void address_format(const struct address *a, char buf[ADDRESS_TEXT_SIZE])
{
    (void)join(a->local, a->domain, buf, ADDRESS_TEXT_SIZE);
}
