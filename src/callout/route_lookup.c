#include "callout/route_lookup.h"
