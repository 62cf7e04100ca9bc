#include "smtp/keywords.h"

#include <string.h>
#include <strings.h>

void keywords_learn(unsigned *keywords, struct limits *limits, const char *line)
{
    static const char *const names[] = {
#define X(id) #id,
        KEYWORDS(X)
#undef X
    };
    size_t n = strcspn(line, " ");

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strlen(names[i]) == n && strncasecmp(line, names[i], n) == 0)
            *keywords |= 1u << i;
    if (n == strlen("LIMITS") && strncasecmp(line, "LIMITS", n) == 0)
        limits_learn(limits, line + n);
}
