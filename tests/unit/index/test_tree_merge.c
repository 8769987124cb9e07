#include "stack_model.h"

#include <dirent.h>
#include <unistd.h>

/* Checks that a stack says what the model does: of each node, and of nothing else. */
struct checking {
	const struct plain *p;
	const struct tree_stack *s;
	uint64_t n;
	struct tree_sum sum;
};

static int
by_name(const void *a, const void *b)
{
	const struct plain_node *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* The children of a node, in order. */
static size_t
list_of(const struct plain *p, uint32_t node, const struct plain_node ***ret)
{
	VEC(const struct plain_node *) v = {0};

	for (uint32_t i = 1; i < p->now.len; i++) {
		const struct plain_node *n = &p->now.data[i];

		if (n->there && n->parent == node)
			CHECK_INT(VEC_PUSH(&v, n), 0);
	}
	if (v.len > 0)
		qsort(v.data, v.len, sizeof(*v.data), by_name);
	*ret = v.data;
	return v.len;
}

static void
check_fields(const struct checking *k, const struct plain_node *n, struct tree_at at, size_t n_in)
{
	const struct tree_cols *c = tree_stack_cols(k->s, at.layer);
	const struct tree_class *cls = &c->classes[tree_cls(c, at.entry)];
	struct tree_input in = plain_input(n);
	uint8_t flags = 0;

	CHECK(span_eq(tree_name(c, at.entry), in.name));
	CHECK(cls->mode == in.mode && cls->uid == in.uid && cls->gid == in.gid &&
		cls->dev == in.dev);
	CHECK(tree_size(c, at.entry) == in.size && tree_blocks(c, at.entry) == in.blocks);
	CHECK(tree_mtime(c, at.entry) == in.mtime_ns && tree_ctime(c, at.entry) == in.ctime_ns);
	CHECK(tree_ino(c, at.entry) == in.ino && tree_nlink(c, at.entry) == in.nlink);
	CHECK(tree_entered(c, at.entry) == n->entered);
	if (n->entered)
		flags = n->flags | (n_in == 0 && !(n->flags & 1) ? TREE_EMPTY_DIR : 0);
	else if (n->dir)
		flags = TREE_NOT_ENTERED;
	CHECK_INT(tree_flags(c, at.entry), flags);
}

static void check_node(struct checking *k, uint32_t node, struct tree_at at);

static void
check_dir(struct checking *k, uint32_t node, struct tree_at at, const struct plain_node **in,
	size_t n)
{
	const struct tree_cols *c = tree_stack_cols(k->s, at.layer);
	uint32_t dir = tree_dir(c, at.entry);
	struct tree_dirs dirs, again;
	struct tree_at own, canon = tree_stack_canon(k->s, at.layer, dir), child;
	struct tree_list list;

	(void)node;
	tree_stack_dirs(k->s, at.layer, dir, &dirs);
	CHECK_INT(dirs.dir[at.layer], dir);
	for (uint32_t i = 0; i < k->s->n_layers; i++) {
		struct tree_at same;

		if (dirs.dir[i] == TREE_NO_DIR)
			continue;
		tree_stack_dirs(k->s, i, dirs.dir[i], &again);
		CHECK_INT(memcmp(&dirs, &again, sizeof(dirs)), 0);
		same = tree_stack_canon(k->s, i, dirs.dir[i]);
		CHECK(same.layer == canon.layer && same.entry == canon.entry);
	}
	CHECK_INT(tree_stack_own(k->s, &dirs, &own), 0);
	CHECK(own.layer == at.layer && own.entry == at.entry);
	tree_list_open(&list, k->s, &dirs);
	for (size_t i = 0; i < n; i++) {
		CHECK(tree_list_next(&list, &child));
		check_node(k, (uint32_t)(in[i] - k->p->now.data), child);
	}
	CHECK(!tree_list_next(&list, &child));
}

static void
check_node(struct checking *k, uint32_t node, struct tree_at at)
{
	const struct plain_node *n = &k->p->now.data[node];
	const struct plain_node **in = NULL;
	size_t n_in = list_of(k->p, node, &in);
	struct strbuf path = {0};
	struct tree_at found;

	CHECK(!tree_is_dead(k->s->layer[at.layer].dead, at.entry));
	check_fields(k, n, at, n_in);
	plain_path(&k->p->now, node, &path);
	CHECK_INT(tree_stack_lookup(k->s, strbuf_view(&path), &found), 0);
	CHECK(found.layer == at.layer && found.entry == at.entry);
	strbuf_fini(&path);
	k->n++;
	k->sum.size += plain_input(n).size;
	k->sum.blocks += plain_input(n).blocks;
	if (n->entered)
		check_dir(k, node, at, in, n_in);
	free(in);
}

static void
check_stack(const struct plain *p, const struct tree_stack *s)
{
	struct checking k = {.p = p, .s = s};
	struct tree_sum sum = {0};
	struct tree_at root;
	struct err err = {0};

	CHECK_SAY(tree_stack_check(s, &err) == 0, "%s", err.what);
	CHECK_INT(tree_stack_lookup(s, SPAN_LIT(""), &root), 0);
	check_node(&k, 0, root);
	CHECK_INT(s->n_entries, k.n);
	for (uint32_t i = 0; i < s->n_layers; i++) {
		const struct tree_cols *c = tree_stack_cols(s, i);
		struct tree_sum all, dead;

		tree_sum(c, 0, c->n_entries, &all);
		(void)tree_dead_sum(s->layer[i].dead, c, 0, c->n_entries, &dead);
		sum.size += all.size - dead.size;
		sum.blocks += all.blocks - dead.blocks;
	}
	CHECK(sum.size == k.sum.size && sum.blocks == k.sum.blocks);
}

/* What goes in, if nothing else is asked for: any, but never a stack too high. */
static uint32_t
some_from(struct plain *p, const struct tree_stack *s, bool changes)
{
	uint32_t n = s->n_layers - (s->n_layers == TREE_MAX_LAYERS || !changes);

	return plain_pick(p, 3) ? n : plain_pick(p, n + 1);
}

static void
live_through(uint64_t seed, uint32_t rounds, uint32_t n_changes, struct pool *pool)
{
	char *dir = test_dir();
	struct tree_stack *s;
	struct plain p;

	plain_init(&p, seed);
	s = plain_stack(&p, dir);
	for (uint32_t k = plain_pick(&p, 60); k > 0; k--)
		plain_grow(&p, plain_some(&p, true), 0);
	for (uint32_t i = 0; i < rounds; i++) {
		struct tree_change *set;

		for (uint32_t k = plain_pick(&p, n_changes); k > 0; k--)
			plain_change(&p);
		set = plain_tell(&p, s);
		s = plain_merge(s, set, some_from(&p, s, true), pool);
		tree_change_destroy(set);
		plain_settle(&p);
		check_stack(&p, s);
		if (plain_pick(&p, 4))
			continue;
		s = plain_merge(s, NULL, some_from(&p, s, false), pool);
		check_stack(&p, s);
	}
	tree_stack_unref(s);
	plain_fini(&p);
	test_dir_remove(dir);
}

TEST(tree_merge, whatever_changes_and_merges_a_stack_says_what_is_there)
{
	unsigned long n = test_scale(2000);

	for (unsigned long seed = 1; seed <= n; seed++)
		live_through(seed, 30, 1 + (uint32_t)seed % 13, NULL);
}

TEST(tree_merge, threads_make_no_difference)
{
	struct pool *pool;

	CHECK_INT(pool_create("merge", 3, &pool), 0);
	live_through(1000, 20, 20, pool);
	pool_destroy(pool);
}

/* Some parts in one directory, with sub-directories here and there, put in layers of every third,
 * every seventh and so on; what a number was put in last is its size. */
#define WIDE 15000u

static uint64_t
wide_size(uint32_t i, uint32_t n_layers)
{
	static const uint32_t steps[] = {1, 3, 7, 11};
	uint64_t size = 0;

	for (uint32_t k = 0; k < n_layers; k++) {
		if (i % steps[k] == 0)
			size = k + 1;
	}
	return size;
}

static struct tree_stack *
put_wide(struct tree_stack *s, uint32_t n_layers, uint32_t from, struct pool *pool)
{
	struct tree_change *set;

	CHECK_INT(tree_change_create(s, &set), 0);
	for (uint32_t i = 0; i < WIDE; i++) {
		char name[16];
		uint32_t sub;
		struct tree_input in = {.name = {name, 6}, .mode = S_IFREG, .size = n_layers};

		if (wide_size(i, n_layers) != n_layers)
			continue;
		(void)snprintf(name, sizeof(name), "%06u", i);
		in.dir = i % 100 == 50 ? 0 : TREE_BUILD_NO_DIR;
		in.mode = i % 100 == 50 ? S_IFDIR : S_IFREG;
		CHECK_INT(tree_change_put(set, 0, &in, &sub), 0);
		if (in.dir == 0)
			CHECK_INT(tree_change_read(set, sub, 0), 0);
	}
	s = plain_merge(s, set, from, pool);
	tree_change_destroy(set);
	return s;
}

static void
check_wide(const struct tree_stack *s, uint32_t n_layers)
{
	struct tree_dirs dirs;
	struct tree_list list;
	struct tree_at at;

	tree_stack_dirs(s, 0, 0, &dirs);
	tree_list_open(&list, s, &dirs);
	for (uint32_t i = 0; i < WIDE; i++) {
		const struct tree_cols *c;
		char name[16];

		CHECK(tree_list_next(&list, &at));
		c = tree_stack_cols(s, at.layer);
		(void)snprintf(name, sizeof(name), "%06u", i);
		CHECK(span_eq(tree_name(c, at.entry), span_of(name)));
		CHECK_INT(tree_size(c, at.entry), wide_size(i, n_layers));
		CHECK(tree_entered(c, at.entry) == (i % 100 == 50));
	}
	CHECK(!tree_list_next(&list, &at));
	CHECK_INT(s->n_entries, WIDE + 1);
}

TEST(tree_merge, parts_begin_deep_in_a_wide_directory)
{
	char *dir = test_dir();
	struct tree_stack *s;
	struct pool *pool;
	struct plain p;

	CHECK_INT(pool_create("merge", 3, &pool), 0);
	plain_init(&p, 1);
	s = plain_stack(&p, dir);
	for (uint32_t n = 1; n <= 4; n++) {
		s = put_wide(s, n, n - 1, pool);
		check_wide(s, n);
	}
	s = plain_merge(s, NULL, 1, pool);
	check_wide(s, 4);
	s = plain_merge(s, NULL, 0, pool);
	check_wide(s, 4);
	tree_stack_unref(s);
	plain_fini(&p);
	pool_destroy(pool);
	test_dir_remove(dir);
}

static void
stop_and_go(struct tree_merge *m, const char *dir)
{
	AUTO(closep) int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err err = {0};
	struct stop stop;
	uint64_t bytes;

	stop_init(&stop, NULL);
	stop_request(&stop);
	m->stop = &stop;
	CHECK_INT(tree_merge_write(m, dirfd, "seg", &bytes, &err), -ECANCELED);
	CHECK(strstr(err.what, "\"seg\"") != NULL);
	CHECK_INT(faccessat(dirfd, "seg", F_OK, 0), -1);
	CHECK_INT(faccessat(dirfd, "seg.tmp", F_OK, 0), -1);
	m->stop = NULL;
	CHECK_INT(tree_merge_write(m, dirfd, "seg", &bytes, &err), 0);
	CHECK_INT(faccessat(dirfd, "seg", F_OK, 0), 0);
	CHECK_INT(faccessat(dirfd, "seg.tmp", F_OK, 0), -1);
	stop_fini(&stop);
}

TEST(tree_merge, one_that_is_stopped_leaves_nothing_and_may_be_made_again)
{
	char *dir = test_dir();
	struct tree_merge m = {0};
	struct tree_stack *s;
	struct plain p;

	plain_init(&p, 2);
	s = plain_stack(&p, dir);
	for (uint32_t i = 0; i < 50; i++)
		plain_change(&p);
	m.stack = s;
	m.change = plain_tell(&p, s);
	stop_and_go(&m, dir);
	tree_change_destroy(m.change);
	tree_stack_unref(s);
	plain_fini(&p);
	test_dir_remove(dir);
}

struct holding {
	unsigned n, until; /* it gives up then */
};

static int
hold(void *ctx, struct stop *stop)
{
	struct holding *h = ctx;

	(void)stop;
	return ++h->n < h->until ? 0 : -ECANCELED;
}

/* A merge without a pool, of which the n-th pass is the last: 0 it was over before. */
static int
merge_until(struct tree_merge *m, int dirfd, unsigned n)
{
	struct holding h = {.until = n};
	struct err err = {0};
	struct stop stop;
	uint64_t bytes;
	int r;

	stop_init(&stop, NULL);
	stop_set_hold(&stop, hold, &h);
	m->stop = &stop;
	r = tree_merge_write(m, dirfd, "seg", &bytes, &err);
	m->stop = NULL;
	stop_fini(&stop);
	return r;
}

TEST(tree_merge, one_that_is_held_up_passes_often_and_may_be_ended_there)
{
	char *dir = test_dir();
	AUTO(closep) int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct tree_merge m = {0};
	struct tree_stack *s;
	struct plain p;
	unsigned n = 1;

	plain_init(&p, 3);
	m.stack = s = plain_stack(&p, dir);
	for (; merge_until(&m, dirfd, n) != 0; n++)
		CHECK_INT(faccessat(dirfd, "seg", F_OK, 0), -1);
	CHECK(n > 10); /* directories, parts, sections */
	CHECK_INT(faccessat(dirfd, "seg", F_OK, 0), 0);
	tree_stack_unref(s);
	plain_fini(&p);
	test_dir_remove(dir);
}
