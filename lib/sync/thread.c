#include "sync/thread.h"
