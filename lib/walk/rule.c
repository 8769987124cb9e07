#include "walk/rule.h"
