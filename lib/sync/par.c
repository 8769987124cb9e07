#include "sync/par.h"
