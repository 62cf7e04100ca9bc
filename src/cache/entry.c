#include "cache/entry.h"
