/**
 * tally: the matches of a question in groups, with counts and sums.
 *
 * Exact for every match. Each entry counts by itself: an inode with three links that match counts
 * three times, as it does for find(1). Groups are bounded: past TALLY_MAX_GROUPS extensions the
 * rest are told together as `other`, and `complete` says so; the totals stay exact.
 *
 * Ownership: tally_create()/tally_destroy(); keys are the tally's.
 * Threads:   any; counts on the compute pool of opts.
 * Errors:    those of match_all().
 * Units:     bytes; blocks of 512 bytes; ages are counted from opts.now_ns.
 */
#pragma once

#include "query/query.h"

enum tally_by {
	TALLY_NONE, /* one group of all */
	TALLY_EXT,  /* as FIELD_EXT, in lower case */
	TALLY_TYPE,
	TALLY_USER,
	TALLY_GROUP,
	TALLY_AGE,  /* buckets of time since mtime */
	TALLY_SIZE, /* buckets of powers of ten */
	TALLY_ROOT,
	TALLY_DIR, /* the directory that the entry is in, cut to opts.depth */
	N_TALLY_BY
};

#define TALLY_MAX_GROUPS 65536u

struct tally_opts {
	enum tally_by by;
	uint64_t depth; /* TALLY_DIR: that many components below a root at most; UINT64_MAX: all */
	int64_t now_ns; /* TALLY_AGE */
};

struct tally_sum {
	uint64_t n, size, blocks;
};

enum tally_sort { TALLY_BY_SIZE, TALLY_BY_BLOCKS, TALLY_BY_COUNT, TALLY_BY_KEY };

struct tally;

/** "ext", "age"...: 0 or -EINVAL. */
int tally_by_parse(struct span word, enum tally_by *ret);

int tally_create(struct query *q, struct snapshot *s, const struct cursor_opts *opts,
	const struct tally_opts *what, struct tally **ret);
void tally_destroy(struct tally *t); /* NULL is legal */

/** Order the groups: sums descending, keys ascending (of ages and sizes: by value). */
int tally_order(struct tally *t, const struct cursor_opts *opts, enum tally_sort sort);
uint32_t tally_len(const struct tally *t);
/** The sums of group i, its key appended to `key` ("" for files without an extension). */
int tally_at(const struct tally *t, uint32_t i, struct strbuf *key, struct tally_sum *ret);

struct tally_stats {
	struct tally_sum all, other; /* other: of what has no group of its own */
	bool complete;               /* other is empty: every group is there */
	struct cursor_stats read;    /* what was read, and what could not be */
};
void tally_get_stats(const struct tally *t, struct tally_stats *ret);
