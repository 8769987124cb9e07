#include "engine/text_commit.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "engine/internal.h"
#include "gram/symbol.h"

/* What a root has of contents, or is to have; let go without the lock, as in commit.c. */
struct texts {
	struct text_set *set;
	struct files files;
	struct text_fresh_view view;
};

static void
texts_fini(struct texts *t)
{
	text_set_unref(t->set);
	text_view_unref(t->view.view);
	files_fini(&t->files);
}

struct text_view *
text_view_now(struct root *r)
{
	LOCK_SCOPE(&r->engine->lock);
	return r->contents.view ? text_view_ref(r->contents.view) : NULL;
}

int
text_view_make(const struct root *r, const struct tree_stack *stack, struct text_set *set,
	struct text_fresh_view *ret)
{
	struct text_view_opts opts = {.pool = r->engine->io, .max_bytes = UINT64_MAX};
	struct text_view *before = NULL;
	bool indexed;
	int code;

	{
		LOCK_SCOPE(&r->engine->lock);
		indexed = r->cfg.content == SNAP_CONTENT_INDEX;
		if (r->cfg.content_max_bytes)
			opts.max_bytes = r->cfg.content_max_bytes;
		before = r->contents.view ? text_view_ref(r->contents.view) : NULL;
		*ret = (struct text_fresh_view){.settings = r->contents.settings};
	}
	opts.before = before;
	code = indexed && stack ? text_view_create(stack, set, &opts, &ret->view) : 0;
	text_view_unref(before);
	return code;
}

void
text_view_install_locked(struct root *r, struct text_fresh_view *v)
{
	struct text_view *old = r->contents.view;

	lock_assert_held(&r->engine->lock);
	r->contents.view = NULL;
	if (v->settings == r->contents.settings)
		r->contents.view = TAKE_PTR(v->view);
	text_view_unref(v->view); /* never published: what it shares is held by the old one */
	v->view = old;
}

static int
record(struct root *r, const struct texts *t, struct err *err)
{
	struct catalog_text rows[CATALOG_MAX_TEXTS];

	for (uint32_t i = 0; i < t->files.n; i++)
		rows[i] = (struct catalog_text){.file = t->files.name[i],
			.n_symbols = t->set->n_symbols,
			.symbols = symbols_sum(symbols_get())};
	return catalog_commit_texts(r->engine->catalog, r->id, rows, t->files.n, err);
}

/* Exchange what the root has with *t, and publish. */
static void
install(struct root *r, struct texts *t)
{
	struct engine *e = r->engine;
	struct snapshot *before = engine_snapshot(e); /* its last reference goes without the lock */

	{
		LOCK_SECTION(&e->lock, section);
		struct texts old = {.set = r->contents.set, .files = r->contents.files};

		r->contents.set = t->set;
		r->contents.files = t->files;
		if (t->set)
			r->contents.next_content =
				MAX(r->contents.next_content, text_set_end(t->set));
		text_view_install_locked(r, &t->view);
		t->set = old.set;
		t->files = old.files;
		if (engine_publish_locked(e) == 0)
			lock_section_done(&section);
	}
	snapshot_unref(before);
	engine_tell_contents(e);
}

static int
no_memory(const struct root *r, int code, struct err *err)
{
	if (code != -ENOMEM)
		return code;
	return err_set(err, code, "could not index the contents of \"%s\": out of memory", r->path);
}

/* Catalog, snapshot, and the files that are no longer named. */
static int
replace(struct root *r, struct texts *t, struct err *err)
{
	int code = text_view_make(r, r->stack, t->set, &t->view);

	if (code < 0)
		return no_memory(r, code, err);
	code = root_begin_commit(r);
	if (code < 0)
		return code;
	code = record(r, t, err);
	if (code == 0)
		install(r, t);
	root_end_commit(r);
	if (code == 0)
		files_unlink(&t->files, r->engine->segment_fd, &r->contents.files);
	return code;
}

/* The segments that there are, `text` in the place of n from `at` on. */
static int
make_texts(const struct root *r, struct text *text, const char *name, uint32_t at, uint32_t n,
	struct texts *ret, struct err *err)
{
	const struct text_set *old = r->contents.set;
	uint32_t n_old = old ? old->n : 0, k = 0;
	struct text *all[TEXT_SET_MAX];
	char *names[TEXT_SET_MAX];
	int code;

	assert(at + n <= n_old && n_old - n < TEXT_SET_MAX);
	for (uint32_t i = 0; i <= n_old; i++) {
		if (i == at) {
			all[k] = text;
			names[k++] = strdupa(name);
		}
		if (i < n_old && (i < at || i >= at + n)) {
			all[k] = old->text[i];
			names[k++] = r->contents.files.name[i];
		}
	}
	code = text_set_create(all, k, &ret->set, err);
	return code < 0 ? code : no_memory(r, files_copy(&ret->files, names, k), err);
}

static int
open_and_replace(struct root *r, const char *name, uint32_t at, uint32_t n, struct err *err)
{
	struct text_open_opts opts = {.flags = TEXT_OPEN_WRITTEN, .pool = r->engine->io};
	AUTO(texts_fini) struct texts t = {0};
	struct text *text;
	int code = text_open(r->engine->segment_fd, name, &opts, &text, err);

	if (code < 0)
		return code;
	text_cool(text); /* its sums went through all of it */
	code = make_texts(r, text, name, at, n, &t, err);
	text_unref(text); /* the set has its own reference */
	return code < 0 ? code : replace(r, &t, err);
}

int
text_commit(struct root *r, const char *name, uint32_t at, uint32_t n, struct err *err)
{
	int code = open_and_replace(r, name, at, n, err);

	if (code < 0)
		(void)unlinkat(r->engine->segment_fd, name, 0);
	return code;
}

int
text_commit_none(struct root *r, struct err *err)
{
	AUTO(texts_fini) struct texts none = {0};

	return replace(r, &none, err);
}

int
text_commit_view(struct root *r, struct err *err)
{
	AUTO(texts_fini) struct texts t = {0};
	int code = text_view_make(r, r->stack, r->contents.set, &t.view);

	if (code < 0)
		return no_memory(r, code, err);
	code = files_copy(&t.files, r->contents.files.name, r->contents.files.n);
	if (code == 0) {
		t.set = r->contents.set ? text_set_ref(r->contents.set) : NULL;
		install(r, &t);
	}
	return no_memory(r, code, err);
}

int
text_commit_adopted(
	struct root *r, struct text_set *set, struct files *files, bool all, struct err *err)
{
	AUTO(texts_fini) struct texts t = {.set = set, .files = *files};
	int code;

	*files = (struct files){0};
	if (!all)
		return replace(r, &t, err);
	code = text_view_make(r, r->stack, t.set, &t.view);
	if (code == 0)
		install(r, &t);
	return no_memory(r, code, err);
}
