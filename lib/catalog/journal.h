/**
 * journal: the clock's row and the rows of the journal, for catalog only.
 *
 * A tick that was handed out has its row, or stands below the floor: both move in one transaction,
 * and nothing is published before that is done. Rows at or below the floor count for nothing and
 * are removed when there is time.
 *
 * Threads: the one that owns the connection.
 */
#pragma once

#include "catalog/catalog.h"
#include "catalog/db.h"

/** What the clock's row says. Changed within a transaction: who begins one keeps a copy for its
 *  failure. */
struct journal {
	struct catalog_clock clock;
	uint64_t n_records, n_bytes; /* of all rows */
	uint64_t oldest_tick;        /* of the rows above the floor; 0 none */
	usec_t oldest_usec;          /* its time */
};

/** The next run's; made when there is none. `boot_id` is that of this boot, or "" when it cannot be
 *  known: then every end that was not clean may have been a power cut. */
int journal_open(struct db *db, const char *boot_id, struct journal *ret, struct err *err);
/** A clean end: unless some segment is not settled, the next boot need not mind. */
int journal_close(struct db *db, struct err *err);

int journal_add(
	struct db *db, struct journal *j, const struct catalog_batch *batch, struct err *err);
/** As catalog_changes(). */
int journal_read(struct db *db, const struct journal *j, uint64_t from, uint64_t upto,
	size_t max_bytes, struct catalog_batches *ret, struct err *err);
/** Remove what is beyond `keep`, a step: 1 there is more, 0, -errno. */
int journal_trim(struct db *db, struct journal *j, const struct catalog_opts *keep, usec_t now,
	struct err *err);
