#include "conf/data_files.h"

const char *data_files_dir(void)
{
    return PKGDATADIR;
}
