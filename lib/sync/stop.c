#include "sync/stop.h"
