/**
 * path_rows: paths of entries as JSON, many that are near each other.
 *
 * What is written is json_str() of path_make(), byte for byte, but for most rows no path is made:
 * the text of a directory is kept as it stands in JSON, and a row is a copy of it and the name
 * behind. A name that needs escapes, and what is below a directory that is not UTF-8, is written
 * in the plain way.
 *
 * Not for answers in any order: each other directory costs as much as making a path.
 *
 * Ownership: zeroed, then used with one snapshot; path_rows_fini().
 * Threads:   one at a time.
 * Errors:    -ENOMEM; the last row may then be half of one.
 */
#pragma once

#include "proto/json.h"
#include "query/names.h"

struct path_rows {
	struct path_maker plain;
	struct path_maker escaped; /* of directories, as they stand within a JSON string */
	/* The directory at hand, and its entries: lo == hi, there is none. */
	uint32_t layer, lo, hi;
	struct span text;     /* as it is written, with a slash behind */
	bool lossy;           /* it is no UTF-8: there is no text */
	struct strbuf joined; /* a path that is not written in one go */
};

/** The path of one entry. */
int path_rows_put(struct path_rows *p, struct json *out, const struct snapshot *s, uint32_t layer,
	uint32_t entry);
/** A row of one column, ["PATH"], of each of `n` entries, as long as fewer than `max_bytes` are in
 *  the buffer, which are reserved as soon as there is more than a little: how many. */
int path_rows_add(struct path_rows *p, struct json *out, const struct snapshot *s, uint32_t layer,
	const uint32_t *entry, uint32_t n, size_t max_bytes);
void path_rows_fini(struct path_rows *p);
