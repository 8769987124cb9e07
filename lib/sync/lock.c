#include "sync/lock.h"
