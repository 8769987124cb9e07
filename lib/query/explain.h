/**
 * explain: the plan of a question: its terms in the order they are evaluated, how many entries each
 * is expected to take, and, when it was run, what each step really cost.
 *
 * Estimates come from a sample: 32 pieces of a block, evenly spread over what `in:` and `root:`
 * leave; of a small range all. A term of contents is estimated by the files that the index of
 * contents leaves, where there is one, else by those that could be read.
 *
 * Running means all that cursor_next() would do, the answers thrown away.
 *
 * Ownership: explain_create()/explain_destroy(); what it points to is its own.
 * Threads:   one at a time.
 * Errors:    as cursor_open() and cursor_next().
 */
#pragma once

#include "query/sweep.h"

struct explain_step {
	char *text;     /* "(ext c)"; of a group "and", "or", "not" */
	uint32_t depth; /* in the tree of terms */
	bool leaf;      /* the rest is of leaves */
	uint32_t rank;  /* of the planner: the lowest is evaluated first */
	bool estimated; /* not: it needs contents of several files at once */
	bool exact;     /* the estimate is no guess */
	uint64_t estimate;
	struct leaf_cost cost;
	/* Of a content term: what the index of contents is asked for, NULL where there is none; the
	 * documents at most by the lengths of its lists; those that are found. */
	char *grams;
	uint64_t grams_estimate, n_docs;
};

struct explain {
	struct explain_step *step; /* [n_steps], in the order of evaluation */
	uint32_t n_steps;
	struct sweep_range *range; /* [n_ranges] what in: and root: left */
	uint32_t n_ranges;
	uint64_t n_entries, n_all; /* in the ranges; in all roots */
	bool content;
	struct explain_step grep; /* what opts->grep asks of contents, as of a term; text NULL: none
	                           */

	bool ran; /* the rest is of a run */
	struct cursor_stats stats;
	struct cursor_cost cost;
	uint64_t nsec; /* from open to the last answer, by the clock */
};

/** `opts` are those of the search; opts->trace is set here. */
int explain_create(struct query *q, struct snapshot *s, const struct cursor_opts *opts, bool run,
	struct explain **ret, struct err *err);
void explain_destroy(struct explain *x); /* NULL is legal */
