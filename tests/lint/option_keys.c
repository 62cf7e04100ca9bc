/* Prints the keys of each file for options.py: file, section and name, with tabs between. */
#include <stdio.h>
#include <stdlib.h>

#include "conf/options.h"
#include "conf/provider_file.h"
#include "conf/reply_file.h"

static void print_keys(const char *file, const struct grammar *g)
{
    struct grammar_key key;

    for (size_t i = 0; g->key(i, &key); i++)
        if (key.refusal == NULL)
            printf("%s\t%s\t%s\n", file, key.section, key.name);
}

int main(void)
{
    print_keys("calloutd.conf", &option_grammar);
    print_keys("replies.conf", &reply_file_grammar);
    print_keys("providers.conf", &provider_file_grammar);
    return EXIT_SUCCESS;
}
