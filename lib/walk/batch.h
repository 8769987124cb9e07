/**
 * batch: filling a struct walk_batch.
 *
 * Small directories share a batch; it is one block of memory that entries and names fill from the
 * front, so that the next piece either fits or begins another batch.
 *
 * Ownership: the filler owns the batch until filler_send().
 * Threads:   one.
 */
#pragma once

#include "base/vec.h"
#include "walk/walk.h"

#define CLASS_SLOTS 64u

struct filler {
	size_t batch_bytes;       /* fixed */
	struct walk_batch *batch; /* NULL: nothing begun */
	/* Of the batch, moved into it when it is sent. */
	VEC(struct walk_list) lists;
	VEC(struct walk_class) classes;
	VEC(uint64_t) gone;
	/* The class met last in each slot, + 1; 0 none. A class that lost its slot to another is
	 * interned again: cheaper than to look further. */
	uint32_t slots[CLASS_SLOTS];
};

void filler_init(struct filler *f, size_t batch_bytes); /* 0: the default */
void filler_fini(struct filler *f);

/** Does a piece of n entries with names of names_bytes, NULs included, fit? (Into an empty filler
 *  all do.) */
bool filler_fits(const struct filler *f, size_t n, size_t names_bytes);
/** Room for it: 0 or -ENOMEM. It must fit. */
int filler_room(struct filler *f, size_t n, size_t names_bytes, struct walk_entry **ret_entries,
	char **ret_names);
/** Give back what the n entries with names of names_bytes, which filler_room() gave last, did not
 *  take: their names move. */
void filler_trim(struct filler *f, struct walk_entry *entries, size_t n, size_t names_bytes);
/** The index of a class: 0 or -ENOMEM. */
int filler_class(struct filler *f, const struct walk_class *c, uint32_t *ret);
/** Note a known entry that is gone, for the list that is added next: 0 or -ENOMEM. */
int filler_gone(struct filler *f, uint64_t id);
/** Add a list; its entries are from filler_room(): 0 or -ENOMEM. */
int filler_add(struct filler *f, struct walk_list list);
/** The list added last, if it is a piece of directory `dir` and not yet sent; else NULL. */
struct walk_list *filler_last(struct filler *f, uint32_t dir);
bool filler_is_empty(const struct filler *f);
/** The batch is worth sending. */
bool filler_is_full(const struct filler *f);
/** Send what there is: 0, -ENOMEM, or what chan_send() says; the filler is empty in any case. */
int filler_send(struct filler *f, struct chan *out, struct stop *stop);
