/**
 * path_rows: paths of entries as JSON, many that are near each other.
 *
 * What is written is json_str() of path_make(), byte for byte, but no path is made: the text of a
 * directory is kept as it stands in JSON, and a row is a copy of it and the name behind. Where a
 * path is not UTF-8, so are the digits of base 64 of all groups of three bytes of the directory;
 * the one or two bytes that are left over are encoded with each name.
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
	struct path_maker plain;   /* of directories, as they are */
	struct path_maker escaped; /* and as they stand within a JSON string */
	/* The directory at hand, and its entries: lo == hi, there is none. */
	uint32_t layer, dir, lo, hi;
	struct span text; /* as it is written, with a slash behind */
	bool lossy;       /* it is no UTF-8 */
	/* Once a path below it that is not has been asked for: */
	bool has_base64;
	struct strbuf base64;
	struct span rest; /* 0 to 2 bytes at its end */
};

/** The path of one entry. */
int path_rows_put(struct path_rows *p, struct json *out, const struct snapshot *s, uint32_t layer,
	uint32_t entry);
/** A row of one column, ["PATH"], of each of `n` entries, as long as fewer than `max_bytes` are in
 *  the buffer, which are reserved as soon as there is more than a little: how many. */
int path_rows_add(struct path_rows *p, struct json *out, const struct snapshot *s, uint32_t layer,
	const uint32_t *entry, uint32_t n, size_t max_bytes);
void path_rows_fini(struct path_rows *p);
