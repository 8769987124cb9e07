#include "query/eval.h"
#include "query/sift_impl.h"

static bool
is_content_leaf(const struct node *n)
{
	return n->term == TERM_CONTENT ||
	       (n->term == TERM_NOT && n->child[0]->term == TERM_CONTENT);
}

/* What else an AND has was true of a candidate. */
static bool
is_conjunction(const struct node *root)
{
	if (root->term != TERM_AND)
		return is_content_leaf(root);
	for (uint32_t i = 0; i < root->n_child; i++) {
		if (root->child[i]->content && !is_content_leaf(root->child[i]))
			return false;
	}
	return true;
}

bool
sift_decides(const struct query *q, const struct cursor_opts *opts)
{
	return q->root->content ? is_conjunction(q->root) : opts->grep != NULL;
}

void
sift_take_binary(struct sift *f, uint32_t layer, uint32_t lo, uint32_t n, struct bits *bits)
{
	const struct snap_layer *l = &f->snapshot->layers[layer];
	const uint64_t *binary = l->map ? l->map->binary : NULL;
	uint64_t sum = 0;

	if (!f->decides || !f->planned || !binary ||
		f->snapshot->roots[l->root].content != SNAP_CONTENT_INDEX)
		return;
	for (uint32_t i = 0; i < n; i += 64) {
		uint64_t *word = &bits->word[i / 64];
		uint64_t known = *word ? eval_admit_word(binary, lo + i, n - i) & *word : 0;

		sum += (uint64_t)__builtin_popcountll(known);
		*word &= ~known;
	}
	if (sum > 0)
		(void)add_rlx(&f->n_binary, sum);
}

uint64_t
sift_n_binary(const struct sift *f)
{
	return load_rlx(&f->n_binary);
}
