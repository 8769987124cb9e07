#include "index/snapshot.h"
