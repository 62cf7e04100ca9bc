#include "callout/schedule.h"
