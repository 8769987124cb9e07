#include "text/sniff.h"
