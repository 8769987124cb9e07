/**
 * eval: the tree of a question over the columns of one layer, a chunk of entries at a time.
 *
 * Each leaf fills a bitmap for the chunk; AND, OR and NOT work on bitmaps, the cheapest child
 * first, and a child sees only the entries that still matter (`want`). Bits outside `want` are zero
 * in every result.
 *
 * Contents are not read here: a content term is "maybe" for regular files, or for those that grams
 * leave (sift.h). The result is the upper bound (every entry that may match), also under NOT: there
 * the lower bound of the child is taken.
 *
 * Ownership: borrows query and snapshot; eval_create()/eval_destroy(). A bound layer stays valid
 *            until the next bind.
 * Threads:   bind from one thread; afterwards eval_chunk() from many, each with its own worker.
 * Errors:    -ENOMEM, -EOVERFLOW a pattern reached its match limit.
 */
#pragma once

#include "query/expr.h"
#include "query/trace.h"
#include "sync/atomic.h"

#define EVAL_CHUNK 4096u

/** Bit i is entry lo + i of the chunk. */
struct bits {
	uint64_t word[EVAL_CHUNK / 64];
};

static inline bool
bits_get(const struct bits *b, uint32_t i)
{
	return b->word[i / 64] >> (i % 64) & 1;
}

static inline void
bits_set(struct bits *b, uint32_t i)
{
	b->word[i / 64] |= 1ull << (i % 64);
}

/** Set [lo, hi). */
void bits_set_range(struct bits *b, uint32_t lo, uint32_t hi);
bool bits_any(const struct bits *b);
/** Is any of [lo, hi) set? */
bool bits_any_of(const struct bits *b, uint32_t lo, uint32_t hi);
uint64_t bits_count(const struct bits *b);
/** The first bit set at or after i, EVAL_CHUNK when there is none. */
uint32_t bits_next(const struct bits *b, uint32_t i);

enum dir_state { DIR_UNKNOWN, DIR_NO, DIR_YES };

/** What a leaf knows of the bound layer. */
struct eval_leaf {
	const bool *class_ok; /* [n_classes] the leaf is a property of the class alone */
	/* [n_dirs] enum dir_state: does the path of the directory hold the word? Found lazily.
	 * Relaxed: every thread that computes it finds the same value, nothing else hangs on it. */
	_Atomic uint8_t *dir;
	uint32_t lo, hi; /* TERM_IN: entry range */
	bool on;         /* TERM_ROOT */

	/* Names: the groups of names (tree_gram.h) that may hold the literals; NULL: all may. */
	const uint64_t *may;
	uint32_t front; /* paths: 1 + index of the front that decides it; 0: none (front.h) */
};

/** Scratch of one thread. */
struct eval_worker {
	struct matcher **matcher; /* [n_leaf], made when first needed */
	struct strbuf path, folded;
	struct leaf_cost *cost; /* [n_leaf]; NULL unless eval_trace() was called */
};

struct dupe_set;
struct sift;

struct eval {
	const struct query *query;
	const struct snapshot *snapshot;
	const struct dupe_set *dupes; /* of the whole snapshot; NULL when the query has no dupe: */

	struct sift *sift; /* NULL: contents are "maybe" for all regular files */

	/* Of the bound layer. */
	uint32_t layer;
	const struct tree_cols *cols;
	const struct tree_dead *dead; /* entries that no answer has; paths go through them */
	struct arena arena;
	struct eval_leaf *leaf; /* [n_leaf] */
	const bool *regular;    /* [n_classes] */
	/* [n_group] of an AND, the child that is so rare that it goes first; NULL: as written. */
	const struct node **first;
	/* [n_group + 1], bits of entries that the contents of an AND or OR admit, last of the whole
	 * question; NULL: all. See sift_bind(). */
	const uint64_t **admit;

	unsigned n_workers;
	struct eval_worker worker[];
};

int eval_create(
	const struct query *q, const struct snapshot *s, unsigned n_workers, struct eval **ret);
void eval_destroy(struct eval *e); /* NULL is legal */
/** Count what each leaf costs from now on: 0 or -ENOMEM. */
int eval_trace(struct eval *e);
/** What the leaves cost, of all workers together (after eval_trace(), while none works), and how
 *  many workers did anything. */
unsigned eval_get_cost(const struct eval *e, struct leaf_cost *ret);

/** Look at this snapshot layer from now on. */
int eval_bind(struct eval *e, uint32_t layer);

/** The bits that contents of a group admit; NULL: all entries. */
static inline const uint64_t *
eval_admit(const struct eval *e, const struct node *n)
{
	return n->term == TERM_AND || n->term == TERM_OR ? e->admit[n->leaf] : NULL;
}

/** The same of the whole question. */
static inline const uint64_t *
eval_admit_all(const struct eval *e)
{
	return e->admit[e->query->n_group];
}

/** Bits of 64 entries from `lo` on, those past lo + n left out. */
uint64_t eval_admit_word(const uint64_t *admit, uint32_t lo, uint32_t n);
/** Is any entry of [lo, lo + n) admitted? NULL: all are. */
bool eval_admits(const uint64_t *admit, uint32_t lo, uint32_t n);
/** How many; `admit` is not NULL. */
uint32_t eval_n_admitted(const uint64_t *admit, uint32_t lo, uint32_t n);

/** Groups of names of the bound layer in which a leaf may find something, as far as grams tell. */
size_t eval_n_may(const struct eval *e, const struct node *n);

/** Where an evaluation is: entries [lo, lo + n) with one worker's scratch. */
struct eval_at {
	const struct eval *e;
	struct eval_worker *worker;
	uint32_t lo, n;           /* n <= EVAL_CHUNK */
	const struct bits *ready; /* what the fronts say of the chunk; NULL: nothing */
};

/** What the front of a leaf says, NULL when the leaf must find out. */
static inline const struct bits *
eval_ready(const struct eval_at *at, const struct node *leaf)
{
	uint32_t front = at->e->leaf[leaf->leaf].front;

	return at->ready && front ? &at->ready[front - 1] : NULL;
}

/** Those of [lo, lo + n) that count: what an evaluation may find at most. */
void eval_live(const struct eval *e, uint32_t lo, uint32_t n, struct bits *ret);

/** Live entries of the chunk that may match the whole query. */
int eval_chunk(struct eval *e, unsigned worker, uint32_t lo, uint32_t n, struct bits *out);
/** The same, with what the fronts say of it. */
int eval_ahead(struct eval *e, const struct eval_at *at, struct bits *out);
/** The same, of the entries in `want` only, all of them live. */
int eval_some(struct eval *e, unsigned worker, uint32_t lo, uint32_t n, const struct bits *want,
	struct bits *out);
/** The same, of one part of the question, which has no dupe: in it. */
int eval_part(struct eval *e, unsigned worker, const struct node *node, uint32_t lo, uint32_t n,
	const struct bits *want, struct bits *out);
/** One entry against a subtree without content terms: 1, 0 or an error. */
int eval_entry(struct eval *e, unsigned worker, const struct node *node, uint32_t entry);

/** The matcher of a leaf's pattern for this worker. */
int eval_matcher(struct eval_worker *w, const struct node *leaf, struct matcher **ret);

/** Entries of a snapshot layer that are in the directory `where` (absolute, or relative to the
 *  root); empty when there is none. */
void eval_where(const struct snapshot *s, uint32_t layer, struct span where, uint32_t *ret_lo,
	uint32_t *ret_hi);

/* The leaves; bits outside `want` may be set, and only what is in it need be right. leaf.c:
 * columns; leaf_text.c: names and paths. */
void leaf_columns(
	const struct eval_at *at, const struct node *n, const struct bits *want, struct bits *out);
int leaf_text(
	const struct eval_at *at, const struct node *n, const struct bits *want, struct bits *out);
/** Prepare a leaf of names, paths or extensions for the bound layer: 0 or -ENOMEM. */
int leaf_bind_text(struct eval *e, const struct node *n, struct eval_leaf *leaf);
void leaf_ext(
	const struct eval_at *at, const struct node *n, const struct bits *want, struct bits *out);
void leaf_lang(
	const struct eval_at *at, const struct node *n, const struct bits *want, struct bits *out);
