/**
 * text_write: the file of a text segment, from its tables and from shelves that are made one by
 * one. Internal to lib/index.
 *
 * Shelves are made side by side on the pool, begun and written in their order: one that is done
 * before its turn waits in memory for whoever finishes the one before. The disk is told to begin
 * long before the end, so that syncing the file waits for little.
 *
 * Ownership: tables are borrowed.
 * Threads:   `make` is called by several, each with a worker's number and a pack of its own.
 * Errors:    of make; -ENOMEM, -EFBIG, -ECANCELED, those of pwrite.
 */
#pragma once

#include "index/text_segment.h"
#include "index/text_shelf.h"
#include "sync/pool.h"

struct text_tables {
	unsigned n_symbols;
	uint32_t base, n_docs, n_units, n_live, overlap_bytes, n_windows;
	uint64_t n_files;
	struct text_doc *docs;
	uint64_t *marks;
	uint32_t *hash_order; /* made by text_tables_sort() */
	uint64_t *file_keys;
	uint32_t *file_contents;
	uint32_t *unit_doc;
	struct text_window *windows;
};

/** Memory of malloc for the counts that are set; 0 or -ENOMEM. */
int text_tables_alloc(struct text_tables *t);
/** hash_order and n_live, from docs. */
int text_tables_sort(struct text_tables *t, struct pool *pool, struct stop *stop);
void text_tables_fini(struct text_tables *t);

/** Fill the pack, which was begun, with the lists of a shelf. */
typedef int (*text_make_fn)(void *ctx, uint32_t shelf, unsigned worker, struct shelf_pack *pack);

int text_write(int fd, const struct text_tables *t, text_make_fn make, void *ctx, struct pool *pool,
	struct stop *stop, uint64_t *ret_bytes);
