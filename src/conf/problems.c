#include "conf/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static void add_line(struct config_problems *p, const char *file, unsigned line, bool is_warning,
                     const char *fmt, va_list ap) __attribute__((format(printf, 5, 0)));

static void add_line(struct config_problems *p, const char *file, unsigned line, bool is_warning,
                     const char *fmt, va_list ap)
{
    const char *kind = is_warning ? "warning: " : "";
    char message[1024], text[2048], shown[2048];

    (void)vsnprintf(message, sizeof(message), fmt, ap);
    if (file == NULL)
        (void)str_format(text, sizeof(text), "%s%s", kind, message);
    else if (line == 0)
        (void)str_format(text, sizeof(text), "%s: %s%s", file, kind, message);
    else
        (void)str_format(text, sizeof(text), "%s:%u: %s%s", file, line, kind, message);
    str_readable(shown, sizeof(shown), text, strlen(text)); /* it quotes what somebody wrote */
    p->errors += !is_warning;
    if (p->count == PROBLEMS_MAX || (p->lines[p->count] = strdup(shown)) == NULL)
        return;
    p->warnings[p->count++] = is_warning;
}

void problems_add(struct config_problems *p, const char *file, unsigned line, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add_line(p, file, line, false, fmt, ap);
    va_end(ap);
}

void problems_warn(struct config_problems *p, const char *file, unsigned line, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add_line(p, file, line, true, fmt, ap);
    va_end(ap);
}

void config_problems_each(const struct config_problems *p, config_report report, void *arg)
{
    for (size_t i = 0; i < p->count; i++)
        report(arg, p->lines[i], p->warnings[i]);
}

void config_problems_free(struct config_problems *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->lines[i]);
    memset(p, 0, sizeof(*p));
}
