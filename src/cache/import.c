#include "cache/import.h"
