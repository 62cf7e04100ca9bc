/*
 * The files that the section `exempt` names, into exempt maps.
 *
 * Threads: none.
 */
#ifndef CONF_EXEMPT_FILES_H
#define CONF_EXEMPT_FILES_H

#include "conf/load.h"

/* After the options. What is wrong in a file is told with that file and its line. */
void load_exempt_files(struct load *l);

#endif
