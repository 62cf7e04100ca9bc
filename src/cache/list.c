#include "cache/list.h"
