/* Prints the configuration's options for options.py: section, a tab, name. */
#include <stdio.h>
#include <stdlib.h>

#include "conf/options.h"

int main(void)
{
    for (size_t i = 0; i < option_count; i++)
        if (option_table[i].refusal == NULL)
            printf("%s\t%s\n", option_table[i].section, option_table[i].name);
    return EXIT_SUCCESS;
}
