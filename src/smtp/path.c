#include "smtp/path.h"

#include <string.h>

#include "base/str.h"

/* The colon that ends "@a,@b:", or NULL: there is no source route. */
static const char *route_end(const char *text, size_t len)
{
    return len > 0 && text[0] == '@' ? memchr(text, ':', len) : NULL;
}

/* The last @ outside quotes, or NULL. */
static const char *find_at(const char *text, size_t len)
{
    const char *at = NULL;
    bool quoted = false;

    for (size_t i = 0; i < len; i++) {
        if (quoted && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted && text[i] == '@')
            at = text + i;
    }
    return at;
}

static enum path_kind bad(struct address *out, const char *at, size_t len)
{
    memset(out, 0, sizeof(*out));
    (void)str_copyn(out->domain, sizeof(out->domain), at + 1, len);
    str_lower(out->domain);
    return PATH_BAD;
}

size_t path_inside(const char **text, size_t len)
{
    if (len < 2 || (*text)[0] != '<' || (*text)[len - 1] != '>')
        return len;
    ++*text;
    return len - 2;
}

enum path_kind path_parse(const char *text, size_t len, struct address *out, const char **why)
{
    const char *end, *at;

    len = path_inside(&text, len);
    end = route_end(text, len);
    if (end != NULL) {
        len -= (size_t)(end + 1 - text);
        text = end + 1;
    }
    if (len == 0)
        return PATH_NULL;
    at = find_at(text, len);
    if (at == NULL || at + 1 == text + len)
        return PATH_LOCAL;
    if (text[len - 1] == '.' && text + len - 1 > at + 1)
        len--;
    if (address_parse(text, len, out, why))
        return PATH_ADDRESS;
    return bad(out, at, (size_t)(text + len - at - 1));
}
