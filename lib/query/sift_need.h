/**
 * sift_need: the sieves of a question (sift.h) as queries of grams, and what else a text needs
 * (text/text_need.h). Internal to lib/query.
 *
 * Ownership: init/fini; nodes are those of `grams`.
 * Threads:   one; const afterwards.
 * Errors:    -ENOMEM.
 */
#pragma once

#include "gram/gram_query.h"
#include "query/expr.h"
#include "text/text_need.h"

struct sift_need {
	const struct gram_node *node; /* NULL: there is no such sieve */
	uint32_t literal_bytes;       /* all of it is one text of this length; 0: it is not */
	struct text_need text;        /* what it needs besides */
};

struct sift_needs {
	struct gram_query grams;
	uint32_t n;
	struct sift_need *need; /* [n], n_group + 1: the question as a whole is the last */
	struct sift_need lines; /* what a line must hold that opts->grep matches in */
};

/** Does it let every text through? */
static inline bool
sift_need_is_any(const struct sift_need *need)
{
	return need->node->op == GRAM_ANY && need->text.n == 0;
}

/** With grams of n symbols. Ended by fini also after an error. */
int sift_needs_init(struct sift_needs *s, const struct query *q, const struct cursor_opts *opts,
	unsigned n_symbols);
void sift_needs_fini(struct sift_needs *s);
/** What a document must hold so that content terms and their ANDs and ORs match. */
int sift_need_of(struct gram_query *q, const struct node *n, struct sift_need *ret);
/** The same for opts->grep, so that there is an answer. */
int sift_need_of_grep(struct gram_query *q, const struct cursor_opts *opts, struct sift_need *ret);
