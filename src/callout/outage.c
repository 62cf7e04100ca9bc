#include "callout/outage.h"
