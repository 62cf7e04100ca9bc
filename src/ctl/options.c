#include "ctl/options.h"

#include <stdarg.h>
#include <string.h>
#include <sysexits.h>

int ctl_options_next(int argc, char **argv, const struct option *longs, int *which)
{
    static char name[] = "calloutctl";
    char *own = argv[0];
    int c;

    argv[0] = name;
    c = getopt_long(argc, argv, "", longs, which);
    argv[0] = own;
    return c;
}

void ctl_usage_print(FILE *out, const char *label, const char *usage)
{
    while (*usage != '\0') {
        size_t len = strcspn(usage, "\n");

        fprintf(out, "%-7s%.*s\n", label, (int)len, usage);
        label = "";
        usage += len + (usage[len] == '\n');
    }
}

int ctl_usage_error(const char *usage, const char *fmt, ...)
{
    va_list args;

    if (fmt != NULL) {
        fprintf(stderr, "calloutctl: ");
        va_start(args, fmt);
        (void)vfprintf(stderr, fmt, args);
        va_end(args);
        fprintf(stderr, "\n");
    }
    ctl_usage_print(stderr, "usage:", usage);
    return EX_USAGE;
}
