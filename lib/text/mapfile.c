#include "text/mapfile.h"
