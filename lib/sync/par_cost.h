/**
 * par_cost: what an item of a parallel loop costs; internal to par_*.
 *
 * Two judgements. Between calls: a small table remembers, by the function that the loop calls, how
 * long an item took; it decides whether help is called at once. Within a call: a pace sizes the
 * pieces by the time that the last ones took.
 *
 * Where the table is wrong, a loop loses a wake-up (thought slow, was quick) or the time of the
 * first slow piece (thought quick, was slow). Only the last call counts: an average would go on
 * waking helpers long after a call that was merely interrupted.
 *
 * Threads: the table any, without locks: an entry is one word. A pace belongs to one thread.
 */
#pragma once

#include "base/clock.h"

#define PAR_PAYS_USEC 20u  /* work for which a helper comes in time */
#define PAR_PIECE_USEC 32u /* what a piece should take */
#define PAR_TRUST_USEC 3u  /* what a clock of microseconds tells apart from nothing */

/** Does a loop over n items deserve help at once? True when nothing is known. */
bool par_cost_pays(uintptr_t fn, size_t n);

struct par_pace {
	size_t size;   /* items of the next piece */
	size_t n_done; /* by this thread, in `busy` */
	usec_t busy, last;
	usec_t longest; /* the piece that took longest, of n_longest items */
	size_t n_longest;
};

void par_pace_start(struct par_pace *pace, size_t grain);
/** A piece of n items has ended, begun when the last one ended. */
void par_pace_step(struct par_pace *pace, size_t n, size_t grain);
/** The same for a piece that took so long. */
void par_pace_add(struct par_pace *pace, usec_t took, size_t n, size_t grain);
/** The loop has ended: remember what its items cost the caller, who counted them in units. */
void par_pace_note(const struct par_pace *pace, uintptr_t fn, size_t unit);
/** Will `n` items take as long as a helper's coming? False while too little was done to tell. */
bool par_pace_pays(const struct par_pace *pace, size_t n);
/** The piece to take of `left` items: all that the pace allows when alone; among `width` threads
 *  less towards the end, but no crumbs. */
size_t par_pace_piece(const struct par_pace *pace, size_t left, unsigned width, size_t grain);
