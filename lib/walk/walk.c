#include "walk/walk.h"
