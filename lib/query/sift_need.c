#include "query/sift_need.h"

#include <errno.h>

#include "base/vec.h"
#include "gram/regex_grams.h"

typedef VEC(const struct gram_node *) node_list;

static void
list_fini(node_list *l)
{
	VEC_FINI(l);
}

/* The parts of an AND or OR as one; a single one stays what it is. */
static void
join(struct gram_query *q, enum term term, const node_list *parts, struct sift_need *ret)
{
	if (parts->len == 1)
		return;
	ret->literal_bytes = 0;
	ret->node = term == TERM_AND ? gram_query_and(q, parts->data, parts->len)
	                             : gram_query_or(q, parts->data, parts->len);
}

/* With the n-th part's. */
static void
join_needs(struct text_need *to, enum term term, size_t n, const struct text_need *part)
{
	if (n == 1 || term == TERM_AND)
		text_need_and(to, part);
	else
		text_need_or(to, part);
}

/* A text that holds a match of the pattern holds one of one of its texts. */
static int
need_of_pattern(struct gram_query *q, const struct pattern *p, struct sift_need *ret)
{
	enum pattern_flags flags = pattern_flags(p);
	AUTO(list_fini) node_list parts = {0};

	for (size_t i = 0; i < pattern_n_texts(p); i++) {
		struct span text = pattern_text(p, i);
		int r = grams_of_pattern(text, flags, q);

		if (r == 0)
			r = VEC_PUSH(&parts, q->root);
		if (r < 0)
			return r;
		ret->node = q->root;
		ret->literal_bytes = flags & PATTERN_REGEX ? 0 : (uint32_t)text.len;
	}
	join(q, TERM_OR, &parts, ret);
	text_need_of(p, &ret->text);
	return q->failed ? -ENOMEM : 0;
}

/* The children of a group that are content terms and nothing else. */
static int
need_of_kids(struct gram_query *q, const struct node *n, struct sift_need *ret)
{
	AUTO(list_fini) node_list parts = {0};
	struct text_need text = {0};

	for (uint32_t i = 0; i < n->n_child; i++) {
		int r;

		if (!n->child[i]->pure)
			continue;
		r = sift_need_of(q, n->child[i], ret);
		if (r == 0)
			r = VEC_PUSH(&parts, ret->node);
		if (r < 0)
			return r;
		join_needs(&text, n->term, parts.len, &ret->text);
	}
	if (parts.len > 0)
		join(q, n->term, &parts, ret);
	ret->text = text;
	return q->failed ? -ENOMEM : 0;
}

/* Recursion is bounded by QUERY_MAX_DEPTH. */
int
sift_need_of(struct gram_query *q, const struct node *n, struct sift_need *ret)
{
	return n->term == TERM_CONTENT ? need_of_pattern(q, n->text.pattern, ret)
	                               : need_of_kids(q, n, ret);
}

static int
need_of_groups(struct sift_needs *s, const struct node *n)
{
	int r = 0;

	if (n->pure || !n->content || (n->term != TERM_AND && n->term != TERM_OR))
		return 0;
	r = need_of_kids(&s->grams, n, &s->need[n->leaf]);
	for (uint32_t i = 0; i < n->n_child && r == 0; i++)
		r = need_of_groups(s, n->child[i]);
	return r;
}

int
sift_need_of_grep(struct gram_query *q, const struct cursor_opts *opts, struct sift_need *ret)
{
	if (cursor_needs_match(opts))
		return need_of_pattern(q, opts->grep, ret);
	ret->node = gram_query_any(); /* text is needed, whatever it holds */
	return 0;
}

/* What is asked of every answer. */
static int
need_of_whole(struct sift_needs *s, const struct node *root, const struct cursor_opts *opts)
{
	struct sift_need terms = {0}, *whole = &s->need[s->n - 1];
	const struct gram_node *both[2];
	int r = 0;

	if (root->pure)
		r = sift_need_of(&s->grams, root, &terms);
	else if (root->term == TERM_AND)
		terms = s->need[root->leaf];
	if (r == 0 && opts->grep)
		r = sift_need_of_grep(&s->grams, opts, whole);
	if (r < 0)
		return r;
	s->lines = *whole;
	if (!opts->grep) {
		*whole = terms;
	} else if (terms.node) {
		both[0] = whole->node;
		both[1] = terms.node;
		text_need_and(&whole->text, &terms.text);
		whole->node = gram_query_and(&s->grams, both, 2);
		whole->literal_bytes = 0;
	}
	if (root->term == TERM_AND) /* not once more */
		s->need[root->leaf].node = NULL;
	return s->grams.failed ? -ENOMEM : 0;
}

int
sift_needs_init(struct sift_needs *s, const struct query *q, const struct cursor_opts *opts,
	unsigned n_symbols)
{
	int r;

	*s = (struct sift_needs){.n = q->n_group + 1};
	gram_query_init(&s->grams, n_symbols);
	s->need = calloc(s->n, sizeof(*s->need));
	if (!s->need)
		return -ENOMEM;
	r = need_of_groups(s, q->root);
	return r < 0 ? r : need_of_whole(s, q->root, opts);
}

void
sift_needs_fini(struct sift_needs *s)
{
	gram_query_fini(&s->grams);
	free(s->need);
	s->need = NULL;
}
