#include "proto/line.h"
