#include "tree_model.h"

#include "base/hash.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

static uint64_t seed;

static uint32_t
pick(uint32_t below)
{
	seed++;
	return (uint32_t)(hash64(&seed, sizeof(seed), 7) % below);
}

/* Names that sort badly: prefixes of each other, high bytes, newlines, the longest ones. */
static void
random_name(char name[TREE_NAME_MAX_BYTES + 1], uint32_t unique)
{
	static const char *const heads[] = {"a", "a b", "ab", "\xc3\xa9t\xc3\xa9", "\xff\xfe",
		"line\nfeed", "z", "A", ".", "-", "~"};
	int n = snprintf(
		name, TREE_NAME_MAX_BYTES + 1, "%s%u", heads[pick(ARRAY_LEN(heads))], unique);

	if (pick(50) == 0) {
		memset(name + n, 'x', TREE_NAME_MAX_BYTES - (size_t)n);
		name[TREE_NAME_MAX_BYTES] = '\0';
	}
}

static void
random_model(struct model *m, uint32_t n)
{
	model_init(m);
	while (m->nodes.len < n) {
		uint32_t parent = pick((uint32_t)m->nodes.len);
		char name[TREE_NAME_MAX_BYTES + 1];
		bool dir = pick(3) == 0;

		if (!m->nodes.data[parent].dir || m->nodes.data[parent].fate == FATE_LEFT_OUT)
			continue;
		if (pick(2))
			parent = 0;
		random_name(name, (uint32_t)m->nodes.len);
		(void)model_add(m, parent, name, dir,
			!dir || pick(4) ? FATE_READ : (enum fate)pick(FATE_BROKEN + 1));
	}
}

static void
check_directory(const struct model *m, uint32_t i, const struct tree_cols *c, uint32_t e)
{
	const struct node *n = &m->nodes.data[i];
	bool read = n->fate == FATE_READ || (n->fate == FATE_BROKEN && n->n_children > 0);
	uint32_t lo, hi, below = 0;

	CHECK((tree_dir(c, e) != TREE_NO_DIR) == read);
	CHECK_INT(tree_flags(c, e), n->fate != FATE_READ ? TREE_NOT_ENTERED
				    : n->n_children == 0 ? TREE_EMPTY_DIR
							 : 0);
	if (!read)
		return;
	CHECK_INT(c->dir_first[tree_dir(c, e) + 1] - c->dir_first[tree_dir(c, e)], n->n_children);
	for (uint32_t k = 1; k < m->nodes.len; k++) {
		uint32_t up = k;

		while (up != 0 && up != i)
			up = m->nodes.data[up].parent;
		below += k != i && up == i && model_visible(m, k);
	}
	tree_subtree(c, tree_dir(c, e), &lo, &hi);
	CHECK_INT(hi - lo, below);
}

static void
check_node(const struct model *m, uint32_t i, const struct tree_cols *c)
{
	struct tree_input in = model_input(m, i);
	struct strbuf path = {0}, got = {0};
	uint32_t e = UINT32_MAX;
	const struct tree_class *cls;

	model_path(m, i, &path);
	CHECK_INT(tree_lookup(c, strbuf_view(&path), &e), 0);
	CHECK(span_eq(tree_name(c, e), in.name));
	CHECK_INT(tree_path(c, e, &got), 0);
	CHECK(span_eq(strbuf_view(&got), strbuf_view(&path)));
	cls = &c->classes[tree_cls(c, e)];
	CHECK(cls->mode == in.mode && cls->uid == in.uid && cls->gid == in.gid &&
		cls->dev == in.dev);
	CHECK(tree_size(c, e) == in.size && tree_blocks(c, e) == in.blocks &&
		tree_ino(c, e) == in.ino);
	CHECK(tree_mtime(c, e) == in.mtime_ns && tree_ctime(c, e) == in.ctime_ns);
	CHECK_INT(tree_nlink(c, e), in.nlink);
	CHECK_INT(tree_type(c, e), IFTODT(in.mode));
	if (m->nodes.data[i].dir)
		check_directory(m, i, c, e);
	strbuf_fini(&path);
	strbuf_fini(&got);
}

static void
check_model(const struct model *m, const struct tree_cols *c)
{
	uint32_t n = 0, wide = 0;

	for (uint32_t i = 0; i < m->nodes.len; i++) {
		if (!model_visible(m, i))
			continue;
		check_node(m, i, c);
		n++;
		for (const char *p = m->nodes.data[i].name; *p; p++) {
			if (*p & 0x80) {
				wide++;
				break;
			}
		}
	}
	CHECK_INT(c->n_entries, n);
	CHECK_INT(c->n_wide, wide);
}

static void
round_trip(const struct model *m, size_t piece)
{
	char *dir = test_dir();
	struct tree *t = model_tree(m, dir, piece);

	check_model(m, tree_cols(t));
	tree_unref(t);
	test_dir_remove(dir);
}

TEST(tree_build, a_root_alone_makes_a_segment)
{
	struct model m;

	model_init(&m);
	round_trip(&m, 10);
	model_fini(&m);
}

TEST(tree_build, random_trees_come_back_as_they_went_in)
{
	for (uint32_t round = 0; round < 12; round++) {
		struct model m;

		/* The sizes pass the borders of groups of names (64) and batches (1,024). */
		random_model(&m, 50 + round * round * 9);
		round_trip(&m, 1 + pick(40));
		model_fini(&m);
	}
}

TEST(tree_build, counts_around_a_group_of_names_are_right)
{
	for (uint32_t n = 62; n <= 66; n++) {
		struct model m;

		model_init(&m);
		for (uint32_t i = 1; i < n; i++) {
			char name[16];

			(void)snprintf(name, sizeof(name), "%05u", i);
			(void)model_add(&m, 0, name, false, FATE_READ);
		}
		round_trip(&m, 7);
		model_fini(&m);
	}
}

TEST(tree_build, a_group_of_longest_names_fits)
{
	struct model m;

	model_init(&m);
	for (uint32_t i = 0; i < 130; i++) {
		char name[TREE_NAME_MAX_BYTES + 1];

		(void)memset(name, 'n', TREE_NAME_MAX_BYTES);
		name[TREE_NAME_MAX_BYTES] = '\0';
		(void)snprintf(name, 8, "%07u", i);
		name[7] = 'n';
		(void)model_add(&m, 0, name, false, FATE_READ);
	}
	round_trip(&m, 50);
	model_fini(&m);
}

TEST(tree_build, many_unsorted_pieces_are_merged)
{
	struct model m;

	model_init(&m);
	for (uint32_t i = 0; i < 3000; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "%s%u", i % 3 ? "file-with-one-start-" : "",
			i * 7919 % 3000);
		(void)model_add(&m, 0, name, i % 10 == 0, FATE_READ);
	}
	round_trip(&m, 1);
	model_fini(&m);
}

static struct tree_input
named(const char *name, uint64_t dir, uint64_t ino)
{
	return (struct tree_input){
		.name = span_of(name),
		.mode = dir == TREE_BUILD_NO_DIR ? S_IFREG : S_IFDIR,
		.dir = dir,
		.ino = ino,
	};
}

static struct tree *
write_and_open(struct tree_builder *b, const char *dir)
{
	AUTO(closep) int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct tree *t = NULL;
	struct err err = {0};
	uint64_t bytes;
	int r = tree_builder_write(b, dirfd, "t", NULL, &bytes, &err);

	CHECK_SAY(r == 0, "%s", err.what);
	tree_builder_destroy(b);
	r = tree_open(dirfd, "t", &t, &err);
	CHECK_SAY(r == 0, "%s", err.what);
	return t;
}

TEST(tree_build, a_name_that_came_twice_is_kept_once)
{
	struct tree_input root = named("", 0, 1);
	struct tree_input first[] = {
		named("d", 1, 10), named("e", 3, 20), named("f", TREE_BUILD_NO_DIR, 30)};
	struct tree_input again[] = {
		named("d", 2, 11), named("e", 4, 21), named("f", TREE_BUILD_NO_DIR, 31)};
	struct tree_input in_old = named("old", TREE_BUILD_NO_DIR, 40);
	struct tree_input in_new = named("new", TREE_BUILD_NO_DIR, 41);
	struct tree_builder *b;
	char *dir = test_dir();
	const struct tree_cols *c;
	struct tree *t;
	uint32_t e;

	CHECK_INT(tree_builder_create(&root, &b), 0);
	CHECK_INT(tree_builder_add(b, 0, first, 3, false), 0);
	CHECK_INT(tree_builder_add(b, 0, again, 3, false), 0);
	CHECK_INT(tree_builder_add(b, 1, &in_old, 1, false), 0);
	CHECK_INT(tree_builder_add(b, 2, &in_new, 1, false), 0);
	CHECK_INT(tree_builder_add(b, 3, &in_old, 1, false), 0); /* the listing of 4 never comes */
	t = write_and_open(b, dir);
	c = tree_cols(t);
	CHECK_INT(c->n_entries, 6);
	CHECK_INT(tree_lookup(c, SPAN_LIT("f"), &e), 0);
	CHECK_INT(tree_ino(c, e), 31);
	CHECK_INT(tree_lookup(c, SPAN_LIT("d/new"), &e), 0);
	CHECK_INT(tree_lookup(c, SPAN_LIT("d/old"), &e), -ENOENT);
	CHECK_INT(tree_lookup(c, SPAN_LIT("e/old"), &e), 0);
	tree_unref(t);
	test_dir_remove(dir);
}

static struct tree *
chain_of(uint32_t depth, const char *dir)
{
	struct tree_input in = named("", 0, 1);
	struct tree_builder *b;

	CHECK_INT(tree_builder_create(&in, &b), 0);
	for (uint32_t i = 1; i <= depth; i++) {
		in = named("d", i, i);
		CHECK_INT(tree_builder_add(b, i - 1, &in, 1, false), 0);
	}
	CHECK_INT(tree_builder_add(b, depth, NULL, 0, false), 0);
	return write_and_open(b, dir);
}

static void
limit_stack(void)
{
	(void)setrlimit(RLIMIT_STACK, &(struct rlimit){256 << 10, 256 << 10});
}

TEST(tree_build, depth_costs_no_stack, .init = limit_stack)
{
	uint32_t depth = 100000, e, lo, hi;
	struct strbuf path = {0};
	char *dir = test_dir();
	struct tree *t = chain_of(depth, dir);
	const struct tree_cols *c = tree_cols(t);

	CHECK_INT(tree_depth(c, depth), depth);
	CHECK_INT(tree_path(c, depth, &path), 0);
	CHECK_INT(path.len, depth * 2 - 1);
	CHECK_INT(tree_lookup(c, strbuf_view(&path), &e), 0);
	CHECK_INT(e, depth);
	tree_subtree(c, 50000, &lo, &hi);
	CHECK_INT(hi - lo, 50000);
	strbuf_fini(&path);
	tree_unref(t);
	test_dir_remove(dir);
}

TEST(tree_build, an_unreadable_root_is_an_entry_with_a_number)
{
	struct tree_input root = named("", 0, 1);
	struct tree_builder *b;
	char *dir = test_dir();
	const struct tree_cols *c;
	struct tree *t;

	CHECK_INT(tree_builder_create(&root, &b), 0);
	CHECK_INT(tree_builder_add(b, 0, NULL, 0, true), 0);
	t = write_and_open(b, dir);
	c = tree_cols(t);
	CHECK_INT(c->n_entries, 1);
	CHECK_INT(tree_dir(c, 0), 0);
	CHECK_INT(tree_flags(c, 0), TREE_NOT_ENTERED);
	tree_unref(t);
	test_dir_remove(dir);
}

TEST(tree_build, input_that_no_walk_gives_is_refused)
{
	static const char longest[TREE_NAME_MAX_BYTES + 2] = {[0 ... TREE_NAME_MAX_BYTES] = 'x'};
	struct tree_input root = named("", 0, 1), in = named("f", TREE_BUILD_NO_DIR, 2);
	struct tree_builder *b;

	root.mode = S_IFREG;
	CHECK_INT(tree_builder_create(&root, &b), -EINVAL);
	root = named("", 1, 1);
	CHECK_INT(tree_builder_create(&root, &b), -EINVAL);
	root = named("", 0, 1);
	CHECK_INT(tree_builder_create(&root, &b), 0);
	CHECK_INT(tree_builder_add(b, 5, &in, 1, false), -EINVAL);
	in.name = (struct span){"a\0b", 3};
	CHECK_INT(tree_builder_add(b, 0, &in, 1, false), -EINVAL);
	in.name = span_of("a/b");
	CHECK_INT(tree_builder_add(b, 0, &in, 1, false), -EINVAL);
	in.name = span_of("");
	CHECK_INT(tree_builder_add(b, 0, &in, 1, false), -EINVAL);
	in.name = span_of(longest);
	CHECK_INT(tree_builder_add(b, 0, &in, 1, false), -ENAMETOOLONG);
	in = named("far", UINT64_MAX - 1, 3);
	CHECK_INT(tree_builder_add(b, 0, &in, 1, false), -EFBIG);
	in = named("again", 0, 3);
	CHECK_INT(tree_builder_add(b, 0, &in, 1, false), -EINVAL);
	tree_builder_destroy(b);
}

static int
count_files(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int n = 0;

	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	(void)closedir(d);
	return n;
}

TEST(tree_build, a_stopped_write_leaves_nothing)
{
	struct model m;
	struct tree_builder *b;
	char *dir = test_dir();
	AUTO(closep) int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stop stop;
	uint64_t bytes;

	model_init(&m);
	for (uint32_t i = 0; i < 3000; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "%06u", i);
		(void)model_add(&m, 0, name, false, FATE_READ);
	}
	b = model_feed(&m, 100);
	stop_init(&stop, NULL);
	stop_request(&stop);
	CHECK_INT(tree_builder_write(b, dirfd, "t", &stop, &bytes, NULL), -ECANCELED);
	CHECK_INT(count_files(dir), 0);
	stop_fini(&stop);
	tree_builder_destroy(b);
	model_fini(&m);
	test_dir_remove(dir);
}

static void
limit_file_size(void)
{
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)setrlimit(RLIMIT_FSIZE, &(struct rlimit){20000, 20000});
}

/* EFBIG of the limit stands for any failing write: a full disk says ENOSPC at the same place. */
TEST(tree_build, a_failed_write_is_one_sentence_and_leaves_nothing)
{
	struct model m;
	struct tree_builder *b;
	char *dir = test_dir();
	AUTO(closep) int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err err = {0};
	uint64_t bytes;

	random_model(&m, 1000);
	b = model_feed(&m, 100);
	limit_file_size();
	CHECK_INT(tree_builder_write(b, dirfd, "seg", NULL, &bytes, &err), -EFBIG);
	CHECK_STR(err.what, "could not write tree segment \"seg\": file too large");
	CHECK_INT(count_files(dir), 0);
	tree_builder_destroy(b);
	model_fini(&m);
	test_dir_remove(dir);
}

/* Some 20 parts, with directories, links and names beyond ASCII; as its bytes. */
static void
wide_tree(struct pool *pool, const char *dir, struct strbuf *ret)
{
	struct tree_input root = named("", 0, 1);
	struct tree_open_opts opts = {.flags = TREE_OPEN_DEEP, .pool = pool};
	AUTO(closep) int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct tree_builder *b;
	struct tree *t = NULL;
	struct err err = {0};
	uint64_t bytes;

	CHECK_INT(tree_builder_create(&root, &b), 0);
	tree_builder_use_pool(b, pool);
	tree_builder_grams_from(b, 1);
	for (uint32_t i = 0; i < 80000; i++) {
		char name[32];
		struct tree_input in =
			named(name, i % 100 == 0 ? i / 100 + 1 : TREE_BUILD_NO_DIR, i);

		(void)snprintf(
			name, sizeof(name), "%u%s", i * 7919 % 80000, i % 50 ? "" : "\xc3\xa4");
		in.name = span_of(name);
		in.nlink = i % 10 == 3 ? 4 : 1;
		in.ino = i % 10 == 3 ? i / 40 : 100000 + i;
		in.size = (uint64_t)i * i;
		CHECK_INT(tree_builder_add(b, i % 100 ? i / 100 + 1 : i / 1000, &in, 1, false), 0);
	}
	CHECK_INT(tree_builder_write(b, dirfd, "t", NULL, &bytes, &err), 0);
	tree_builder_destroy(b);
	CHECK_SAY(tree_open_with(dirfd, "t", &opts, &t, &err) == 0, "%s", err.what);
	CHECK_INT(tree_cols(t)->n_entries, 80001);
	CHECK(tree_cols(t)->n_links > 5000);
	tree_unref(t);
	opts.flags = TREE_OPEN_WRITTEN;
	CHECK_INT(tree_open_with(dirfd, "t", &opts, &t, &err), 0);
	tree_unref(t);
	CHECK_INT(fd_slurp(dirfd, "t", SIZE_MAX / 2, ret), 0);
}

TEST(tree_build, many_threads_write_the_same_file_as_one)
{
	struct strbuf one = {0}, many = {0};
	char *dir = test_dir();
	struct pool *pool;

	CHECK_INT(pool_create("build", 3, &pool), 0);
	wide_tree(NULL, dir, &one);
	wide_tree(pool, dir, &many);
	CHECK(span_eq(strbuf_view(&one), strbuf_view(&many)));
	strbuf_fini(&one);
	strbuf_fini(&many);
	pool_destroy(pool);
	test_dir_remove(dir);
}
