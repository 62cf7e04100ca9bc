#include "ctl/ctl.h"
