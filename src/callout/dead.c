#include "callout/dead.h"
