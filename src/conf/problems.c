#include "conf/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static void add_line(struct config_problems *p, const char *file, unsigned line, const char *kind,
                     const char *fmt, va_list ap) __attribute__((format(printf, 5, 0)));

static void add_line(struct config_problems *p, const char *file, unsigned line, const char *kind,
                     const char *fmt, va_list ap)
{
    char message[1024], text[2048], shown[2048];

    (void)vsnprintf(message, sizeof(message), fmt, ap);
    if (file == NULL)
        (void)str_format(text, sizeof(text), "%s%s", kind, message);
    else if (line == 0)
        (void)str_format(text, sizeof(text), "%s: %s%s", file, kind, message);
    else
        (void)str_format(text, sizeof(text), "%s:%u: %s%s", file, line, kind, message);
    str_readable(shown, sizeof(shown), text, strlen(text)); /* it quotes what somebody wrote */
    if (p->count < PROBLEMS_MAX && (p->lines[p->count] = strdup(shown)) != NULL)
        p->count++;
}

void problems_add(struct config_problems *p, const char *file, unsigned line, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add_line(p, file, line, "", fmt, ap);
    va_end(ap);
    p->errors++;
}

void problems_warn(struct config_problems *p, const char *file, unsigned line, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add_line(p, file, line, "warning: ", fmt, ap);
    va_end(ap);
}

void config_problems_each(const struct config_problems *p, void (*fn)(void *arg, const char *line),
                          void *arg)
{
    for (size_t i = 0; i < p->count; i++)
        fn(arg, p->lines[i]);
}

void config_problems_free(struct config_problems *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->lines[i]);
    memset(p, 0, sizeof(*p));
}
