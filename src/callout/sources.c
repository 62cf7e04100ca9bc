#include "callout/sources.h"
