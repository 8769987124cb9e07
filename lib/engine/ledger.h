/**
 * ledger: the newest batches of changes, in memory, as the journal has them. Internal to
 * lib/engine.
 *
 * note: clock. The tick of the clock counts batches of changes, not snapshots. A batch is in the
 * catalog's journal with its tick before the snapshot that first carries the tick is published; and
 * a snapshot carries a tick if and only if it has what all batches up to that one have changed. So
 * what a client holds is, after kill -9, not later than what the catalog knows, and "since" it
 * means one set of changes, for ever or until nobody knows any more. What changes no entry
 * (contents that were read, a merge, a state) is published under the tick that there is.
 *
 * note: turn. Between a tick is taken and its snapshot is published, no other may be: the batches
 * of two roots would stand in one order in the journal and be seen in another. The catalog is
 * waited for meanwhile, which no lock allows; so it is a turn, which is waited for under the
 * engine's lock and held without it (engine_begin_turn()). A reload takes it as a root does.
 *
 * Of a batch without records nobody knows what has changed: clocks from before are below the
 * `floor`. The first walk of a root is such a batch, and so is its removal, for clocks of all
 * roots: what they would tell is a record for each entry, and an outer root that leaves a new inner
 * one out is walked under other settings at that. Who holds a clock asks for everything once.
 *
 * Batches are shared, and each reader decodes them for itself: with 100 subscribers at 1,000 events
 * a second all of reading and decoding is 4% of what the daemon does, which is a quarter of a CPU.
 *
 * Ownership: ledger_init()/ledger_fini(); batches are counted.
 * Threads:   one pushes, who has the turn; any number read.
 * Limits:    LEDGER_BYTES, the oldest go; a batch larger than that is not kept, and read from the
 *            journal.
 */
#pragma once

#include "base/vec.h"
#include "engine/engine.h"
#include "sync/arc.h"
#include "sync/lock.h"

#define LEDGER_BYTES ((size_t)16 << 20)

struct ledger_batch {
	struct arc arc;
	struct strbuf records; /* packed; none: not known */
	struct engine_batch told;
};

/** The records move; NULL: out of memory, and they stay. */
struct ledger_batch *ledger_batch_create(struct strbuf *records, uint64_t n_records);
void ledger_batch_unref(struct ledger_batch *b); /* NULL is legal */

struct ledger {
	/* Guarded by lock (RANK_LEAF). */
	struct lock lock;
	VEC(struct ledger_batch *) batches; /* ticks ascend; those before `first` are gone */
	size_t first, bytes;
	uint64_t from;  /* it has all batches with later ticks */
	uint64_t floor; /* clocks below cannot be answered */
};

void ledger_init(struct ledger *l);
/** It is empty, and has all batches after `tick`. */
void ledger_begin(struct ledger *l, uint64_t tick, uint64_t floor);
void ledger_fini(struct ledger *l);
size_t ledger_bytes(struct ledger *l);
/** Room for one batch, so that ledger_push() cannot fail: 0 or -ENOMEM. */
int ledger_reserve(struct ledger *l);
/** The batch of the next tick, which is set; the reference moves. */
void ledger_push(struct ledger *l, struct ledger_batch *b);
/** The next batches after tick `from`, up to and with `upto`, at most n, each with a reference for
 *  the caller: how many; -ESTALE: below the floor; -ENODATA: the journal must be asked. */
int ledger_read(
	struct ledger *l, uint64_t from, uint64_t upto, struct ledger_batch **ret, size_t n);
