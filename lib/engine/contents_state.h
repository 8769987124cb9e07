/**
 * contents_state: what a root knows of the contents of its files, and how far reading them is.
 * Internal to lib/engine.
 *
 * Ownership: of struct root.
 * Threads:   as the fields of struct root: guarded by the engine's lock; `set`, `view` and `files`
 *            are changed by the root's thread alone, once that runs, but for `view`, which a reload
 *            drops when it was made under settings that hold no longer.
 */
#pragma once

#include "catalog/catalog.h"
#include "engine/engine.h"
#include "engine/files.h"
#include "engine/text_reader.h"
#include "index/text_view.h"

/** How far a pass is. Counters may be read by any thread. */
struct read_stats {
	usec_t began_mono; /* fixed before it is shown */
	uint64_t want_files,
		want_bytes; /* to be read, by the index; guarded by the engine's lock */
	struct counter n_files, n_bytes; /* tried so far: files, and their sizes by the index */
	struct counter n_read;           /* bytes that were read */
	struct counter fates[N_READ_FATES];
};

struct contents_state {
	struct text_set *set;   /* NULL: nothing was read yet */
	struct text_view *view; /* of the root's stack; NULL: to be made */
	struct files files;     /* of the set */
	/* Counted up with every change of settings that a view depends on: who makes one takes it
	 * along, and a view of older settings is not installed. */
	uint64_t settings;
	uint32_t next_content; /* numbers are never used again */
	enum contents_phase phase;
	bool wanted;                  /* something of it is to be done without a walk */
	struct read_stats *stats;     /* of the running pass, NULL when none runs */
	uint64_t fates[N_READ_FATES]; /* of the last pass that ended */
	uint64_t n_binary;            /* live files */
	uint64_t n_left;              /* that were pending when the last pass ended */
	usec_t retry_at;              /* monotonic; 0: nothing to retry */
	usec_t patience;              /* how long it is until the retry after the next one */
	char error[256];              /* when CONTENTS_FAILED */

	/* The root's thread, and who creates it: segments that the catalog names, not opened yet.
	 */
	struct catalog_text *adopted;
	uint32_t n_adopted;
	/* The root's thread: the settings that its present work is for. */
	unsigned n_symbols;
	uint64_t max_bytes;
	struct text_view *tidied; /* nothing was due for it; a reference, or NULL */
};
