/**
 * text_eval: the documents of a segment that can match, by a query of grams (gram/gram_query.h).
 *
 *     r = text_eval(c, query->root, &opts, &found);
 *     for (uint32_t i = 0; i < found.n; i++) ... found.docs[i] ...
 *     text_found_fini(&found);
 *
 * Candidates, which are to be verified: what is not among them has no match, unless its file has
 * changed. So what NOT asks for is among all documents that are not found, and, once verified,
 * among those that are.
 *
 * ANDs start with the rarest part, whose units are then looked up in the others by leaps; dense
 * parts are intersected as bitmaps. Few symbols (a range of grams) are the union of their lists;
 * of many they mostly are all.
 *
 * Ownership: text_found is the caller's, to be ended by text_found_fini() also after an error.
 * Threads:   any; pure.
 * Errors:    -ENOMEM, -ECANCELED.
 * Limits:    a query that shares nodes can be much larger than its nodes: past TEXT_EVAL_MAX_STEPS
 *            a part is taken for ANY, so more is found and nothing lost. Memory: some bitmaps of
 *            the segment's units for each level of the query.
 */
#pragma once

#include "gram/gram_query.h"
#include "index/text_segment.h"
#include "sync/stop.h"
#include "text/text_need.h"

#define TEXT_EVAL_MAX_STEPS 65536u

enum text_eval_flags {
	/* The whole query is of one text no longer than the windows' overlap, so one window holds
	 * it: an AND must hold in one unit. Else it is of the document. */
	TEXT_EVAL_IN_UNIT = 1u << 0,
	/* A range of more than N_SYMBOLS grams, whose lists are longer together than there are
	 * documents, is taken for ANY: reading them says little. */
	TEXT_EVAL_NOT_DENSE = 1u << 1,
};

struct text_eval_opts {
	enum text_eval_flags flags;
	/* End an AND when so many of its parts, one after the other, have removed nothing, or with
	 * `worth` less of what was there than they have of that many ids: what is left costs more
	 * than it saves. 0: never. */
	uint32_t patience, worth;
	/* End an AND, too, as long as it has more than `plenty`, before a single gram of more than
	 * `longest` ids. 0: never. */
	uint32_t plenty, longest;
	const struct text_need *need; /* what the documents must have, too; may be NULL */
	const uint64_t *dropped;      /* bits of documents that are not to be found; may be NULL */
	struct stop *stop;            /* may be NULL */
};

struct text_found {
	uint32_t *docs, n; /* ascending */
};

/** ANY finds all documents that have units. */
int text_eval(const struct text_cols *c, const struct gram_node *root,
	const struct text_eval_opts *opts, struct text_found *ret);
void text_found_fini(struct text_found *f);
/** The same of units, one by one, whatever `need` and `dropped` say: *ret has a bit for each, of
 *  malloc. An AND must hold in one unit, so what is asked for must lie in one as a whole. */
int text_eval_units(const struct text_cols *c, const struct gram_node *root,
	const struct text_eval_opts *opts, uint64_t **ret);
/** At most so many documents will be found: from the lengths of lists alone, for who plans. What is
 *  no more than `enough` is not made less: so who asks whether a word is frequent looks at one or
 *  two of its grams. */
uint32_t text_eval_estimate(
	const struct text_cols *c, const struct gram_node *root, uint32_t enough);
