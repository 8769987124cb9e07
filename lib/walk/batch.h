/**
 * batch: filling a struct walk_batch.
 *
 * Ownership: the filler owns the batch until batch_send().
 * Threads:   one.
 */
#pragma once

#include "base/vec.h"
#include "walk/walk.h"

/* Small directories share a batch until it has as many entries as this. */
#define BATCH_ENTRIES 256u

struct filler {
	struct walk_batch *batch;    /* NULL: nothing begun */
	VEC(struct walk_list) lists; /* of the batch; moved into it when it is sent */
};

void filler_fini(struct filler *f);

/** Room in the batch for n entries and names of names_len bytes in all: 0 or -ENOMEM. */
int filler_room(struct filler *f, size_t n, size_t names_len, struct walk_entry **ret_entries,
	char **ret_names);
/** Add a list; its entries are from filler_room(): 0 or -ENOMEM. */
int filler_add(struct filler *f, struct walk_list list);
/** The list added last, if it is a piece of directory `dir` and not yet sent; else NULL. */
struct walk_list *filler_last(struct filler *f, uint64_t dir);
bool filler_is_empty(const struct filler *f);
/** The batch is worth sending. */
bool filler_is_full(const struct filler *f);
/** Send what there is: 0, -ENOMEM, or what chan_send() says; the filler is empty in any case. */
int filler_send(struct filler *f, struct chan *out, struct stop *stop);
