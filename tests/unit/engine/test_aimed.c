#include "../walk/walked.h"

#include <ftw.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "engine/indexer.h"

/* An engine whose roots have no threads: what a root's thread would do, the test does. */
struct fixture {
	char *dir;
	char tree[512], state[512];
	struct pool *io;
	struct engine *engine;
	struct engine_root cfg;
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

static char main_name[] = "main";

static void
setup(struct fixture *f, struct engine_root cfg)
{
	const char *seed = getenv("TRAWL_SEED");
	struct err err = {0};

	*f = (struct fixture){.dir = test_dir(), .cfg = cfg};
	f->seed = seed ? strtoull(seed, NULL, 10) + 1 : (uint64_t)clock_real();
	(void)fprintf(stderr, "TRAWL_SEED=%" PRIu64 "\n", f->seed - 1);
	(void)snprintf(f->tree, sizeof(f->tree), "%s/tree", f->dir);
	(void)snprintf(f->state, sizeof(f->state), "%s/state", f->dir);
	CHECK(mkdir(f->tree, 0755) == 0);
	CHECK_INT(mapfile_setup(), 0);
	CHECK_INT(pool_create("io", 3, &f->io), 0);
	f->cfg.name = main_name;
	f->cfg.path = f->tree;
	cr_assert(engine_create(&(struct engine_config){.state_dir = f->state,
					.roots = &f->cfg,
					.n_roots = 1,
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

	cr_assert(indexer_run(f->root, &err) == 0, "%s", err.what);
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

	cr_assert(indexer_run_aimed(f->root, f->aim, &err) == 0, "%s", err.what);
	aim_destroy(f->aim);
	CHECK_INT(aim_create(&f->aim), 0);
}

/* Lines, sorted. */
struct lines {
	VEC(char *) all;
};

static void
add_line(struct lines *l, const char *path, const struct walk_entry *e, const struct walk_class *c,
	bool entered)
{
	char *line;

	CHECK(asprintf(&line, "%s %d %o %u:%u %u %llu %llu %lld %lld %llu %llx%s", path, e->type,
		      c->mode, c->uid, c->gid, e->nlink, (unsigned long long)e->size,
		      (unsigned long long)e->blocks, (long long)e->mtime_ns, (long long)e->ctime_ns,
		      (unsigned long long)e->ino, (unsigned long long)c->dev,
		      entered ? " entered" : "") > 0);
	cr_assert(VEC_PUSH(&l->all, line) == 0);
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
add_indexed(struct lines *l, const struct tree_cols *c, uint32_t e)
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
		row.type == DT_DIR && !(tree_flags(c, e) & TREE_NOT_ENTERED));
}

/* All that the index has. */
static void
list_index(struct fixture *f, struct lines *ret)
{
	const struct tree_stack *s = f->root->stack;

	*ret = (struct lines){0};
	for (uint32_t i = 0; i < s->n_layers; i++) {
		const struct tree_cols *c = tree_stack_cols(s, i);
		const struct tree_dead *dead = s->layer[i].dead;

		for (uint32_t e = tree_dead_skip(dead, 0); e < c->n_entries;
			e = tree_dead_skip(dead, e + 1))
			add_indexed(ret, c, e);
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
	add_line(ret, "", &w.root.entry, &w.root.cls, true);
	VEC_EACH (&w.rows, row)
		add_line(ret, row->path, &row->e, &row->cls,
			row->e.dir != WALK_NO_DIR && w.dirs.data[row->e.dir].skip == SKIP_NONE);
	walked_fini(&w);
	sort_lines(ret);
}

static void
check_indexed(struct fixture *f)
{
	struct lines have, want;

	list_index(f, &have);
	list_walk(f, &want);
	for (size_t i = 0; i < MIN(have.all.len, want.all.len); i++)
		CHECK_STR(have.all.data[i], want.all.data[i]);
	CHECK_INT(have.all.len, want.all.len);
	lines_fini(&have);
	lines_fini(&want);
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
	change_at_random(&f, (unsigned)test_scale(150));
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
	change_at_random(&f, (unsigned)test_scale(150));
	teardown(&f);
}
