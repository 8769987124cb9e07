#include "tests/unit/walk/walked.h"

#include <ftw.h>
#include <inttypes.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "engine/indexer.h"

/* An engine whose roots have no threads: what a root's thread would do, the test does. */
struct fixture {
	char *dir;
	char tree[512], state[512];
	struct pool *io;
	struct engine *engine;
	char nested[600];
	struct engine_root roots[2]; /* the second is below the first, at tree/nested */
	struct root *root;
	struct walk_aim *aim;
	uint64_t seed;
	unsigned next; /* number in names that are new */
	bool no_links; /* links that rules leave out cannot be told from others */
};

static void
on_event(void *ctx, bool trouble, const char *text)
{
	(void)ctx;
	if (trouble)
		cr_log_warn("%s", text);
}

static char main_name[] = "main", nested_name[] = "nested";

static void
setup(struct fixture *f, struct engine_root cfg)
{
	const char *seed = getenv("TRAWL_SEED");
	struct err err = {0};

	*f = (struct fixture){.dir = test_dir(), .roots = {cfg, cfg}};
	f->seed = seed ? strtoull(seed, NULL, 10) + 1 : (uint64_t)clock_real();
	(void)fprintf(stderr, "TRAWL_SEED=%" PRIu64 "\n", f->seed - 1);
	(void)snprintf(f->tree, sizeof(f->tree), "%s/tree", f->dir);
	(void)snprintf(f->state, sizeof(f->state), "%s/state", f->dir);
	CHECK(mkdir(f->tree, 0755) == 0);
	CHECK_INT(mapfile_setup(), 0);
	CHECK_INT(pool_create("io", 3, &f->io), 0);
	(void)snprintf(f->nested, sizeof(f->nested), "%s/nested", f->tree);
	f->roots[0].name = main_name;
	f->roots[0].path = f->tree;
	f->roots[1].name = nested_name;
	f->roots[1].path = f->nested;
	CHECK_SAY(engine_create(&(struct engine_config){.state_dir = f->state,
					.roots = f->roots,
					.n_roots = 2,
					.io = f->io,
					.on_event = on_event},
			  &f->engine, &err) == 0,
		"%s", err.what);
	f->root = f->engine->roots.data[0];
	CHECK_INT(aim_create(&f->aim), 0);
}

static void
teardown(struct fixture *f)
{
	aim_destroy(f->aim);
	engine_destroy(f->engine);
	pool_destroy(f->io);
	test_dir_remove(f->dir);
}

static void
index_all(struct fixture *f)
{
	struct err err = {0};

	CHECK_SAY(indexer_run(f->root, &err) == 0, "%s", err.what);
}

static void
aim_at(struct fixture *f, const char *path, enum aim_how how)
{
	CHECK_INT(aim_add(f->aim, span_of(path), how), 0);
}

static void
apply(struct fixture *f)
{
	struct err err = {0};

	CHECK_SAY(indexer_run_aimed(f->root, f->aim, &err) == 0, "%s", err.what);
	aim_destroy(f->aim);
	CHECK_INT(aim_create(&f->aim), 0);
}

/* Lines, sorted. */
struct lines {
	VEC(char *) all;
};

/* As find prints it; `mark` behind. */
static void
add_line(struct lines *l, const char *path, const struct walk_entry *e, const struct walk_class *c,
	const char *mark)
{
	static const char types[] = {[DT_REG] = 'f',
		[DT_DIR] = 'd',
		[DT_LNK] = 'l',
		[DT_FIFO] = 'p',
		[DT_SOCK] = 's',
		[DT_BLK] = 'b',
		[DT_CHR] = 'c'};
	char *line;

	CHECK(asprintf(&line,
		      "%s %c %o %u:%u %u %" PRIu64 " %" PRIu64 " %lld.%09lld0 %lld.%09lld0 %" PRIu64
		      " %" PRIu64 "%s\n",
		      path, types[e->type], c->mode & 07777, c->uid, c->gid, e->nlink, e->size,
		      e->blocks, e->mtime_ns / NSEC_PER_SEC, e->mtime_ns % NSEC_PER_SEC,
		      e->ctime_ns / NSEC_PER_SEC, e->ctime_ns % NSEC_PER_SEC, e->ino, c->dev,
		      mark) > 0);
	CHECK(VEC_PUSH(&l->all, line) == 0);
}

static const char *
mark_of(bool entered)
{
	return entered ? " entered" : "";
}

static int
line_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
sort_lines(struct lines *l)
{
	if (l->all.len > 0)
		qsort(l->all.data, l->all.len, sizeof(l->all.data[0]), line_cmp);
}

static void
lines_fini(struct lines *l)
{
	VEC_EACH (&l->all, line)
		free(*line);
	VEC_FINI(&l->all);
}

static void
add_indexed(struct lines *l, const struct tree_cols *c, uint32_t e, bool marks)
{
	const struct tree_class *from = &c->classes[tree_cls(c, e)];
	AUTO(strbuf_fini) struct strbuf path = {0};
	struct walk_entry row = {
		.type = tree_type(c, e),
		.nlink = tree_nlink(c, e),
		.size = tree_size(c, e),
		.blocks = tree_blocks(c, e),
		.mtime_ns = tree_mtime(c, e),
		.ctime_ns = tree_ctime(c, e),
		.ino = tree_ino(c, e),
	};
	struct walk_class cls = {
		.dev = from->dev, .mode = from->mode, .uid = from->uid, .gid = from->gid};

	CHECK_INT(tree_path(c, e, &path), 0);
	add_line(l, path.data ? path.data : "", &row, &cls,
		mark_of(marks && row.type == DT_DIR && !(tree_flags(c, e) & TREE_NOT_ENTERED)));
}

/* All that the index has. */
static void
list_index(const struct fixture *f, bool marks, struct lines *ret)
{
	const struct tree_stack *s = f->root->stack;

	*ret = (struct lines){0};
	for (uint32_t i = 0; i < s->n_layers; i++) {
		const struct tree_cols *c = tree_stack_cols(s, i);
		const struct tree_dead *dead = s->layer[i].dead;

		for (uint32_t e = tree_dead_skip(dead, 0); e < c->n_entries;
			e = tree_dead_skip(dead, e + 1))
			add_indexed(ret, c, e, marks);
	}
	sort_lines(ret);
}

/* All that a walk finds of which nothing is known. */
static void
list_walk(struct fixture *f, struct lines *ret)
{
	struct walked w = {.opts = root_walk_opts(f->root)};

	*ret = (struct lines){0};
	w.opts.share = NULL;
	walked_run(&w);
	CHECK_INT(w.result, 0);
	add_line(ret, "", &w.root.entry, &w.root.cls, mark_of(true));
	VEC_EACH (&w.rows, row)
		add_line(ret, row->path, &row->e, &row->cls,
			mark_of(row->e.dir != WALK_NO_DIR &&
				w.dirs.data[row->e.dir].skip == SKIP_NONE));
	walked_fini(&w);
	sort_lines(ret);
}

static void
check_same(struct lines *have, struct lines *want)
{
	for (size_t i = 0; i < MIN(have->all.len, want->all.len); i++)
		CHECK_STR(have->all.data[i], want->all.data[i]);
	CHECK_INT(have->all.len, want->all.len);
	lines_fini(have);
	lines_fini(want);
}

static void
check_indexed(struct fixture *f)
{
	struct lines have, want;

	list_index(f, true, &have);
	list_walk(f, &want);
	check_same(&have, &want);
}

/* What another program sees. */
static void
check_found(const struct fixture *f)
{
	struct lines have, want = {0};
	char command[1200], line[8192];
	FILE *find;

	list_index(f, false, &have);
	(void)snprintf(command, sizeof(command),
		"find '%s' -printf '%%P %%y %%m %%U:%%G %%n %%s %%b %%T@ %%C@ %%i %%D\\n'",
		f->tree);
	find = popen(command, "r");
	CHECK(find != NULL);
	while (fgets(line, sizeof(line), find))
		CHECK(VEC_PUSH(&want.all, strdup(line)) == 0);
	CHECK_INT(pclose(find), 0);
	sort_lines(&want);
	check_same(&have, &want);
}

static uint32_t
draw(struct fixture *f, uint32_t n)
{
	f->seed ^= f->seed << 13;
	f->seed ^= f->seed >> 7;
	f->seed ^= f->seed << 17;
	return (uint32_t)(f->seed >> 11) % n;
}

static char *
full_path(const struct fixture *f, const char *path)
{
	char *full;

	CHECK(asprintf(&full, "%s%s%s", f->tree, *path ? "/" : "", path) > 0);
	return full;
}

/* A path that is there, relative to the tree; the caller frees it. */
static char *
draw_path(struct fixture *f, bool dir)
{
	char path[4096] = "", *full = full_path(f, "");

	/* Down from the root, each time to one of the names there, and perhaps no further. */
	while (draw(f, 4) > 0) {
		char *names[64];
		struct dirent *e;
		struct stat st;
		uint32_t n = 0, which;
		DIR *d = opendir(full);

		while (d && (e = readdir(d)) && n < 64) {
			char *at;

			CHECK(asprintf(&at, "%s/%s", full, e->d_name) > 0);
			if (e->d_name[0] != '.' &&
				(!dir || (lstat(at, &st) == 0 && S_ISDIR(st.st_mode))))
				names[n++] = strdup(e->d_name);
			free(at);
		}
		if (d)
			(void)closedir(d);
		if (n == 0)
			break;
		which = draw(f, n);
		(void)snprintf(path + strlen(path), sizeof(path) - strlen(path), "%s%s",
			*path ? "/" : "", names[which]);
		while (n > 0)
			free(names[--n]);
		free(full);
		full = full_path(f, path);
	}
	free(full);
	return strdup(path);
}

/* A name in a directory that is there: mostly of few, so that names come again. */
static char *
draw_name(struct fixture *f)
{
	static const char *const special[] = {".gitignore", "CACHEDIR.TAG"};
	char *dir = draw_path(f, true), *path;
	uint32_t kind = draw(f, 16);
	char name[32];

	if (kind < ARRAY_LEN(special))
		(void)snprintf(name, sizeof(name), "%s", special[kind]);
	else if (kind < 12)
		(void)snprintf(name, sizeof(name), "n%u%s", draw(f, 12), kind < 5 ? ".o" : "");
	else
		(void)snprintf(name, sizeof(name), "new%u", f->next++);
	CHECK(asprintf(&path, "%s%s%s", dir, *dir ? "/" : "", name) > 0);
	free(dir);
	return path;
}

static void
write_at(struct fixture *f, const char *path)
{
	static const char *const texts[] = {"", "text\n", "n1*\n", "*.o\n!n2.o\nn3/\n",
		"Signature: 8a477f597d28d172789f06886806bc55\n"};
	char *full = full_path(f, path);
	const char *text = texts[draw(f, ARRAY_LEN(texts))];
	FILE *file = fopen(full, draw(f, 2) ? "w" : "a");

	if (file) {
		(void)fputs(text, file);
		(void)fclose(file);
	}
	free(full);
}

static struct fixture *removing; /* nftw() has no argument for its callback */

static int
remove_one(const char *full, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	aim_at(removing, full + strlen(removing->tree) + 1, AIM_NAME);
	return remove(full);
}

/* Of each name there is an event: a directory that is made later may get the same inode number. */
static void
remove_at(struct fixture *f, const char *full)
{
	struct stat st;

	removing = f;
	if (lstat(full, &st) == 0)
		CHECK_INT(nftw(full, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void
remove_path(struct fixture *f, const char *path)
{
	char *full = full_path(f, path);

	remove_at(f, full);
	free(full);
}

/* One change, and what events would say of it. */
static void
change(struct fixture *f)
{
	char *a = draw_path(f, false), *b = draw_name(f);
	char *from = full_path(f, a), *to = full_path(f, b);
	uint32_t kind = draw(f, 16);

	switch (*a ? kind : kind % 6) {
	case 0:
	case 1:
	case 2:
		write_at(f, b);
		break;
	case 3:
	case 4:
		(void)mkdir(to, 0755);
		break;
	case 5:
		(void)symlink("/nowhere/at all", to);
		break;
	case 6:
	case 7:
		remove_at(f, from);
		break;
	case 8:
	case 9:
	case 10:
		(void)rename(from, to);
		break;
	case 11:
		(void)renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE);
		break;
	case 12:
		if (!f->no_links)
			(void)link(from, to);
		break;
	case 13:
		(void)chmod(from, (mode_t)(0500 + draw(f, 0300)));
		break;
	case 14: /* the other kind in its place */
		remove_at(f, from);
		if (draw(f, 2))
			(void)mkdir(from, 0755);
		else
			write_at(f, a);
		break;
	default:
		write_at(f, a);
		break;
	}
	aim_at(f, a, AIM_NAME);
	aim_at(f, b, AIM_NAME);
	free(a);
	free(b);
	free(from);
	free(to);
}

static void
change_at_random(struct fixture *f, unsigned n_batches)
{
	for (unsigned i = 0; i < 60; i++)
		change(f);
	index_all(f);
	check_indexed(f);
	for (unsigned i = 0; i < n_batches; i++) {
		for (unsigned n = 1 + draw(f, 4) * draw(f, 4); n > 0; n--)
			change(f);
		apply(f);
		check_indexed(f);
	}
}

TEST(aimed, changes_at_random_leave_what_a_walk_finds)
{
	struct fixture f;

	setup(&f, (struct engine_root){0});
	change_at_random(&f, (unsigned)test_scale(2000));
	check_found(&f);
	teardown(&f);
}

TEST(aimed, changes_at_random_under_rules_leave_what_a_walk_finds)
{
	static char excluded[] = "n4", unread[] = "n5/";
	static char *exclude[] = {excluded, unread, NULL};
	struct fixture f;

	setup(&f, (struct engine_root){
			  .gitignore = true, .exclude_caches = true, .exclude = exclude});
	f.no_links = true;
	change_at_random(&f, (unsigned)test_scale(2000));
	teardown(&f);
}

/* A small tree, indexed. */
static void
setup_small(struct fixture *f, struct engine_root cfg)
{
	setup(f, cfg);
	test_write(f->tree, "a/one.c", "int one;\n");
	test_write(f->tree, "a/b/two.h", "two\n");
	test_write(f->tree, "a/b/c/deep", "deep\n");
	test_write(f->tree, "z/last", "");
	index_all(f);
	check_indexed(f);
}

static bool
is_indexed(const struct fixture *f, const char *path)
{
	struct tree_at at;

	return tree_stack_lookup(f->root->stack, span_of(path), &at) == 0;
}

TEST(aimed, nothing_is_published_when_nothing_has_changed)
{
	struct tree_stack *before;
	struct fixture f;
	uint64_t tick;

	setup_small(&f, (struct engine_root){0});
	before = f.root->stack;
	tick = f.engine->tick;
	aim_at(&f, "", AIM_NAME);
	aim_at(&f, "a/b/two.h", AIM_NAME);
	aim_at(&f, "a/b/never was", AIM_NAME);
	aim_at(&f, "z", AIM_DEEP);
	aim_at(&f, "not/there/at all", AIM_LIST);
	apply(&f);
	CHECK(f.root->stack == before && f.engine->tick == tick);
	teardown(&f);
}

TEST(aimed, what_is_not_aimed_at_is_not_looked_at)
{
	struct fixture f;

	setup_small(&f, (struct engine_root){0});
	test_write(f.tree, "a/new", "");
	test_write(f.tree, "a/b/new", "");
	test_write(f.tree, "z/new", "");
	aim_at(&f, "a", AIM_LIST);
	apply(&f);
	CHECK(is_indexed(&f, "a/new"));
	CHECK(!is_indexed(&f, "a/b/new") && !is_indexed(&f, "z/new"));
	aim_at(&f, "a", AIM_DEEP);
	apply(&f);
	CHECK(is_indexed(&f, "a/b/new") && !is_indexed(&f, "z/new"));
	aim_at(&f, "", AIM_DEEP);
	apply(&f);
	check_indexed(&f);
	teardown(&f);
}

TEST(aimed, the_time_of_the_last_walk_stays_and_so_does_what_was_left_out)
{
	static char excluded[] = "*.o";
	static char *exclude[] = {excluded, NULL};
	struct fixture f;
	uint64_t walked;

	setup(&f, (struct engine_root){.exclude = exclude});
	test_write(f.tree, "left.o", "");
	index_all(&f);
	walked = f.root->walked_usec;
	CHECK_INT(f.root->skipped[SKIP_EXCLUDED], 1);
	test_write(f.tree, "new", "");
	test_write(f.tree, "d/new.o", "");
	aim_at(&f, "new", AIM_NAME);
	aim_at(&f, "d", AIM_NAME);
	apply(&f);
	CHECK(is_indexed(&f, "new") && is_indexed(&f, "d"));
	CHECK_INT(f.root->walked_usec, walked);
	CHECK_INT(f.root->skipped[SKIP_EXCLUDED], 1);
	index_all(&f); /* the directories that changed are listed again */
	CHECK_INT(f.root->skipped[SKIP_EXCLUDED], 2);
	teardown(&f);
}

TEST(aimed, a_directory_that_was_moved_is_found_whole_at_its_new_place)
{
	struct fixture f;
	char *from, *to;

	setup_small(&f, (struct engine_root){0});
	from = full_path(&f, "a/b");
	to = full_path(&f, "z/moved");
	CHECK(rename(from, to) == 0);
	aim_at(&f, "a/b", AIM_NAME);
	aim_at(&f, "z/moved", AIM_NAME);
	apply(&f);
	CHECK(is_indexed(&f, "z/moved/c/deep") && !is_indexed(&f, "a/b/c"));
	check_indexed(&f);
	free(from);
	from = full_path(&f, "a");
	CHECK(renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) == 0);
	aim_at(&f, "a", AIM_NAME);
	aim_at(&f, "z/moved", AIM_NAME);
	apply(&f);
	check_indexed(&f);
	free(from);
	free(to);
	teardown(&f);
}

TEST(aimed, all_names_of_a_file_change_with_one)
{
	struct fixture f;
	char *one, *other;

	setup_small(&f, (struct engine_root){0});
	one = full_path(&f, "a/one.c");
	other = full_path(&f, "z/other");
	CHECK(link(one, other) == 0);
	aim_at(&f, "z/other", AIM_NAME);
	apply(&f);
	check_indexed(&f);
	test_write(f.tree, "a/one.c", "longer than it was\n");
	aim_at(&f, "a/one.c", AIM_NAME);
	apply(&f);
	check_indexed(&f);
	CHECK(unlink(one) == 0);
	aim_at(&f, "a/one.c", AIM_NAME);
	apply(&f);
	check_indexed(&f);
	free(one);
	free(other);
	teardown(&f);
}

TEST(aimed, links_below_a_directory_that_went_are_missed_by_the_others)
{
	struct fixture f;
	char *deep, *other;

	setup_small(&f, (struct engine_root){0});
	deep = full_path(&f, "a/b/c/deep");
	other = full_path(&f, "z/other");
	CHECK(link(deep, other) == 0);
	index_all(&f);
	free(deep);
	deep = full_path(&f, "a/b");
	remove_at(&f, deep);
	aim_destroy(f.aim);
	CHECK_INT(aim_create(&f.aim), 0);
	aim_at(&f, "a/b", AIM_NAME); /* of it alone */
	apply(&f);
	check_indexed(&f);
	free(deep);
	free(other);
	teardown(&f);
}

TEST(aimed, a_changed_gitignore_shows_and_hides_what_is_below_it)
{
	struct fixture f;
	uint64_t tick;

	setup_small(&f, (struct engine_root){.gitignore = true});
	test_write(f.tree, "a/.gitignore", "deep\n");
	aim_at(&f, "a/.gitignore", AIM_NAME);
	apply(&f);
	CHECK(!is_indexed(&f, "a/b/c/deep"));
	check_indexed(&f);
	/* It is no news to the next walk below it. */
	tick = f.engine->tick;
	aim_at(&f, "a/b/two.h", AIM_NAME);
	apply(&f);
	CHECK_INT(f.engine->tick, tick);
	test_write(f.tree, "a/b/c/deep", "written, and ignored");
	aim_at(&f, "a/b/c/deep", AIM_NAME);
	apply(&f);
	check_indexed(&f);
	remove_path(&f, "a/.gitignore");
	apply(&f);
	CHECK(is_indexed(&f, "a/b/c/deep"));
	check_indexed(&f);
	teardown(&f);
}

/* One that hides itself is known to nobody, and is not taken for new each time. */
TEST(aimed, a_gitignore_that_is_ignored_is_no_change)
{
	struct fixture f;

	setup(&f, (struct engine_root){.gitignore = true});
	test_write(f.tree, "b/.gitignore", ".*\n*.o\n");
	test_write(f.tree, "b/sub/file", "");
	index_all(&f);
	test_write(f.tree, "b/sub/unseen", "");
	aim_at(&f, "b/seen", AIM_NAME);
	test_write(f.tree, "b/seen", "");
	apply(&f);
	CHECK(is_indexed(&f, "b/seen") && !is_indexed(&f, "b/sub/unseen"));
	test_write(f.tree, "b/.gitignore", "*.o\n");
	aim_at(&f, "b/.gitignore", AIM_NAME);
	apply(&f);
	CHECK(is_indexed(&f, "b/.gitignore") && is_indexed(&f, "b/sub/unseen"));
	check_indexed(&f);
	teardown(&f);
}

TEST(aimed, a_cache_tag_that_comes_and_goes_hides_and_shows)
{
	struct fixture f;

	setup_small(&f, (struct engine_root){.exclude_caches = true});
	test_write(f.tree, "a/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n");
	aim_at(&f, "a/CACHEDIR.TAG", AIM_NAME);
	apply(&f);
	CHECK(is_indexed(&f, "a") && !is_indexed(&f, "a/one.c"));
	check_indexed(&f);
	remove_path(&f, "a/CACHEDIR.TAG");
	apply(&f);
	CHECK(is_indexed(&f, "a/b/c/deep"));
	check_indexed(&f);
	teardown(&f);
}

/* A name that rules leave out comes into a directory, so a rescan must list it to count that. */
TEST(aimed, a_directory_says_when_something_is_left_out_of_it_first)
{
	static char excluded[] = "*.o";
	static char *exclude[] = {excluded, NULL};
	struct fixture f;
	struct tree_at at;

	setup_small(&f, (struct engine_root){.exclude = exclude});
	test_write(f.tree, "a/b/new.o", "");
	aim_at(&f, "a/b/new.o", AIM_NAME);
	apply(&f);
	check_indexed(&f);
	CHECK_INT(tree_stack_lookup(f.root->stack, SPAN_LIT("a/b"), &at), 0);
	CHECK(tree_flags(tree_stack_cols(f.root->stack, at.layer), at.entry) & TREE_LEFT_OUT);
	CHECK(is_indexed(&f, "a/b/c/deep"));
	teardown(&f);
}

/* Rights are asked of who is not root, which the whole test is not. */
TEST(aimed, what_can_be_read_of_a_directory_follows_its_mode)
{
	static const mode_t modes[] = {0000, 0755, 0444, 0755, 0111, 0700, 0311, 0555, 0400, 0755};
	struct fixture f;
	char *b;

	if (geteuid() == 0)
		CHECK(seteuid(65534) == 0);
	setup_small(&f, (struct engine_root){0});
	b = full_path(&f, "a/b");
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		CHECK(chmod(b, modes[i]) == 0);
		aim_at(&f, "a/b", AIM_NAME);
		if (i % 2)
			aim_at(&f, "a/b/two.h", AIM_NAME);
		apply(&f);
		check_indexed(&f);
		/* And what changes in it then. */
		if (modes[i] & 0200) {
			test_write(f.tree, "a/b/two.h", "other");
			aim_at(&f, "a/b/two.h", AIM_NAME);
			apply(&f);
			check_indexed(&f);
		}
	}
	if (getuid() == 0)
		CHECK(seteuid(0) == 0);
	free(b);
	teardown(&f);
}

TEST(aimed, a_root_below_the_root_is_left_to_itself)
{
	struct fixture f;

	setup_small(&f, (struct engine_root){0});
	test_write(f.tree, "nested/other", "");
	aim_at(&f, "nested", AIM_NAME);
	aim_at(&f, "nested/other", AIM_NAME);
	apply(&f);
	CHECK(is_indexed(&f, "nested") && !is_indexed(&f, "nested/other"));
	check_indexed(&f);
	aim_at(&f, "nested", AIM_DEEP);
	apply(&f);
	CHECK(!is_indexed(&f, "nested/other"));
	teardown(&f);
}

TEST(aimed, a_mount_that_comes_and_goes_is_looked_into)
{
	struct fixture f;
	char *at;

	/* Mounts of its own, where that is allowed; without it there is nothing to be seen. */
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return;
	setup_small(&f, (struct engine_root){0});
	at = full_path(&f, "a/b");
	CHECK(mount("none", at, "tmpfs", 0, NULL) == 0);
	test_write(f.tree, "a/b/on it", "");
	aim_at(&f, "a/b", AIM_NAME);
	apply(&f);
	CHECK(is_indexed(&f, "a/b/on it") && !is_indexed(&f, "a/b/two.h"));
	check_indexed(&f);
	test_write(f.tree, "a/b/later", "");
	aim_at(&f, "a/b/later", AIM_NAME);
	apply(&f);
	check_indexed(&f);
	CHECK(umount(at) == 0);
	aim_at(&f, "a/b", AIM_NAME);
	apply(&f);
	CHECK(is_indexed(&f, "a/b/c/deep") && !is_indexed(&f, "a/b/on it"));
	check_indexed(&f);
	free(at);
	teardown(&f);
}

TEST(aimed, a_wide_directory_is_shared_and_complete)
{
	const unsigned n = 3000;
	struct fixture f;
	char path[64];

	setup_small(&f, (struct engine_root){0});
	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(path, sizeof(path), "z/%u", i * 7919 % n);
		test_write(f.tree, path, "");
		aim_at(&f, path, AIM_NAME);
	}
	apply(&f);
	check_indexed(&f);
	for (unsigned i = 0; i < n; i += 2) {
		char *full;

		(void)snprintf(path, sizeof(path), "z/%u", i);
		full = full_path(&f, path);
		CHECK(unlink(full) == 0);
		free(full);
		aim_at(&f, path, AIM_NAME);
	}
	apply(&f);
	check_indexed(&f);
	teardown(&f);
}
