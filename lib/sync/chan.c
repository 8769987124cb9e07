#include "sync/chan.h"
