#include "inspect/coarse_clock.h"

struct coarse coarse;
