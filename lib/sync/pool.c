#include "sync/pool.h"
