/**
 * trial: a whole question decided for one entry, content terms on its text.
 *
 * Not reading is not "no": a content term is unknown without a text, and what hangs on it is, too.
 *
 * Ownership: borrows everything in struct trial.
 * Threads:   any; `patterns` belongs to one at a time.
 * Errors:    those of eval_entry(), matcher_find() and query_poll().
 */
#pragma once

#include "query/eval.h"

enum tri { TRI_NO, TRI_YES, TRI_UNKNOWN };

struct trial {
	const struct query *query;
	const struct cursor_opts *opts;
	struct eval *eval; /* bound to the layer of the entry */
	unsigned worker;
	struct eval_worker *patterns; /* matchers of content terms */
	uint32_t entry;               /* the sweep admitted it */
	const struct span *text;      /* NULL: not read */
};

/** enum tri or an error. */
int trial_decide(const struct trial *t);
