#include "engine/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "engine/commit.h"
#include "engine/contents.h"
#include "engine/indexer.h"
#include "engine/merger.h"
#include "gram/gram.h"

/* Every other root: most lie elsewhere, but a bind mount may lead to any of them. */
static char **
roots_beside(const struct engine_config *all, const char *path)
{
	const char **others = calloc(all->n_roots + 1, sizeof(*others));
	char **copy;
	size_t n = 0;

	if (!others)
		return NULL;
	for (size_t i = 0; i < all->n_roots; i++) {
		if (strcmp(all->roots[i].path, path) != 0)
			others[n++] = all->roots[i].path;
	}
	copy = strings_copy(others);
	free(others);
	return copy;
}

/* Does `path` lie strictly below `root`? */
static bool
is_below(const char *path, const char *root)
{
	size_t n = strcmp(root, "/") == 0 ? 0 : strlen(root);

	return strncmp(path, root, n) == 0 && path[n] == '/' && path[n + 1] != '\0';
}

static uint64_t
hash_strings(char *const *strings, uint64_t seed)
{
	/* The NUL is hashed too, so that {"ab"} and {"a", "b"} differ. */
	for (char *const *s = strings; s && *s; s++)
		seed = hash64(*s, strlen(*s) + 1, seed);
	return hash64("", 1, seed);
}

/* Who walks decides what can be read. Of one in more groups than fit no walk is like another. */
static uint64_t
hash_identity(uint64_t seed)
{
	gid_t groups[256];
	int n = getgroups(ARRAY_LEN(groups), groups);
	const usec_t now = n < 0 ? clock_real() : 0;
	const uint64_t who[] = {geteuid(), getegid(), now};

	seed = hash64(who, sizeof(who), seed);
	return hash64(groups, (size_t)MAX(n, 0) * sizeof(groups[0]), seed);
}

static uint64_t
settings_hash(const struct root *r)
{
	const struct engine_root *c = &r->cfg;
	uint64_t h = hash_identity(hash_strings(c->exclude, 1));

	/* Those elsewhere matter only through bind mounts: adding one walks nothing else again. */
	for (char *const *other = r->other_roots; *other; other++)
		h = is_below(*other, r->path) ? hash64(*other, strlen(*other) + 1, h) : h;
	h = hash_strings(r->engine->own_dirs, h);
	return hash64((const bool[]){c->gitignore, c->exclude_caches, c->one_file_system}, 3, h);
}

bool
root_same_settings(const struct root *a, const struct root *b)
{
	return a->settings == b->settings && strcmp(a->path, b->path) == 0;
}

static int
cfg_copy(struct engine_root *to, const struct engine_root *from)
{
	*to = *from;
	to->name = strdup(from->name);
	to->path = strdup(from->path);
	to->exclude = strings_copy((const char *const *)from->exclude);
	to->n_symbols = from->n_symbols ? from->n_symbols : GRAM_MAX;
	return to->name && to->path && to->exclude ? 0 : -ENOMEM;
}

static void
cfg_fini(struct engine_root *c)
{
	free(c->name);
	free(c->path);
	strings_free(c->exclude);
}

static int
root_fill(struct root *r, const struct engine_config *all, const struct engine_root *cfg,
	struct err *err)
{
	int code = cfg_copy(&r->cfg, cfg);

	if (code < 0)
		return err_set(err, code, "could not set up root \"%s\": out of memory", cfg->name);
	r->path = strdup(cfg->path);
	r->other_roots = roots_beside(all, cfg->path);
	if (!r->path || !r->other_roots)
		return err_set(
			err, -ENOMEM, "could not set up root \"%s\": out of memory", cfg->name);
	code = rules_create((const char *const *)r->cfg.exclude, &r->rules, err);
	if (code < 0) {
		(void)err_prefix(err, "root \"%s\"", cfg->name);
		return code;
	}
	r->settings = settings_hash(r);
	r->contents.phase = cfg->content == SNAP_CONTENT_INDEX ? CONTENTS_READING : CONTENTS_OFF;
	return catalog_root(r->engine->catalog, r->path, &r->id, err);
}

int
root_create(struct engine *e, const struct engine_config *all, size_t which, struct root **ret,
	struct err *err)
{
	struct root *r = calloc(1, sizeof(*r));
	int code;

	if (!r)
		return err_set(err, -ENOMEM, "could not set up root \"%s\": out of memory",
			all->roots[which].name);
	r->engine = e;
	cond_init(&r->changed);
	stop_init(&r->stop, &e->stop);
	list_init(&r->link);
	r->live.number = 1;
	code = root_fill(r, all, &all->roots[which], err);
	if (code < 0) {
		root_destroy(r);
		return code;
	}
	*ret = r;
	return 0;
}

void
root_destroy(struct root *r)
{
	if (!r)
		return;
	root_join(r);
	contents_fini(&r->contents);
	live_root_fini(&r->live);
	stop_fini(&r->stop);
	cond_fini(&r->changed);
	tree_stack_unref(r->stack);
	rules_destroy(r->rules);
	strings_free(r->other_roots);
	cfg_fini(&r->cfg);
	files_fini(&r->files);
	files_fini(&r->doomed);
	free(r->path);
	free(r);
}

void
root_stop_locked(struct root *r)
{
	lock_assert_held(&r->engine->lock);
	r->stopping = true;
	root_end_leisure_locked(r);
	cond_broadcast(&r->changed);
	cond_broadcast(&r->engine->turn);
}

void
root_stop(struct root *r)
{
	stop_request(&r->stop);
	LOCK_SCOPE(&r->engine->lock);
	root_stop_locked(r);
}

void
root_join(struct root *r)
{
	root_stop(r);
	(void)thread_join(&r->thread);
}

bool
root_ended(struct root *r)
{
	int ignored;

	return thread_join_until(&r->thread, clock_mono(), &ignored) == 0;
}

/* From now on the token fires when something else is to be done, unless that is so already. */
int
root_begin_leisure(struct root *r, struct stop *stop, bool serves)
{
	LOCK_SCOPE(&r->engine->lock);

	if (!serves && r->live.first_usec) {
		live_leisure_later_locked(r);
		return -ECANCELED;
	}
	if (r->wanted || r->stopping)
		return -ECANCELED;
	r->leisure = stop;
	r->leisure_serves = serves;
	return 0;
}

void
root_end_leisure(struct root *r)
{
	LOCK_SCOPE(&r->engine->lock);
	r->leisure = NULL;
}

void
root_end_leisure_locked(struct root *r)
{
	lock_assert_held(&r->engine->lock);
	if (r->leisure)
		stop_request(r->leisure);
}

void
root_hurry_locked(struct root *r)
{
	lock_assert_held(&r->engine->lock);
	if (!r->leisure || r->leisure_serves)
		return;
	stop_request(r->leisure);
	live_leisure_later_locked(r);
}

int
root_begin_commit(struct root *r)
{
	struct engine *e = r->engine;

	LOCK_SCOPE(&e->lock);
	while ((r->held || e->turn_taken) && !r->stopping)
		cond_wait(&e->turn, &e->lock);
	if (r->stopping)
		return -ECANCELED;
	e->turn_taken = true;
	r->committing = true;
	return 0;
}

void
root_end_commit(struct root *r)
{
	LOCK_SCOPE(&r->engine->lock);
	r->committing = false;
	cond_broadcast(&r->changed);
	engine_end_turn_locked(r->engine);
}

void
root_request_locked(struct root *r)
{
	lock_assert_held(&r->engine->lock);
	r->wanted = true;
	root_end_leisure_locked(r);
	cond_broadcast(&r->changed);
}

void
root_urge_locked(struct root *r)
{
	lock_assert_held(&r->engine->lock);
	r->urgent = true;
	if (r->hurry)
		stop_request(r->hurry);
}

/* "word=n word=n" of the catalog back into counts; unknown words are of a newer version: ignored.
 */
static void
skipped_parse(const char *text, uint64_t skipped[N_WALK_SKIPS])
{
	for (unsigned i = 0; i < N_WALK_SKIPS && text; i++) {
		const char *word = walk_skip_word((enum walk_skip)i);
		const char *at = strstr(text, word);
		size_t n = strlen(word);

		if (at && at[n] == '=' && (at == text || at[-1] == ' '))
			skipped[i] = strtoull(at + n + 1, NULL, 10);
	}
}

static int
open_stack(struct engine *e, const struct catalog_root *known, struct tree_stack **ret,
	struct err *err)
{
	struct tree_open_opts opts = {.pool = e->io};
	struct tree *trees[TREE_MAX_LAYERS];
	uint32_t n = 0;
	int r = 0;

	for (; r == 0 && n < known->n_segments; n += r == 0)
		r = tree_open_with(e->segment_fd, known->segments[n], &opts, &trees[n], err);
	if (r == 0)
		r = tree_stack_create(trees, n, ret, err);
	while (n > 0)
		tree_unref(trees[--n]);
	return r;
}

void
root_adopt(struct root *r, const struct catalog_root *known)
{
	struct engine *e = r->engine;
	struct err err = {0};
	int code;

	if (contents_adopt(r, known) < 0)
		engine_event(e, true,
			"could not use the saved contents of root \"%s\": out of memory; they are "
			"read again",
			r->cfg.name);
	if (known->n_segments == 0)
		return;
	code = files_copy(&r->files, known->segments, known->n_segments);
	if (code == 0)
		code = open_stack(e, known, &r->stack, &err);
	if (code < 0) {
		files_fini(&r->files);
		engine_event(e, true,
			"could not use the saved index of root \"%s\": %s; it is made again",
			r->cfg.name, err.what[0] ? err.what : err_reason(code));
		return;
	}
	r->n_entries = r->stack->n_entries;
	r->n_synced = known->n_synced;
	r->settle_at = r->n_synced < r->files.n ? clock_mono() : 0;
	r->walked_usec = known->walked_usec;
	r->same_settings = known->settings == r->settings;
	if (!r->same_settings)
		engine_event(e, false,
			"root \"%s\": its rules have changed since it was walked; stale until the "
			"walk is done",
			r->cfg.name);
	skipped_parse(known->skipped, r->skipped);
}

struct walk_opts
root_walk_opts(const struct root *r)
{
	return (struct walk_opts){
		.root = r->path,
		.rules = r->rules,
		.gitignore = r->cfg.gitignore,
		.exclude_caches = r->cfg.exclude_caches,
		.one_file_system = r->cfg.one_file_system,
		.other_roots = (const char *const *)r->other_roots,
		.own_dirs = (const char *const *)r->engine->own_dirs,
		.width = r->engine->walk_width,
		.share = &r->engine->walks,
	};
}

/* A walk that failed for want of room is tried again after so long, and after twice that. */
#define RETRY_USEC USEC_PER_SEC
#define RETRY_MAX_USEC (300 * USEC_PER_SEC)

enum wish {
	WISH_NOTHING,
	WISH_END,
	WISH_SETTLE,
	WISH_WALK,
	WISH_CHANGES,
	WISH_STALE,
	WISH_LEISURE,
	WISH_VERIFY
};

/* Is a walk due? *ret_at: when something is to be looked at again. */
static bool
walk_wanted_locked(const struct root *r, usec_t *ret_at)
{
	*ret_at = r->retry_at ? MIN(*ret_at, r->retry_at) : *ret_at;
	return r->wanted || (r->retry_at && clock_mono() >= r->retry_at) ||
	       live_walk_wanted_locked(r, ret_at);
}

/* Is it time to make light commits durable? */
static bool
settle_wanted_locked(const struct root *r, usec_t *ret_at)
{
	usec_t due = commit_settle_at_locked(r);

	*ret_at = MIN(*ret_at, due);
	return due != USEC_NEVER && clock_mono() >= due;
}

/* *ret_at: when it is to be asked again. */
static enum wish
wish_locked(const struct root *r, usec_t *ret_at)
{
	bool contents = contents_wanted_locked(r, ret_at);

	if (r->stopping)
		return WISH_END;
	if (settle_wanted_locked(r, ret_at))
		return WISH_SETTLE;
	if (walk_wanted_locked(r, ret_at))
		return WISH_WALK;
	if (live_wanted_locked(r, ret_at))
		return WISH_CHANGES;
	if (live_ages_locked(r, ret_at))
		return WISH_STALE;
	if (live_leisure_wanted_locked(r, ret_at) || contents)
		return WISH_LEISURE;
	return live_verify_wanted_locked(r, ret_at) ? WISH_VERIFY : WISH_NOTHING;
}

static enum wish
next_wish(struct root *r)
{
	struct engine *e = r->engine;
	enum wish wish;
	usec_t at;

	LOCK_SCOPE(&e->lock);
	thread_set_idle(true);
	while ((wish = wish_locked(r, &at)) == WISH_NOTHING)
		(void)cond_wait_until(&r->changed, &e->lock, at);
	thread_set_idle(false);
	if (wish == WISH_LEISURE)
		r->live.leisure_at = 0;
	if (wish != WISH_WALK)
		return wish;
	r->wanted = false;
	r->live.begins = true;
	r->retry_at = 0;
	r->state = ROOT_INDEXING;
	r->error[0] = '\0';
	return WISH_WALK;
}

/* A reload may rename the root. */
static void
copy_name_locked(const struct root *r, char *to, size_t size)
{
	(void)snprintf(to, size, "%s", r->cfg.name);
}

/* `tell`: it is worth a line. */
static void
report_done(struct root *r, bool tell)
{
	struct engine *e = r->engine;
	uint64_t n, took, left_out = 0;
	char name[128];

	{
		LOCK_SCOPE(&e->lock);
		copy_name_locked(r, name, sizeof(name));
		took = r->walk_took_usec;
		r->patience = 0;
		n = r->n_entries;
		for (unsigned i = 1; i < N_WALK_SKIPS; i++)
			left_out += r->skipped[i];
	}
	if (!tell)
		return;
	engine_event(e, false, "root \"%s\": %" PRIu64 " entries in %.3f s, %" PRIu64 " left out",
		name, n, (double)took / (double)USEC_PER_SEC, left_out);
}

/* What may be better by itself. */
static bool
is_want_of_room(int code)
{
	return code == -ENOSPC || code == -EDQUOT || code == -ENOMEM || code == -EMFILE ||
	       code == -ENFILE;
}

static void
retry_locked(struct root *r)
{
	r->patience = MIN(MAX(2 * r->patience, RETRY_USEC), RETRY_MAX_USEC);
	r->retry_at = clock_deadline(r->patience);
}

static void
report_failed(struct root *r, int code, const struct err *err)
{
	struct engine *e = r->engine;
	struct snapshot *before = engine_snapshot(e); /* its last reference goes without the lock */
	char name[128];
	bool retired;

	{
		LOCK_SECTION(&e->lock, section);
		copy_name_locked(r, name, sizeof(name));
		retired = r->stopping;
		r->state = ROOT_FAILED;
		(void)snprintf(r->error, sizeof(r->error), "%s",
			code == -ECANCELED ? "stopped" : err->what);
		if (is_want_of_room(code))
			retry_locked(r);
		if (engine_publish_locked(e) == 0)
			lock_section_done(&section);
	}
	snapshot_unref(before);
	if (code != -ECANCELED && !retired)
		engine_event(e, true, "could not index root \"%s\": %s; what was known is served",
			name, err->what);
}

static void
walk(struct root *r)
{
	struct tree_stack *before = r->stack ? tree_stack_ref(r->stack) : NULL;
	struct err err = {0};
	int code;

	live_begin_walk(r);
	code = indexer_run(r, &err);
	if (code < 0)
		report_failed(r, code, &err);
	else
		report_done(r, !live_is_polled(r) || r->stack != before);
	live_end_walk(r, code, r->stack != before);
	tree_stack_unref(before);
	LOCK_SCOPE(&r->engine->lock);
	r->urgent = r->urgent && r->wanted;
}

/* The segments are right as they are: nothing but their number waits for the next time. */
static void
tidy(struct root *r)
{
	struct err err = {0};
	int code = merger_run(r, &err);
	char name[128];

	if (code == 0 || code == -ECANCELED)
		return;
	{
		LOCK_SCOPE(&r->engine->lock);
		copy_name_locked(r, name, sizeof(name));
	}
	engine_event(
		r->engine, true, "could not merge the segments of root \"%s\": %s", name, err.what);
}

/* At the latest when the root ends. A failure is tried again: all is served as it is. The files of
 * a root that is removed may be gone by then. */
void
root_settle(struct root *r)
{
	struct err err = {0};
	char name[128];

	int code = commit_settle(r, &err);

	if (code == 0 || code == -ENOENT)
		return;
	{
		LOCK_SCOPE(&r->engine->lock);
		copy_name_locked(r, name, sizeof(name));
	}
	engine_event(r->engine, true, "could not make what changed in root \"%s\" durable: %s",
		name, err.what);
}

static int
root_main(void *arg)
{
	struct root *r = arg;
	enum wish wish;

	contents_open(r);
	while ((wish = next_wish(r)) != WISH_END) {
		if (wish == WISH_SETTLE) {
			root_settle(r);
			continue;
		}
		if (wish == WISH_CHANGES) {
			live_apply(r);
			continue;
		}
		if (wish == WISH_STALE) {
			live_age(r);
			continue;
		}
		if (wish == WISH_VERIFY) {
			live_verify(r);
			continue;
		}
		if (wish == WISH_WALK)
			walk(r);
		contents_run(r);
		tidy(r);
		live_index(r);
	}
	root_settle(r);
	live_end(r);
	return 0;
}

int
root_start(struct root *r, struct err *err)
{
	char name[16];
	int code;

	(void)snprintf(name, sizeof(name), "root/%s", r->cfg.name);
	code = thread_start(&r->thread, name, root_main, r);
	if (code < 0)
		return err_set(err, code, "could not start a thread for root \"%s\": %s",
			r->cfg.name, err_reason(code));
	return 0;
}
