#include "engine/text_live.h"

#include <errno.h>

#define FILTER_BITS 16u /* a file */

struct text_live {
	const struct tree_stack *stack;
	const struct text_view *view;
	uint64_t n_files;                /* live entries with a content */
	uint64_t *dropped[TEXT_SET_MAX]; /* bits of documents */
	uint32_t n_dropped[TEXT_SET_MAX];
	uint64_t *filter; /* of 64 << shift bits; NULL: not made */
	unsigned shift;
};

void
text_live_destroy(struct text_live *l)
{
	if (!l)
		return;
	for (uint32_t i = 0; i < TEXT_SET_MAX; i++)
		free(l->dropped[i]);
	free(l->filter);
	free(l);
}

/* All are dropped until somebody has them. */
static int
drop_all(struct text_live *l, uint32_t i)
{
	const struct text_cols *c = text_cols(l->view->set->text[i]);

	l->dropped[i] = calloc(c->n_docs / 64 + 1, sizeof(uint64_t));
	if (!l->dropped[i])
		return -ENOMEM;
	for (uint32_t doc = 0; doc < c->n_docs; doc++) {
		if (!(c->docs[doc].flags & TEXT_DROPPED))
			l->dropped[i][doc / 64] |= 1ull << doc % 64;
	}
	l->n_dropped[i] = c->n_live;
	return 0;
}

static void
keep(struct text_live *l, uint32_t content)
{
	const struct text_set *s = l->view->set;
	uint32_t i = text_set_of(s, content), doc;

	if (i == s->n)
		return;
	doc = content - text_cols(s->text[i])->base;
	l->n_dropped[i] -= l->dropped[i][doc / 64] >> doc % 64 & 1;
	l->dropped[i][doc / 64] &= ~(1ull << doc % 64);
}

typedef void (*live_fn)(struct text_live *l, uint32_t layer, uint32_t entry);

/* Every live entry that has a content. */
static void
each(struct text_live *l, live_fn fn)
{
	for (uint32_t i = 0; i < l->view->n_layers; i++) {
		const struct text_map *m = l->view->map[i];
		const struct tree_dead *dead = l->stack->layer[i].dead;

		for (uint32_t e = tree_dead_skip(dead, 0); e < m->n_entries;
			e = tree_dead_skip(dead, e + 1)) {
			if (m->content[e] < TEXT_CONTENT_END)
				fn(l, i, e);
		}
	}
}

static void
keep_content(struct text_live *l, uint32_t layer, uint32_t entry)
{
	l->n_files++;
	keep(l, l->view->map[layer]->content[entry]);
}

int
text_live_create(
	const struct tree_stack *stack, const struct text_view *view, struct text_live **ret)
{
	struct text_live *l = calloc(1, sizeof(*l));
	int code = l ? 0 : -ENOMEM;

	if (code < 0)
		return code;
	l->stack = stack;
	l->view = view;
	for (uint32_t i = 0; i < view->set->n && code == 0; i++)
		code = drop_all(l, i);
	if (code < 0) {
		text_live_destroy(l);
		return code;
	}
	each(l, keep_content);
	*ret = l;
	return 0;
}

const uint64_t *
text_live_dropped(const struct text_live *l, uint32_t i)
{
	return l->dropped[i];
}

uint32_t
text_live_n_dropped(const struct text_live *l, uint32_t i)
{
	return l->n_dropped[i];
}

/* Keys are hashes: any of their bits will do. */
static uint64_t *
filter_word(const struct text_live *l, uint64_t key, uint64_t *ret_bit)
{
	*ret_bit = 1ull << (key & 63);
	return &l->filter[key >> 6 & ((1ull << l->shift) - 1)];
}

static void
add_file(struct text_live *l, uint32_t layer, uint32_t entry)
{
	const struct tree_cols *c = tree_stack_cols(l->stack, layer);
	const struct text_stamp s = {
		.dev = c->classes[tree_cls(c, entry)].dev,
		.ino = tree_ino(c, entry),
		.size = tree_size(c, entry),
		.mtime_ns = tree_mtime(c, entry),
		.ctime_ns = tree_ctime(c, entry),
	};
	uint64_t bit, *word = filter_word(l, text_file_key(&s), &bit);

	*word |= bit;
}

int
text_live_add_files(struct text_live *l)
{
	while (64ull << l->shift < l->n_files * FILTER_BITS)
		l->shift++;
	l->filter = calloc(1ull << l->shift, sizeof(*l->filter));
	if (!l->filter)
		return -ENOMEM;
	each(l, add_file);
	return 0;
}

bool
text_live_has_file(const struct text_live *l, uint64_t key)
{
	uint64_t bit;

	return *filter_word(l, key, &bit) & bit;
}
