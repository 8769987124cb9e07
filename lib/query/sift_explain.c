#include "query/sift_impl.h"

static void
count_files(const struct snapshot *s, uint32_t root, uint32_t content, uint64_t *sum)
{
	const struct text_view *v = s->roots[root].view;

	for (uint32_t i = 0; i < v->n_layers; i++) {
		uint32_t lo, hi;

		text_map_entries(v->map[i], content, &lo, &hi);
		*sum += hi - lo;
	}
}

static int
ask_segment(const struct snapshot *s, uint32_t root, const struct text_cols *c,
	const struct sift_need *need, struct sift_report *ret)
{
	struct text_eval_opts opts = {
		.flags = TEXT_EVAL_NOT_DENSE, .patience = SIFT_PATIENCE, .need = &need->text};
	struct text_found found;
	int r = text_eval(c, need->node, &opts, &found);

	ret->estimate += text_eval_estimate(c, need->node, 0);
	ret->n_docs += found.n;
	for (uint32_t i = 0; i < found.n && r == 0; i++)
		count_files(s, root, c->base + found.docs[i], &ret->n_files);
	text_found_fini(&found);
	return r;
}

/* What is explained. */
struct asked {
	const struct node *node;        /* NULL: */
	const struct cursor_opts *opts; /* its grep */
};

/* As one AND: an OR of grams stands in parentheses. */
static int
print_need(const struct gram_query *grams, const struct sift_need *need, struct strbuf *out)
{
	bool apart = need->text.n > 0 && need->node->op == GRAM_OR;
	int r;

	if (apart)
		(void)strbuf_putc(out, '(');
	r = gram_query_print(grams, need->node, out);
	if (apart)
		(void)strbuf_putc(out, ')');
	return r < 0 ? r : text_need_print(&need->text, out);
}

static int
ask_root(
	const struct snapshot *s, uint32_t root, const struct asked *asked, struct sift_report *ret)
{
	const struct text_view *v = s->roots[root].view;
	struct sift_need need = {0};
	struct gram_query grams;
	int r;

	gram_query_init(&grams, v->set->n_symbols);
	r = asked->node ? sift_need_of(&grams, asked->node, &need)
	                : sift_need_of_grep(&grams, asked->opts, &need);
	if (r == 0 && ret->grams.len == 0)
		r = print_need(&grams, &need, &ret->grams);
	for (uint32_t i = 0; i < v->set->n && r == 0; i++)
		r = ask_segment(s, root, text_cols(v->set->text[i]), &need, ret);
	for (uint32_t i = 0; i < v->n_layers; i++)
		ret->n_files += v->map[i]->all.n_pending + v->map[i]->all.n_too_large;
	gram_query_fini(&grams);
	return r;
}

int
sift_explain(const struct snapshot *s, const struct node *n, const struct cursor_opts *opts,
	struct sift_report *ret)
{
	struct asked asked = {n, opts};
	int r = 0;

	for (uint32_t i = 0; i < s->n_roots && r == 0; i++) {
		if (sift_kind(&s->roots[i]) > 0)
			r = ask_root(s, i, &asked, ret);
	}
	return r < 0 ? r : ret->grams.len > 0;
}
