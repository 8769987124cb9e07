#include "engine/commit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/contents.h"
#include "engine/internal.h"
#include "engine/text_commit.h"
#include "index/record_make.h"
#include "index/tree_merge.h"

/* A light commit is settled so long after, or when there have been so many. */
#define SETTLE_USEC (5 * USEC_PER_SEC)
#define SETTLE_COMMITS 512u

char *
commit_name(struct root *r, const char *kind)
{
	char *name;

	return asprintf(&name, "%s-%" PRIu32 "-%" PRIu64 "-%" PRIu64 ".seg", kind, r->id,
		       catalog_clock(r->engine->catalog)->run,
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

/* A stack with the names of its files and the view of its contents; what is replaced is let go
 * without the lock, because the last reference unmaps. */
struct state {
	struct tree_stack *stack;
	struct files files;
	uint32_t n_synced;
	struct text_fresh_view view;
};

static void
state_fini(struct state *s)
{
	tree_stack_unref(s->stack);
	text_view_unref(s->view.view);
	files_fini(&s->files);
}

/* What is committed with the segments. */
struct entry {
	struct ledger_batch *batch; /* with its tick; NULL: the clock stands still */
	const struct walk_result *walk;
	enum catalog_sync how;
};

static void
entry_fini(struct entry *e)
{
	ledger_batch_unref(e->batch);
}

/* What has changed. Too much to be told, it is told that all may have. */
static int
make_batch(
	const struct root *r, const struct commit *what, struct ledger_batch **ret, struct err *err)
{
	AUTO(strbuf_fini) struct strbuf records = {0};
	uint64_t n = 0;
	int code = 0;

	if (what->kind == COMMIT_SAME)
		return 0;
	if (what->kind == COMMIT_CHANGES)
		code = record_make(what->change, &records, &n);
	if (code == 0 && what->kind == COMMIT_CHANGES && n == 0)
		return 0;
	if (code == 0 || code == -E2BIG)
		code = (*ret = ledger_batch_create(&records, n)) ? 0 : -ENOMEM;
	return code < 0 ? err_set(err, code, "could not tell what changed in \"%s\": %s", r->path,
				  err_reason(code))
	                : 0;
}

/* With the turn: this tick is nobody else's. */
static int
take_tick(struct root *r, struct ledger_batch *b)
{
	struct engine *e = r->engine;

	if (ledger_reserve(&e->ledger) < 0)
		return -ENOMEM;
	LOCK_SCOPE(&e->lock);
	b->told.tick = e->tick + 1;
	b->told.root = r->id;
	b->told.at = clock_real();
	return 0;
}

static uint64_t
tick_now(struct engine *e)
{
	LOCK_SCOPE(&e->lock);
	return e->tick;
}

/* Let the catalog name the files, which may be those that it names already. */
static int
name_files(struct root *r, const struct files *files, uint32_t n_synced, uint64_t n_entries,
	const struct entry *entry, struct err *err)
{
	AUTO(strbuf_fini) struct strbuf skipped = {0};
	const struct walk_result *whole = entry->walk && !entry->walk->aimed ? entry->walk : NULL;
	const struct ledger_batch *b = entry->batch;
	struct catalog_batch batch;
	struct catalog_root row = {
		.id = r->id,
		.n_segments = files->n,
		.n_synced = n_synced,
		.settings = r->settings,
		.n_entries = n_entries,
		.walked_usec = whole ? whole->began : r->walked_usec,
		.tick = b ? b->told.tick : tick_now(r->engine),
	};

	if (b)
		batch = (struct catalog_batch){
			b->told.tick, r->id, b->told.at, b->told.n_records, b->told.records};
	skipped_text(whole ? whole->skipped : r->skipped, &skipped);
	row.skipped = skipped.data ? skipped.data : (char[]){""};
	memcpy(row.segments, files->name, files->n * sizeof(row.segments[0]));
	return catalog_commit(r->engine->catalog, &row, b ? &batch : NULL, entry->how, err);
}

static void
note_walk_locked(struct root *r, const struct walk_result *walk)
{
	contents_walked_locked(r, walk->aimed);
	if (walk->aimed)
		return;
	r->walked_usec = walk->began;
	r->walk_took_usec = clock_mono() - walk->began_mono;
	r->walked = true;
	r->same_settings = true;
	r->state = ROOT_READY;
	live_walked_locked(r);
	memcpy(r->skipped, walk->skipped, sizeof(r->skipped));
}

/* Its segments tell what has been committed, and so does the clock. */
static void
exchange_locked(struct root *r, struct state *s)
{
	struct state old = {.stack = r->stack, .files = r->files, .n_synced = r->n_synced};

	r->stack = s->stack;
	r->files = s->files;
	r->n_synced = s->n_synced;
	r->n_entries = r->stack->n_entries;
	text_view_install_locked(r, &s->view); /* back comes the old one */
	s->stack = old.stack;
	s->files = old.files;
	s->n_synced = old.n_synced;
}

/* Exchange what the root has with *s (NULL: it stays), and publish. */
static void
install(struct root *r, struct state *s, struct entry *entry)
{
	struct engine *e = r->engine;
	struct snapshot *before = engine_snapshot(e); /* its last reference goes without the lock */

	{
		LOCK_SECTION(&e->lock, section);
		if (s)
			exchange_locked(r, s);
		if (entry->batch) {
			e->tick = entry->batch->told.tick;
			ledger_push(&e->ledger, TAKE_PTR(entry->batch));
		}
		if (entry->walk)
			note_walk_locked(r, entry->walk);
		if (engine_publish_locked(e) == 0)
			lock_section_done(&section);
	}
	snapshot_unref(before);
	engine_tell_published(e);
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

/* The catalog, then the snapshot; `s` may be NULL. */
static int
replace(struct root *r, struct state *s, struct entry *entry, struct err *err)
{
	int code = root_begin_commit(r);

	if (code < 0)
		return code;
	if (entry->batch && take_tick(r, entry->batch) < 0)
		code = err_set(err, -ENOMEM, "could not commit the index of \"%s\": out of memory",
			r->path);
	if (code == 0)
		code = name_files(r, s ? &s->files : &r->files, s ? s->n_synced : r->n_synced,
			s ? s->stack->n_entries : r->n_entries, entry, err);
	if (code == 0)
		install(r, s, entry);
	root_end_commit(r);
	return code;
}

/* The lowest n files of the root are durable afterwards. */
static int
sync_files(const struct root *r, uint32_t n, struct err *err)
{
	int code = n > r->n_synced ? tree_sync(r->engine->segment_fd, r->files.name + r->n_synced,
					     n - r->n_synced)
	                           : 0;

	return code < 0 ? err_set(err, code, "could not sync the index of \"%s\": %s", r->path,
				  err_reason(code))
	                : 0;
}

/* All is durable, and what was kept for a power cut before that can go. */
static void
note_settled(struct root *r)
{
	struct files doomed;

	{
		LOCK_SCOPE(&r->engine->lock);
		doomed = r->doomed;
		r->doomed = (struct files){0};
		r->settle_at = 0;
		r->n_light = 0;
	}
	files_unlink(&doomed, r->engine->segment_fd, NULL);
	files_fini(&doomed);
}

/* note: settling. What a durable commit has named stays until the next one; it is forgotten without
 * memory, and the file is removed at the next start. */
static void
note_light(struct root *r, const struct state *before)
{
	LOCK_SCOPE(&r->engine->lock);
	for (uint32_t i = 0; i < before->files.n; i++) {
		char *name = before->files.name[i], *copy;

		if (files_have(&r->files, name))
			continue;
		if (i >= before->n_synced)
			(void)unlinkat(r->engine->segment_fd, name, 0);
		else if (r->doomed.n < FILES_MAX && (copy = strdup(name)) != NULL)
			r->doomed.name[r->doomed.n++] = copy;
	}
	if (!r->settle_at || ++r->n_light >= SETTLE_COMMITS)
		r->settle_at = clock_deadline(r->settle_at ? 0 : SETTLE_USEC);
}

usec_t
commit_settle_at_locked(const struct root *r)
{
	lock_assert_held(&r->engine->lock);
	return r->settle_at ? r->settle_at : USEC_NEVER;
}

int
commit_settle(struct root *r, struct err *err)
{
	uint32_t n = r->files.n, from = r->n_synced;
	int code = 0;

	if (from < n)
		code = sync_files(r, n, err);
	if (code == 0 && from < n)
		code = catalog_settle(
			r->engine->catalog, r->id, r->files.name + from, n - from, err);
	{
		LOCK_SCOPE(&r->engine->lock);
		if (code == 0)
			r->n_synced = n;
		else if (r->settle_at)
			r->settle_at = clock_deadline(SETTLE_USEC); /* not at once */
	}
	if (code == 0)
		note_settled(r);
	return code;
}

int
commit_segment(
	struct root *r, const char *name, uint32_t keep, const struct commit *what, struct err *err)
{
	AUTO(entry_fini)
	struct entry entry = {
		.walk = what->walk, .how = what->light ? CATALOG_LIGHT : CATALOG_DURABLE};
	AUTO(state_fini) struct state s = {0};
	int dirfd = r->engine->segment_fd;
	int code = open_state(r, name, keep, &s, err);

	if (code == 0)
		code = make_batch(r, what, &entry.batch, err);
	if (code == 0 && !what->light)
		code = sync_files(r, keep, err);
	s.n_synced = what->light ? MIN(keep, r->n_synced) : keep + 1;
	if (code == 0)
		code = replace(r, &s, &entry, err);
	if (code < 0) {
		(void)unlinkat(dirfd, name, 0);
		return code;
	}
	counter_add(what->kind == COMMIT_SAME ? &r->engine->n_merges : &r->engine->n_commits, 1);
	/* `s` is what was there before. */
	if (what->light) {
		note_light(r, &s);
	} else {
		files_unlink(&s.files, dirfd, &r->files);
		note_settled(r);
	}
	return 0;
}

int
commit_renewal(struct root *r, const struct walk_result *walk, struct err *err)
{
	struct entry entry = {.walk = walk, .how = CATALOG_DURABLE};
	int code = commit_settle(r, err);

	return code < 0 ? code : replace(r, NULL, &entry, err);
}
