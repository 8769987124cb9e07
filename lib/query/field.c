#include "query/field.h"
