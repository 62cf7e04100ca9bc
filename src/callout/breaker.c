#include "callout/breaker.h"
