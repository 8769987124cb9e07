#include "sync/arc.h"
