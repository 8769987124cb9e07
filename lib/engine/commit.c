#include "engine/commit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/contents.h"
#include "engine/internal.h"
#include "engine/text_commit.h"
#include "index/tree_merge.h"

char *
commit_name(struct root *r, const char *kind)
{
	char *name;

	return asprintf(&name, "%s-%" PRIu32 "-%" PRIu64 "-%" PRIu64 ".seg", kind, r->id,
		       catalog_epoch(r->engine->catalog),
		       add_rlx(&r->engine->next_file.value, 1)) < 0
	               ? NULL
	               : name;
}

static void
skipped_text(const uint64_t skipped[N_WALK_SKIPS], struct strbuf *out)
{
	for (unsigned i = 1; i < N_WALK_SKIPS; i++) {
		if (skipped[i] > 0)
			(void)strbuf_printf(out, "%s%s=%" PRIu64, out->len ? " " : "",
				walk_skip_word((enum walk_skip)i), skipped[i]);
	}
}

static uint64_t
next_tick(struct engine *e)
{
	LOCK_SCOPE(&e->lock);
	return e->tick + 1;
}

/* Let the catalog name the files, which may be those that it names already. */
static int
record(struct root *r, const struct files *files, uint64_t n_entries,
	const struct walk_result *walk, struct err *err)
{
	AUTO(strbuf_fini) struct strbuf skipped = {0};
	bool whole = walk && !walk->aimed;
	struct catalog_root row = {
		.id = r->id,
		.n_segments = files->n,
		.settings = r->settings,
		.n_entries = n_entries,
		.walked_usec = whole ? walk->began : r->walked_usec,
		.tick = next_tick(r->engine),
	};

	skipped_text(whole ? walk->skipped : r->skipped, &skipped);
	row.skipped = skipped.data ? skipped.data : (char[]){""};
	memcpy(row.segments, files->name, files->n * sizeof(row.segments[0]));
	return catalog_commit(r->engine->catalog, &row, err);
}

static void
note_walk_locked(struct root *r, const struct walk_result *walk)
{
	contents_walked_locked(r);
	if (walk->aimed)
		return;
	r->walked_usec = walk->began;
	r->walk_took_usec = clock_mono() - walk->began_mono;
	r->walked = true;
	r->same_settings = true;
	r->state = ROOT_READY;
	memcpy(r->skipped, walk->skipped, sizeof(r->skipped));
}

/* A stack with the names of its files and the view of its contents; what is replaced is let go
 * without the lock, because the last reference unmaps. */
struct state {
	struct tree_stack *stack;
	struct files files;
	struct text_fresh_view view;
};

static void
state_fini(struct state *s)
{
	tree_stack_unref(s->stack);
	text_view_unref(s->view.view);
	files_fini(&s->files);
}

/* Exchange what the root has with *s (NULL: it stays), and publish. */
static void
install(struct root *r, struct state *s, const struct walk_result *walk)
{
	struct engine *e = r->engine;
	struct snapshot *before = engine_snapshot(e); /* its last reference goes without the lock */

	{
		LOCK_SECTION(&e->lock, section);
		if (s) {
			struct state old = {.stack = r->stack, .files = r->files};

			r->stack = s->stack;
			r->files = s->files;
			r->n_entries = r->stack->n_entries;
			text_view_install_locked(r, &s->view); /* back comes the old one */
			s->stack = old.stack;
			s->files = old.files;
		}
		if (walk)
			note_walk_locked(r, walk);
		if (engine_publish_locked(e) == 0)
			lock_section_done(&section);
	}
	snapshot_unref(before);
}

/* The file by its sums, which prove that it is what its builder made (FORMAT.md 4; the next start
 * checks all), upon the lowest `keep` segments. */
static int
open_state(struct root *r, const char *name, uint32_t keep, struct state *ret, struct err *err)
{
	struct tree_open_opts opts = {.flags = TREE_OPEN_WRITTEN, .pool = r->engine->io};
	struct tree *tree;
	int code = tree_open_with(r->engine->segment_fd, name, &opts, &tree, err);

	if (code < 0)
		return code;
	code = keep > 0 ? tree_merge_stack(r->stack, keep, tree, &ret->stack, err)
	                : tree_stack_create(&tree, 1, &ret->stack, err);
	tree_unref(tree); /* the stack has its own reference */
	if (code == 0)
		code = files_copy(&ret->files, r->files.name, keep);
	if (code == 0 && !(ret->files.name[keep] = strdup(name)))
		code = -ENOMEM;
	if (code == -ENOMEM)
		return err_set(
			err, code, "could not open the index of \"%s\": out of memory", r->path);
	ret->files.n += code == 0;
	/* Names are searched without it, too: then it is made before contents are read. */
	if (code == 0)
		(void)text_view_make(r, ret->stack, r->contents.set, &ret->view);
	return code;
}

static int
replace(struct root *r, struct state *s, const struct walk_result *walk, struct err *err)
{
	int code = root_begin_commit(r);

	if (code < 0)
		return code;
	code = record(r, &s->files, s->stack->n_entries, walk, err);
	if (code == 0)
		install(r, s, walk);
	root_end_commit(r);
	return code;
}

int
commit_segment(struct root *r, const char *name, uint32_t keep, const struct walk_result *walk,
	struct err *err)
{
	AUTO(state_fini) struct state s = {0};
	int dirfd = r->engine->segment_fd;
	int code = open_state(r, name, keep, &s, err);

	if (code == 0)
		code = replace(r, &s, walk, err);
	if (code < 0) {
		(void)unlinkat(dirfd, name, 0);
		return code;
	}
	counter_add(walk ? &r->engine->n_commits : &r->engine->n_merges, 1);
	files_unlink(&s.files, dirfd, &r->files); /* `s` is what was there before */
	return 0;
}

int
commit_renewal(struct root *r, const struct walk_result *walk, struct err *err)
{
	int code = root_begin_commit(r);

	if (code < 0)
		return code;
	code = record(r, &r->files, r->n_entries, walk, err);
	if (code == 0)
		install(r, NULL, walk);
	root_end_commit(r);
	return code;
}
