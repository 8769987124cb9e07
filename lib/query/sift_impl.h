/**
 * sift_impl: what the files of sift share. Internal to lib/query.
 *
 *   sift_need.c     the question as queries of grams
 *   sift.c          documents, and entries of a layer
 *   sift_binary.c   files known to be binary
 *   sift_plan.c     whether grams are asked, and files that are pending are read
 *   sift_explain.c  what the index says of one term
 */
#pragma once

#include "index/text_eval.h"
#include "query/sift.h"
#include "query/sift_need.h"

/* An AND is decoded no further when so many of its grams, one after the other, left out nothing:
 * those that follow are more frequent still. */
#define SIFT_PATIENCE 4u

/* The grams of one pattern mostly stand together. Who wants the first answers reads some dozens of
 * files, in the time that it takes to decode SIFT_FIRST_WORTH postings: a list is idle, too, that
 * removes a smaller part of the documents than it is of that. An AND ends sooner: of one word with
 * the first idle one, and it does not begin when the shortest list has more than half of all
 * documents. Of SIFT_FIRST_PLENTY documents few will be read, so that no list is asked about them
 * that takes as long as reading a dozen. */
#define SIFT_FIRST_PATIENCE 2u
#define SIFT_FIRST_WORTH 400000u
#define SIFT_FIRST_PLENTY 2000u
#define SIFT_FIRST_LONGEST 20000u
#define SIFT_WORD_BYTES 32u

enum sift_plan {
	SIFT_PLAN_READ,     /* candidates are what grams leave, and what is pending */
	SIFT_PLAN_SMALL,    /* what grams leave, and what is pending and not large */
	SIFT_PLAN_LEFT_OUT, /* what grams leave */
	SIFT_PLAN_PENDING,  /* what is pending: it is counted */
	SIFT_PLAN_ALL,      /* everything: the rest of the question leaves little */
};

struct sift_root {
	unsigned kind;            /* symbols of a gram; 0: nothing can be asked */
	struct text_found *found; /* [sieve * n_segments + segment]; NULL: not asked yet */
	bool all_text; /* the question as a whole was not asked: all is found that is text */
	/* [segment], each of its units, as a line of the grep needs it; NULL: not asked yet. */
	uint64_t **lines;
};

struct sift {
	/* Fixed at create. */
	const struct query *query;
	const struct snapshot *snapshot;
	const struct cursor_opts *opts;
	uint32_t n;                 /* sieves; that of the whole question is the last */
	bool *is_sieve;             /* [n] there is one */
	bool first;                 /* the first answers are wanted */
	bool word;                  /* ... of one word */
	struct sift_needs needs[2]; /* by kind less GRAM_MIN; n = 0: not needed */

	bool decides; /* contents decide about every candidate: see sift_take_binary() */

	struct sift_root *root; /* [n_roots] */
	enum sift_plan plan;
	bool planned; /* candidates are no longer those of sift_plan() */
	uint64_t n_left_out;

	_Atomic uint64_t n_binary; /* relaxed: a sum, read when nobody adds */
};

/** Symbols of a gram of the root's contents; 0: they are not indexed, or nothing is yet. */
unsigned sift_kind(const struct snap_root *r);

/** What reading the file takes, as the index knows it. */
static inline uint64_t
sift_bytes(const struct tree_cols *c, uint32_t entry)
{
	return MIN(tree_size(c, entry), tree_blocks(c, entry) * 512);
}

/** Do contents decide about every candidate of the question? */
bool sift_decides(const struct query *q, const struct cursor_opts *opts);

_Static_assert(GRAM_MAX - GRAM_MIN == 1, "sift.needs has one for each kind");
