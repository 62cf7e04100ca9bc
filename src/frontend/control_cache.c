#include "frontend/control.h"
