/**
 * lang: the languages that lang_of() (query/field.h) can name.
 */
#pragma once

#include "base/str.h"

/** Is `name` (lower case) the name of a language? */
bool lang_known(struct span name);
/** The known language that is spelled most like it, or NULL. */
const char *lang_nearest(struct span name);
