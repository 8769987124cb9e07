#include "index/tree_build.h"
