#include "base/rfc3339.h"
