#include "engine/text_merger.h"

#include <errno.h>

#include "engine/commit.h"
#include "engine/internal.h"
#include "engine/merger.h"
#include "engine/text_commit.h"
#include "engine/text_live.h"
#include "engine/text_tier.h"
#include "index/text_merge.h"

struct text_merging {
	struct root *root;
	const char *name;
	uint32_t at, n;
	struct text_merge_source sources[TEXT_SET_MAX];
	struct text_live *live;
};

static int
no_memory(const struct root *r, struct err *err)
{
	return err_set(
		err, -ENOMEM, "could not merge the contents of \"%s\": out of memory", r->path);
}

static bool
keep_file(void *ctx, uint64_t key, uint32_t content)
{
	const struct text_merging *m = ctx;

	(void)content;
	return text_live_has_file(m->live, key);
}

static int
merge_main(void *arg, struct stop *stop)
{
	struct text_merging *m = arg;
	struct text_merge_opts opts = {.keep_file = keep_file, .ctx = m};
	struct text_written written;

	thread_doing("merges contents of %s", m->root->path);
	if (text_live_add_files(m->live) < 0)
		return no_memory(m->root, thread_err());
	return text_merge(m->sources, m->n, &opts, m->root->engine->segment_fd, m->name, stop,
		&written, thread_err());
}

static int
merge(struct root *r, struct text_live *live, uint32_t at, uint32_t n, struct err *err)
{
	AUTO(freep) char *name = commit_name(r, "text");
	struct text_merging m = {.root = r, .name = name, .at = at, .n = n, .live = live};
	int code;

	if (!name)
		return no_memory(r, err);
	for (uint32_t i = 0; i < n; i++)
		m.sources[i] = (struct text_merge_source){
			r->contents.set->text[at + i], text_live_dropped(live, at + i)};
	code = merger_write(r, merge_main, &m, true, err);
	return code < 0 ? code : text_commit(r, name, at, n, err);
}

static void
weigh(const struct root *r, const struct text_live *live, struct text_weight *w)
{
	for (uint32_t i = 0; i < r->contents.set->n; i++)
		w[i] = (struct text_weight){
			.n_bytes = text_file_bytes(r->contents.set->text[i]),
			.n_docs = text_cols(r->contents.set->text[i])->n_live,
			.n_dropped = text_live_n_dropped(live, i),
		};
}

/* 1 something was merged, 0 nothing is due, or -errno. */
static int
merge_once(struct root *r, const struct text_view *view, struct err *err)
{
	struct tree_stack *stack = tree_stack_ref(r->stack); /* changes may replace the root's */
	struct text_weight weights[TEXT_SET_MAX];
	struct text_live *live;
	uint32_t at, n;
	int code;

	if (text_live_create(stack, view, &live) < 0) {
		tree_stack_unref(stack);
		return no_memory(r, err);
	}
	weigh(r, live, weights);
	code = text_tier_is_due(weights, r->contents.set->n, &at, &n);
	if (code > 0) {
		code = merge(r, live, at, n, err);
		code = code < 0 ? code : 1;
	}
	text_live_destroy(live);
	tree_stack_unref(stack);
	return code;
}

int
text_merger_run(struct root *r, struct err *err)
{
	struct contents_state *c = &r->contents;
	int code = 1;

	/* Only this thread changes the set. */
	while (code > 0) {
		struct text_view *view = text_view_now(r);

		code = view && view->set && view != c->tidied ? merge_once(r, view, err) : 0;
		if (code == 0) {
			text_view_unref(c->tidied);
			c->tidied = view;
		} else {
			text_view_unref(view);
		}
	}
	return code;
}
