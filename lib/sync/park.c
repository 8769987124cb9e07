#include "sync/park.h"
