#include "walked.h"

#include "base/clock.h"
#include "walk/known.h"

/* A walk's rows as what is known: sorted by directory, then by name. Ids are counted from
 * somewhere.
 */
#define FIRST_DIR_ID 1000000000000ull
#define FIRST_ID 77u

struct memory {
	const struct walked *walked;
	VEC(struct known_entry) entries;
	VEC(uint32_t) first; /* of each directory's children; and the end */
};

static const struct known_entry *
entry_of(const void *ctx, const struct known_dir *d, uint32_t i)
{
	CHECK(i < d->n);
	return &((const struct memory *)ctx)->entries.data[d->first + i];
}

static int
open_dir(const void *ctx, uint64_t dir, struct known_dir *ret)
{
	const struct memory *m = ctx;
	const uint32_t *first = &m->first.data[dir - FIRST_DIR_ID];

	*ret = (struct known_dir){
		.n = first[1] - first[0],
		.first = first[0],
		.list = malloc(1), /* whoever opened it must close it */
	};
	return ret->list ? 0 : -ENOMEM;
}

static uint64_t
id(const void *ctx, const struct known_dir *d, uint32_t i)
{
	(void)ctx;
	return d->first + i + FIRST_ID;
}

static struct span
name(const void *ctx, const struct known_dir *d, uint32_t i)
{
	const struct walk_entry *e = &entry_of(ctx, d, i)->entry;

	return (struct span){e->name, e->name_len};
}

static void
read_entries(const void *ctx, const struct known_dir *d, uint32_t lo, uint32_t n,
	struct known_entry *ret)
{
	CHECK(n <= KNOWN_STEP && lo + n <= d->n);
	memcpy(ret, entry_of(ctx, d, lo), n * sizeof(*ret));
}

static bool
find(const void *ctx, uint64_t dir, struct span of, struct known_entry *ret, uint64_t *ret_id)
{
	const struct memory *m = ctx;
	const uint32_t *first = &m->first.data[dir - FIRST_DIR_ID];

	for (uint32_t i = first[0]; i < first[1]; i++) {
		const struct walk_entry *e = &m->entries.data[i].entry;

		if (!span_eq((struct span){e->name, e->name_len}, of))
			continue;
		*ret = m->entries.data[i];
		*ret_id = i + FIRST_ID;
		return true;
	}
	return false;
}

static void
read_root(const void *ctx, struct known_entry *ret)
{
	*ret = ((const struct memory *)ctx)->entries.data[0];
}

static char *
known_path(void *ctx, uint64_t dir)
{
	const struct memory *m = ctx;

	CHECK(dir - FIRST_DIR_ID < m->walked->dirs.len);
	return m->walked->dirs.data[dir - FIRST_DIR_ID].path;
}

/* Of an entry of the first walk: a directory that could not be entered has no id. */
static uint64_t
dir_id(const struct walked *w, uint32_t dir)
{
	return dir == WALK_NO_DIR || w->dirs.data[dir].skip != SKIP_NONE ? WALK_NOT_KNOWN
	                                                                 : dir + FIRST_DIR_ID;
}

static void
remember_dir(struct memory *m, const struct walked *w, uint32_t dir)
{
	const char *path = w->dirs.data[dir].path;
	size_t len = strlen(path);

	CHECK(VEC_PUSH(&m->first, (uint32_t)m->entries.len) == 0);
	VEC_EACH (&w->rows, row) {
		const char *base = strrchr(row->path, '/');
		struct known_entry e = {
			.entry = row->e, .cls = row->cls, .dir = dir_id(w, row->e.dir)};

		base = base ? base + 1 : row->path;
		e.entry.name = base;
		if ((size_t)(base - row->path) == len + (len > 0) &&
			strncmp(row->path, path, len) == 0)
			CHECK(VEC_PUSH(&m->entries, e) == 0);
	}
}

/* What `w`, which began at `began_ns`, has found. */
static void
remember(struct memory *m, const struct walked *w, int64_t began_ns, struct walk_known *ret)
{
	*m = (struct memory){.walked = w};
	CHECK(VEC_PUSH(&m->entries, (struct known_entry){.entry = w->root.entry,
					    .cls = w->root.cls,
					    .dir = FIRST_DIR_ID}) == 0);
	for (uint32_t d = 0; d < w->dirs.len; d++)
		remember_dir(m, w, d);
	CHECK(VEC_PUSH(&m->first, (uint32_t)m->entries.len) == 0);
	*ret = (struct walk_known){
		.ctx = m,
		.began_ns = began_ns,
		.root = read_root,
		.open = open_dir,
		.id = id,
		.name = name,
		.read = read_entries,
		.find = find,
	};
}

static void
memory_fini(struct memory *m)
{
	VEC_FINI(&m->entries);
	VEC_FINI(&m->first);
}

/* A time that everything made so far lies back from far enough. */
static int64_t
long_after(void)
{
	return (int64_t)clock_real() * 1000 + 10 * NSEC_PER_SEC;
}

static void
make_tree(const char *dir)
{
	char name_of[64];

	for (int i = 0; i < 400; i++) {
		(void)snprintf(name_of, sizeof(name_of), "wide/file %d", i * 7919 % 400);
		test_write(dir, name_of, "x");
	}
	test_write(dir, "a/b/c/deep", "x");
	test_write(dir, "a/b/other", "x");
	test_write(dir, "a/z/last", "x");
	test_write(dir, "empty/gone", "");
}

struct rescan {
	char *dir;
	struct walked first, again;
	struct memory memory;
	struct walk_known known;
};

static void
setup(struct rescan *r, struct walk_opts opts)
{
	*r = (struct rescan){.dir = test_dir()};
	make_tree(r->dir);
	opts.root = r->dir;
	opts.width = 2;
	r->first.opts = opts;
}

static void
walk_first(struct rescan *r, int64_t began_ns)
{
	walked_run(&r->first);
	CHECK_INT(r->first.result, 0);
	remember(&r->memory, &r->first, began_ns, &r->known);
}

static void
walk_again(struct rescan *r)
{
	r->again = (struct walked){.opts = r->first.opts};
	r->again.opts.known = &r->known;
	r->again.known_path = known_path;
	r->again.ctx = &r->memory;
	walked_run(&r->again);
	CHECK_INT(r->again.result, 0);
}

static void
teardown(struct rescan *r)
{
	walked_fini(&r->first);
	walked_fini(&r->again);
	memory_fini(&r->memory);
	tree_remove(r->dir);
}

static uint64_t
n_trusted(const struct rescan *r)
{
	return counter_get(&r->again.stats.n_trusted);
}

static uint64_t
n_changed(const struct rescan *r)
{
	return counter_get(&r->again.stats.n_changed);
}

/* Is `path` below `dir`? */
static bool
is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && path[n] == '/';
}

static const char *
path_of_id(const struct rescan *r, uint64_t gone)
{
	const struct memory *m = &r->memory;
	uint32_t at = (uint32_t)(gone - FIRST_ID), dir = 0;

	CHECK(at > 0 && at < m->entries.len);
	while (m->first.data[dir + 1] <= at)
		dir++;
	VEC_EACH (&r->first.rows, row) {
		const char *path = r->first.dirs.data[dir].path, *base = strrchr(row->path, '/');

		if (strcmp(base ? base + 1 : row->path, m->entries.data[at].entry.name) == 0 &&
			(*path ? is_below(row->path, path) && base == row->path + strlen(path)
			       : !base))
			return row->path;
	}
	CHECK_SAY(false, "an id of no entry");
	return NULL;
}

/* Does the row of the first walk still count after what the rescan has handed on? */
static bool
still_counts(const struct rescan *r, const struct walked_row *row)
{
	const struct walked_row *again = walked_find(&r->again, row->path);

	VEC_EACH (&r->again.gone, gone) {
		const char *path = path_of_id(r, *gone);

		if (strcmp(path, row->path) == 0 || is_below(row->path, path))
			return false;
	}
	VEC_EACH (&r->again.rows, other) {
		if (other->e.dir == WALK_NO_DIR && is_below(row->path, other->path))
			return false;
	}
	return !again;
}

/* What was known, with the differences. */
static void
apply(const struct rescan *r, struct walked *ret)
{
	*ret = (struct walked){0};
	VEC_EACH (&r->again.rows, row)
		CHECK(VEC_PUSH(&ret->rows, *row) == 0);
	VEC_EACH (&r->first.rows, row) {
		if (still_counts(r, row))
			CHECK(VEC_PUSH(&ret->rows, *row) == 0);
	}
	if (ret->rows.len > 0)
		qsort(ret->rows.data, ret->rows.len, sizeof(ret->rows.data[0]), walked_row_cmp);
}

/* A rescan's differences, with what was known, are what a walk would give. */
static void
check_like_a_walk(const struct rescan *r)
{
	struct walked w = {.opts = r->first.opts}, all;

	walked_run(&w);
	apply(r, &all);
	CHECK_INT(all.rows.len, w.rows.len);
	CHECK_INT(counter_get(&r->again.stats.n_entries), w.rows.len);
	for (size_t i = 0; i < w.rows.len; i++) {
		struct walk_entry a = all.rows.data[i].e, b = w.rows.data[i].e;

		CHECK_STR(all.rows.data[i].path, w.rows.data[i].path);
		CHECK_INT((a.dir == WALK_NO_DIR), (b.dir == WALK_NO_DIR));
		a.name = b.name;
		a.dir = b.dir;
		a.cls = b.cls; /* of different batches */
		CHECK(memcmp(&a, &b, sizeof(a)) == 0);
		CHECK(memcmp(&all.rows.data[i].cls, &w.rows.data[i].cls,
			      sizeof(struct walk_class)) == 0);
	}
	for (unsigned i = 0; i < N_WALK_SKIPS; i++)
		CHECK_INT(counter_get(&r->again.stats.n_skipped[i]),
			counter_get(&w.stats.n_skipped[i]));
	VEC_FINI(&all.rows);
	walked_fini(&w);
}

TEST(known, an_unchanged_tree_is_trusted_whole)
{
	struct rescan r;

	setup(&r, (struct walk_opts){0});
	walk_first(&r, long_after());
	walk_again(&r);
	CHECK_INT(n_changed(&r), 0);
	CHECK_INT(n_trusted(&r), r.first.dirs.len);
	CHECK_INT(r.again.n_batches, 0); /* nothing is held that nobody needs */
	CHECK(r.again.root.same);
	check_like_a_walk(&r);
	teardown(&r);
}

TEST(known, what_was_read_within_a_tick_of_its_change_is_listed_again)
{
	struct rescan r;

	setup(&r, (struct walk_opts){0});
	walk_first(&r, (int64_t)clock_real() * 1000 - NSEC_PER_SEC);
	walk_again(&r);
	CHECK_INT(n_changed(&r), 0); /* and found to be the same */
	CHECK_INT(n_trusted(&r), 0);
	CHECK_INT(r.again.n_batches, 0);
	check_like_a_walk(&r);
	teardown(&r);
}

TEST(known, a_directory_that_changed_is_listed_and_the_others_are_not)
{
	struct rescan r;

	setup(&r, (struct walk_opts){0});
	walk_first(&r, long_after());
	test_write(r.dir, "a/b/new", "x");
	walk_again(&r);
	CHECK(n_changed(&r) >= 2); /* its own entry, and what is in it */
	CHECK_INT(n_trusted(&r), r.first.dirs.len - 1);
	CHECK_STR(walked_paths(&r.again), "a/b a/b/new");
	check_like_a_walk(&r);
	teardown(&r);
}

TEST(known, a_changed_file_in_a_trusted_directory_is_noticed)
{
	struct rescan r;
	char path[4200];
	int fd;

	setup(&r, (struct walk_opts){0});
	walk_first(&r, long_after());
	(void)snprintf(path, sizeof(path), "%s/wide/file 7", r.dir);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	CHECK_INT(write(fd, "more", 4), 4);
	(void)close(fd);
	walk_again(&r);
	CHECK_INT(n_changed(&r), 1);
	CHECK_STR(walked_paths(&r.again), "wide/file 7");
	CHECK_INT(n_trusted(&r), r.first.dirs.len);
	check_like_a_walk(&r);
	teardown(&r);
}

TEST(known, a_directory_moved_elsewhere_is_not_taken_for_the_one_that_was_there)
{
	struct rescan r;
	char from[4200], to[4200];

	setup(&r, (struct walk_opts){0});
	walk_first(&r, long_after());
	(void)snprintf(from, sizeof(from), "%s/a/b", r.dir);
	(void)snprintf(to, sizeof(to), "%s/a/y", r.dir);
	CHECK(rename(from, to) == 0);
	(void)snprintf(to, sizeof(to), "%s/a/z", r.dir);
	CHECK(rename(to, from) == 0);
	walk_again(&r);
	CHECK(n_changed(&r) > 0);
	CHECK(walked_find(&r.again, "a/b/last") && walked_find(&r.again, "a/y/c/deep"));
	check_like_a_walk(&r);
	teardown(&r);
}

TEST(known, a_directory_that_went_is_noticed)
{
	struct rescan r;
	char path[4200];

	setup(&r, (struct walk_opts){0});
	walk_first(&r, long_after());
	(void)snprintf(path, sizeof(path), "%s/empty/gone", r.dir);
	CHECK(unlink(path) == 0);
	walk_again(&r);
	CHECK_INT(n_changed(&r), 2);
	CHECK_STR(walked_paths(&r.again), "empty");
	CHECK_INT(r.again.gone.len, 1);
	CHECK_STR(path_of_id(&r, r.again.gone.data[0]), "empty/gone");
	check_like_a_walk(&r);
	teardown(&r);
}

/* The times of the directory say nothing: its entries are looked at all the same. */
TEST(known, what_went_from_a_trusted_directory_is_gone)
{
	struct rescan r;
	char path[4200];

	setup(&r, (struct walk_opts){0});
	walk_first(&r, long_after());
	for (int i = 0; i < 400; i += 3) {
		(void)snprintf(path, sizeof(path), "%s/wide/file %d", r.dir, i);
		CHECK(unlink(path) == 0);
	}
	(void)snprintf(path, sizeof(path), "%s/wide", r.dir);
	VEC_EACH (&r.memory.entries, e) { /* as if it had been so when it was read */
		struct stat st;

		if (e->entry.name_len != 4 || memcmp(e->entry.name, "wide", 4) != 0)
			continue;
		CHECK(stat(path, &st) == 0);
		e->entry.mtime_ns = clock_ns(st.st_mtim.tv_sec, (uint32_t)st.st_mtim.tv_nsec);
		e->entry.ctime_ns = clock_ns(st.st_ctim.tv_sec, (uint32_t)st.st_ctim.tv_nsec);
		e->entry.size = (uint64_t)st.st_size;
		e->entry.blocks = (uint64_t)st.st_blocks;
	}
	walk_again(&r);
	CHECK_INT(n_trusted(&r), r.first.dirs.len);
	CHECK_INT(r.again.gone.len, 134);
	CHECK_INT(n_changed(&r), 134);
	CHECK_INT(r.again.rows.len, 0);
	teardown(&r);
}

TEST(known, a_directory_of_which_names_were_left_out_is_listed_to_count_them)
{
	const char *words[] = {"*.o", NULL};
	struct rules *rules;
	struct rescan r;

	CHECK(rules_create(words, &rules, NULL) == 0);
	setup(&r, (struct walk_opts){.rules = rules});
	test_write(r.dir, "a/b/x.o", "");
	walk_first(&r, long_after());
	VEC_EACH (&r.memory.entries, e)
		e->left_out = e->entry.name_len == 1 && *e->entry.name == 'b';
	walk_again(&r);
	CHECK_INT(n_changed(&r), 0);
	CHECK_INT(n_trusted(&r), r.first.dirs.len - 1);
	CHECK_INT(counter_get(&r.again.stats.n_skipped[SKIP_EXCLUDED]), 1);
	check_like_a_walk(&r);
	rules_destroy(rules);
	teardown(&r);
}

TEST(known, a_changed_gitignore_ends_the_trust_in_all_below_it)
{
	struct rescan r;

	setup(&r, (struct walk_opts){.gitignore = true});
	test_write(r.dir, "a/.gitignore", "nothing\n");
	walk_first(&r, long_after());
	walk_again(&r);
	CHECK_INT(n_trusted(&r), r.first.dirs.len);
	walked_fini(&r.again);

	test_write(r.dir, "a/.gitignore", "deep\n"); /* in place: no directory changes */
	walk_again(&r);
	CHECK_INT(r.again.gone.len, 1);
	CHECK_STR(path_of_id(&r, r.again.gone.data[0]), "a/b/c/deep");
	CHECK(walked_find(&r.again, "a/b/other") == NULL); /* it is as it was */
	CHECK_INT(n_trusted(&r), r.first.dirs.len - 4);    /* a, a/b, a/b/c, a/z */
	CHECK(n_changed(&r) > 0);
	check_like_a_walk(&r);
	teardown(&r);
}

TEST(known, a_directory_closed_since_is_not_entered)
{
	struct rescan r;
	char path[4200];

	setup(&r, (struct walk_opts){0});
	walk_first(&r, long_after());
	(void)snprintf(path, sizeof(path), "%s/a/b", r.dir);
	CHECK(chmod(path, 0) == 0 && chmod(r.dir, 0755) == 0);
	if (geteuid() == 0)
		CHECK(seteuid(65534) == 0);
	walk_again(&r);
	CHECK(n_changed(&r) > 0);
	CHECK_INT(walked_dir_skip(&r.again, "a/b"), SKIP_UNREADABLE);
	CHECK_INT(r.again.gone.len, 2); /* a/b/c and a/b/other */
	check_like_a_walk(&r);
	if (getuid() == 0)
		CHECK(seteuid(0) == 0);
	CHECK(chmod(path, 0755) == 0);
	teardown(&r);
}

TEST(known, only_times_that_lie_back_far_enough_are_settled)
{
	struct walk_known w = {.began_ns = 1000 * NSEC_PER_SEC};
	struct {
		int64_t mtime_ns, ctime_ns;
		bool settled;
	} const cases[] = {
		{1, 999 * NSEC_PER_SEC + 1, true},
		{1, 1000 * NSEC_PER_SEC - 10000001, false},
		{1, 1000 * NSEC_PER_SEC - 30000001, true},
		{1000 * NSEC_PER_SEC - 10000001, 1, false},
		{1, 1001 * NSEC_PER_SEC + 1, false},
		/* Whole seconds: perhaps there are no others. */
		{1, 999 * NSEC_PER_SEC, false},
		{1, 998 * NSEC_PER_SEC, false},
		{1, 997 * NSEC_PER_SEC, true},
		{997 * NSEC_PER_SEC, 990 * NSEC_PER_SEC + 1, true},
		{999 * NSEC_PER_SEC, 990 * NSEC_PER_SEC + 1, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct walk_entry e = {
			.mtime_ns = cases[i].mtime_ns, .ctime_ns = cases[i].ctime_ns};

		CHECK_INT(known_settled(&w, &e), cases[i].settled);
	}
}
