#include "cache/forget.h"
