/**
 * wd_table: inotify's numbers of watches to directories, and back.
 *
 * Two hash tables with open addressing over one set of rows; numbers are never 0. The kernel counts
 * the numbers up and begins again only after 2^31 of them.
 *
 * Ownership: the caller's struct, zeroes are empty; wd_table_fini().
 * Threads:   the caller's lock.
 * Units:     20 bytes a slot, of which a third to two thirds are used.
 */
#pragma once

#include "base/defs.h"

struct wd_row {
	int wd; /* 0: free */
	uint32_t mount;
	uint64_t ino;
};

struct wd_table {
	struct wd_row *rows; /* by wd */
	int *by_ino;         /* the wd of (mount, ino), 0: free; -1: was taken */
	size_t n_slots;      /* of each; a power of two */
	size_t n_rows, n_inos_used;
};

void wd_table_fini(struct wd_table *t);

/** Room for one more, so that the next wd_table_put() cannot fail: 0 or -ENOMEM. */
int wd_table_reserve(struct wd_table *t);
/** Put or replace; a directory that had another number has this one now. The old number stays until
 *  it is removed: events of it are still of that directory, or of its predecessor. true: new
 * number.
 */
bool wd_table_put(struct wd_table *t, struct wd_row row);
/** NULL: not known. Valid until the next change. */
const struct wd_row *wd_table_find(const struct wd_table *t, int wd);
/** The number of a directory, or 0. */
int wd_table_find_ino(const struct wd_table *t, uint32_t mount, uint64_t ino);
/** false: it was not there. */
bool wd_table_remove(struct wd_table *t, int wd);
