#include "callout/greylist.h"
