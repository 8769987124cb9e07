#include "proto/json.h"
