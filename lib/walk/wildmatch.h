/**
 * wildmatch: the patterns of gitignore(5) over bytes.
 *
 * `*` any run without '/', `?` one byte but '/', `[a-z]` `[!a]` `[^a]` `[[:alpha:]]` one byte but
 * '/', `\x` the byte x. "**" between slashes (or an end and a slash) is any number of whole
 * components, at the end anything; elsewhere it is `*`. Unlike base/glob.h it knows bytes, not
 * characters, as git does. An unclosed set or a trailing backslash matches nothing.
 *
 * No recursion; time is O(pattern x text) between two "**".
 */
#pragma once

#include "base/str.h"

bool wildmatch(struct span pattern, struct span text);
