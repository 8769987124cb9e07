#include "query/trial.h"

#include "query/grep.h"

static int
content_holds(const struct trial *t, const struct node *n)
{
	struct matcher *m;
	struct match match;
	int r;

	if (!t->text)
		return TRI_UNKNOWN;
	r = eval_matcher(t->patterns, n, &m);
	if (r == 0)
		r = grep_find(m, *t->text, 0, t->opts, &match);
	return r < 0 ? r : r > 0 ? TRI_YES : TRI_NO;
}

static int decide(const struct trial *t, const struct node *n);

/* AND stops at the first "no", OR at the first "yes"; else one "unknown" makes all unknown. */
static int
decide_group(const struct trial *t, const struct node *n, enum tri stop)
{
	enum tri all = stop == TRI_NO ? TRI_YES : TRI_NO;

	for (uint32_t i = 0; i < n->n_child; i++) {
		int r;

		/* What has no content in it was decided when the candidate was found. */
		if (n == t->query->root && stop == TRI_NO && !n->order[i]->content)
			continue;
		r = decide(t, n->order[i]);
		if (r < 0 || r == (int)stop)
			return r;
		if (r == TRI_UNKNOWN)
			all = TRI_UNKNOWN;
	}
	return all;
}

/* enum tri or an error. Recursion is bounded by QUERY_MAX_DEPTH. */
static int
decide(const struct trial *t, const struct node *n)
{
	int r;

	if (!n->content) {
		r = eval_entry(t->eval, t->worker, n, t->entry);
		return r < 0 ? r : r > 0 ? TRI_YES : TRI_NO;
	}
	switch (n->term) {
	case TERM_AND:
		return decide_group(t, n, TRI_NO);
	case TERM_OR:
		return decide_group(t, n, TRI_YES);
	case TERM_NOT:
		r = decide(t, n->child[0]);
		return r == TRI_YES ? TRI_NO : r == TRI_NO ? TRI_YES : r;
	default:
		return content_holds(t, n);
	}
}

int
trial_decide(const struct trial *t)
{
	return decide(t, t->query->root);
}
