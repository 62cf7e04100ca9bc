#include "callout/pace.h"
