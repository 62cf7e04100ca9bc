#include "policy/flags.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

/* RFC 2142, and what list senders count among them besides. */
static const char *const role_names[] = {
    "abuse",        "admin",    "administrator", "billing",    "contact", "ftp",
    "help",         "helpdesk", "hostmaster",    "info",       "jobs",    "list",
    "list-request", "mail",     "mailer-daemon", "marketing",  "news",    "no-reply",
    "noc",          "noreply",  "office",        "postmaster", "privacy", "root",
    "sales",        "security", "service",       "support",    "team",    "trouble",
    "usenet",       "uucp",     "webmaster",     "www",
};

/* The local part without a +tag, and without quotes that it does not need. */
static const char *mailbox_name(const struct address *a, char buf[ADDRESS_LOCAL_MAX + 1])
{
    (void)str_copyn(buf, ADDRESS_LOCAL_MAX + 1, a->canonical, strcspn(a->canonical, "+@"));
    return buf;
}

unsigned address_flags(const struct address *a)
{
    char name[ADDRESS_LOCAL_MAX + 1];
    unsigned flags = a->smtputf8 ? 1U << FLAG_SMTPUTF8 : 0;

    (void)mailbox_name(a, name);
    for (size_t i = 0; i < sizeof(role_names) / sizeof(role_names[0]); i++)
        if (strcasecmp(name, role_names[i]) == 0)
            flags |= 1U << FLAG_ROLE;
    return flags;
}

const char *address_flag_name(enum address_flag f)
{
    static const char *const names[] = {
#define X(id, name) [FLAG_##id] = name,
        ADDRESS_FLAGS(X)
#undef X
    };

    return (size_t)f < ADDRESS_FLAG_COUNT ? names[f] : "?";
}

bool address_is_contact(const struct address *a)
{
    char name[ADDRESS_LOCAL_MAX + 1];

    (void)mailbox_name(a, name);
    return strcasecmp(name, "postmaster") == 0 || strcasecmp(name, "abuse") == 0;
}
