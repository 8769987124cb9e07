#include "index/tree.h"
