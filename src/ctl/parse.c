#include "ctl/parse.h"

#include <stdbool.h>
#include <sysexits.h>

#include "ctl/line.h"
#include "ctl/options.h"
#include "smtp/address.h"

const char ctl_parse_usage[] = "calloutctl parse [-]\n";

/* NULL for a valid address. */
static const char *line_judge(const char *line, size_t len, struct address *address)
{
    const char *why = NULL;

    if (len > CTL_LINE_MAX)
        return "line longer than 4096 octets";
    if (len > 0 && line[len - 1] == '\r')
        return "carriage return at the end of the line";
    return address_parse(line, len, address, &why) ? NULL : why;
}

int ctl_parse(FILE *in, FILE *out)
{
    char line[CTL_LINE_MAX];
    struct address address;
    size_t len;

    while (ctl_line_read(in, line, &len)) {
        const char *why = line_judge(line, len, &address);

        if (fprintf(out, "%s\t%s\n", why == NULL ? "valid" : "invalid",
                    why == NULL ? address.canonical : why) < 0)
            return EX_IOERR;
    }
    return ferror(in) || fflush(out) != 0 ? EX_IOERR : 0;
}
