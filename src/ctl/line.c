#include "ctl/line.h"

bool ctl_line_read(FILE *in, char line[CTL_LINE_MAX], size_t *len)
{
    int c = getc(in);

    *len = 0;
    if (c == EOF)
        return false;
    for (; c != EOF && c != '\n'; c = getc(in)) {
        if (*len < CTL_LINE_MAX)
            line[*len] = (char)c;
        if (*len <= CTL_LINE_MAX)
            ++*len;
    }
    return true;
}
