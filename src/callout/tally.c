#include "callout/tally.h"
