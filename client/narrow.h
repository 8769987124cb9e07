/**
 * narrow: the options of grep that choose files (-g, -t, -T), as a part of a query.
 *
 * A glob without a slash is about names; with one it is about the path, beginning at any directory,
 * or at a root when a slash stands in front. `!` in front leaves out, directories with all that is
 * in them too, and the last glob that fits a file decides, as in ripgrep. `{a,b}` is either. Case
 * is that of the query language: a glob without a capital fits any.
 *
 * Threads: any.
 */
#pragma once

#include "args.h"
#include "base/str.h"

struct narrowing {
	struct texts globs, types, types_not;
};

/** Appended to the query; nothing when nothing is chosen. 0, -ENOMEM, or -EINVAL with the type that
 *  is not known. */
int narrow_query(const struct narrowing *n, struct strbuf *out, const char **ret_unknown);
/** All types with their globs, a line each. */
void narrow_list(struct strbuf *out);
void narrow_fini(struct narrowing *n);
