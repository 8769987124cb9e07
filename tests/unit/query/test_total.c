#include "forest.h"

#include "query/top.h"
#include "query/tour.h"

static struct pool *pool;
static struct forest forest;
static struct cursor_opts halt;
static bool counted[FOREST_MAX]; /* plants at and below what is asked about */

static void
begin(void)
{
	CHECK_INT(pool_create("test", 2, &pool), 0);
	halt = (struct cursor_opts){.deadline = USEC_NEVER, .compute = pool};
}

static void
finish(void)
{
	pool_destroy(pool);
}

TestSuite(total, .init = begin, .fini = finish);

static struct place
place_of(uint32_t i)
{
	return (struct place){forest.plant[i].root, forest.plant[i].entry};
}

static uint32_t
plant_at(struct place at)
{
	return forest.by_entry[at.layer][at.entry];
}

static bool
is_below(const char *path, const char *top)
{
	size_t len = strlen(top);

	return strncmp(path, top, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

static const char *
absolute(uint32_t i, char buf[2048])
{
	const struct plant *p = &forest.plant[i];

	(void)snprintf(buf, 2048, "%s%s%s", forest_roots[p->root], p->path[0] ? "/" : "", p->path);
	return buf;
}

/* The root inside the first one hides what that one has at its path. */
static bool
is_hidden(uint32_t i)
{
	char path[2048];

	return forest.plant[i].root == 0 && is_below(absolute(i, path), forest_roots[2]);
}

/* Adds what is at and below plant `top` to `counted`. */
static void
mark(uint32_t top)
{
	char above[2048], path[2048];

	(void)absolute(top, above);
	for (uint32_t i = 0; i < forest.n; i++) {
		if (!is_hidden(i) && is_below(absolute(i, path), above))
			counted[i] = true;
	}
}

static int
by_place(const void *va, const void *vb)
{
	const struct plant *a = &forest.plant[*(const uint32_t *)va],
			   *b = &forest.plant[*(const uint32_t *)vb];

	if (a->root != b->root)
		return a->root < b->root ? -1 : 1;
	return a->entry < b->entry ? -1 : a->entry > b->entry;
}

/* Sums of what is marked; of the links to an inode the first in the order of the index counts. */
static struct total
sum_marked(bool every_link)
{
	static uint32_t order[FOREST_MAX];
	bool seen[2000] = {false};
	struct total sum = {0};
	uint32_t n = 0;

	for (uint32_t i = 0; i < forest.n; i++) {
		if (counted[i])
			order[n++] = i;
	}
	qsort(order, n, sizeof(order[0]), by_place);
	for (uint32_t k = 0; k < n; k++) {
		const struct plant *p = &forest.plant[order[k]];
		bool again = !p->dir && p->nlink > 1 && seen[p->ino];

		sum.n_entries++;
		if (again && !every_link)
			continue;
		if (!p->dir && p->nlink > 1)
			seen[p->ino] = true;
		sum.size += p->size;
		sum.blocks += p->size / 512;
	}
	return sum;
}

static struct total
expected(uint32_t i, bool every_link)
{
	memset(counted, 0, sizeof(counted));
	mark(i);
	return sum_marked(every_link);
}

static bool
same(const struct total *a, const struct total *b)
{
	return a->size == b->size && a->blocks == b->blocks && a->n_entries == b->n_entries;
}

static struct totals *
open_totals(bool every_link)
{
	struct totals_opts opts = {.every_link = every_link, .halt = &halt};
	struct totals *t;

	CHECK_INT(totals_open(forest.snapshot, &opts, &t), 0);
	return t;
}

TEST(total, every_entry_has_the_sum_of_what_is_below_it)
{
	for (uint64_t seed = 1; seed <= MAX(test_scale(800), 3ul); seed++) {
		forest_grow(&forest, seed, 400);
		for (int every = 0; every < 2; every++) {
			struct totals *t = open_totals(every);

			for (uint32_t i = 0; i < forest.n; i++) {
				struct total wanted = expected(i, every), got;
				char path[2048];

				if (is_hidden(i))
					continue;
				CHECK_INT(totals_of(t, place_of(i), &got), 0);
				CHECK_SAY(same(&got, &wanted),
					"seed %llu, %s: %llu bytes in %llu, not %llu in %llu",
					(unsigned long long)seed, absolute(i, path),
					(unsigned long long)got.size,
					(unsigned long long)got.n_entries,
					(unsigned long long)wanted.size,
					(unsigned long long)wanted.n_entries);
			}
			totals_close(t);
		}
		forest_fell(&forest);
	}
}

TEST(total, several_paths_together_count_nothing_twice)
{
	for (uint64_t seed = 1; seed <= MAX(test_scale(10000), 30ul); seed++) {
		struct place at[4];
		struct totals *t;
		struct total got, wanted;
		uint64_t unread, n_unread = 0;

		forest_grow(&forest, seed, 60);
		t = open_totals(false);
		memset(counted, 0, sizeof(counted));
		for (size_t k = 0; k < ARRAY_LEN(at); k++) {
			uint32_t i = roll(forest.n);

			while (is_hidden(i))
				i = roll(forest.n);
			at[k] = place_of(i);
			mark(i);
		}
		wanted = sum_marked(false);
		CHECK_INT(totals_union(t, at, ARRAY_LEN(at), &got), 0);
		CHECK_SAY(same(&got, &wanted), "seed %llu", (unsigned long long)seed);
		for (uint32_t i = 0; i < forest.n; i++)
			n_unread += counted[i] && forest.plant[i].dir && !forest.plant[i].entered;
		CHECK_INT(totals_unread(t, at, ARRAY_LEN(at), &unread), 0);
		CHECK_INT(unread, n_unread);
		totals_close(t);
		forest_fell(&forest);
	}
}

/* The root inside the first one has a line of its own only where that one knows its directory. */
static bool
is_listed(uint32_t i, uint32_t top)
{
	uint32_t entry;

	return counted[i] && (forest.plant[i].root != 2 || forest.plant[top].root == 2 ||
				     tree_lookup(snapshot_cols(forest.snapshot, 0),
					     SPAN_LIT("nested"), &entry) == 0);
}

static uint32_t
levels_below(uint32_t top, uint32_t i)
{
	char a[2048], b[2048];
	uint32_t n = 0;

	for (const char *p = absolute(i, a) + strlen(absolute(top, b)); *p; p++)
		n += *p == '/';
	return n;
}

TEST(total, a_tour_meets_each_directory_once_and_after_what_is_in_it)
{
	for (uint64_t seed = 1; seed <= MAX(test_scale(1000), 10ul); seed++) {
		struct totals *t;

		forest_grow(&forest, seed, 200);
		t = open_totals(false);
		for (uint64_t turn = 0; turn < 20; turn++) {
			uint64_t depth = turn % 5 == 4 ? UINT64_MAX : turn % 5;
			static bool met[FOREST_MAX];
			uint32_t top = roll(forest.n), n = 0, last = top;
			struct tour tour;
			struct place at;
			int r;

			if (is_hidden(top))
				continue;
			memset(met, 0, sizeof(met));
			memset(counted, 0, sizeof(counted));
			mark(top);
			tour_init(&tour, forest.snapshot, t, place_of(top), depth, turn % 2);
			while ((r = tour_next(&tour, &at)) == 1) {
				char path[2048], above[2048];

				last = plant_at(at);
				CHECK(counted[last] && !met[last]);
				CHECK(levels_below(top, last) <= depth);
				for (uint32_t i = 0; i < forest.n; i++)
					CHECK(!met[i] || !is_below(absolute(last, path),
								 absolute(i, above)));
				met[last] = true;
				n++;
			}
			CHECK_INT(r, 0);
			CHECK(last == top);
			for (uint32_t i = 0; i < forest.n; i++)
				n -= is_listed(i, top) && levels_below(top, i) <= depth &&
				     (i == top || turn % 2 || forest.plant[i].dir);
			CHECK_INT(n, 0);
			tour_fini(&tour);
		}
		totals_close(t);
		forest_fell(&forest);
	}
}

static uint64_t
key_of(const struct total *t, enum top_key by)
{
	return by == TOP_SIZE ? t->size : by == TOP_BLOCKS ? t->blocks : t->n_entries;
}

static bool
is_ranked(uint32_t i, uint32_t top, const struct top_opts *o, const bool *below)
{
	uint32_t levels = below[i] ? levels_below(top, i) : 0;

	return below[i] && i != top && (o->max_depth == 0 || levels <= o->max_depth) &&
	       (o->kind == TOP_ANY || (o->kind == TOP_DIRS) == forest.plant[i].dir);
}

static void
check_top(const struct totals *t, uint32_t top, const struct top_opts *opts)
{
	static bool below[FOREST_MAX];
	uint64_t ranked, n_ranked = 0, better = 0;
	struct top_row *rows;
	uint32_t n;

	memset(counted, 0, sizeof(counted));
	mark(top);
	for (uint32_t i = 0; i < forest.n; i++)
		below[i] = is_listed(i, top);
	CHECK_INT(top_rank(forest.snapshot, t, place_of(top), opts, &rows, &n, &ranked), 0);
	for (uint32_t k = 0; k < n; k++) {
		uint32_t i = plant_at(rows[k].at);
		struct total wanted = expected(i, false);

		CHECK(same(&rows[k].total, &wanted));
		CHECK(is_ranked(i, top, opts, below));
		below[i] = k + 1 == n; /* given once; the last is compared with the others */
		CHECK(k == 0 ||
			key_of(&rows[k].total, opts->by) <= key_of(&rows[k - 1].total, opts->by));
	}
	for (uint32_t i = 0; i < forest.n; i++) {
		struct total total;

		if (!is_ranked(i, top, opts, below))
			continue;
		n_ranked++;
		CHECK_INT(totals_of(t, place_of(i), &total), 0);
		better += n > 0 && key_of(&total, opts->by) > key_of(&rows[n - 1].total, opts->by);
	}
	CHECK_INT(better, 0);
	CHECK_INT(ranked, n_ranked + (n > 0 ? n - 1 : 0));
	CHECK_INT(n, MIN(ranked, (uint64_t)opts->n));
	free(rows);
}

TEST(total, the_top_is_no_smaller_than_the_rest)
{
	for (uint64_t seed = 1; seed <= MAX(test_scale(1000), 10ul); seed++) {
		struct totals *t;

		forest_grow(&forest, seed, 150);
		t = open_totals(false);
		for (uint32_t turn = 0; turn < 10; turn++) {
			struct top_opts opts = {.by = (enum top_key)roll(3),
				.kind = (enum top_kind)roll(3),
				.max_depth = roll(4),
				.n = 1 + roll(30),
				.halt = &halt};
			uint32_t top = roll(4) ? roll(forest.n) : 0;

			if (!is_hidden(top))
				check_top(t, top, &opts);
		}
		totals_close(t);
		forest_fell(&forest);
	}
}

/* A root with one file of 100 bytes, all of it on one device. */
static void
set_root(struct snapshot *s, uint32_t i, const char *path, uint64_t dev, int dirfd)
{
	struct tree_input root = {.mode = S_IFDIR | 0755, .dev = dev, .size = 1};
	struct tree_input file = {.name = SPAN_LIT("file"),
		.mode = S_IFREG | 0644,
		.dev = dev,
		.size = 100,
		.dir = TREE_BUILD_NO_DIR};
	struct tree_builder *b;
	struct tree *t = NULL;
	uint64_t bytes;

	CHECK_INT(tree_builder_create(&root, &b), 0);
	CHECK_INT(tree_builder_add(b, 0, &file, 1, false), 0);
	CHECK_INT(tree_builder_write(b, dirfd, path + 1, NULL, &bytes, NULL), 0);
	tree_builder_destroy(b);
	CHECK_INT(tree_open(dirfd, path + 1, &t, NULL), 0);
	s->roots[i] = (struct snap_root){
		.name = strdup("r"), .path = strdup(i ? "/r/inner" : "/r"), .stack = one_stack(t)};
}

TEST(total, a_root_on_another_device_counts_where_devices_do_not_matter)
{
	char *dir = test_dir();
	AUTO(closep) int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct snapshot *s = snapshot_create(2);

	set_root(s, 0, "/outer", 1, dirfd);
	set_root(s, 1, "/inner", 2, dirfd);
	snapshot_seal(s);
	for (int apart = 0; apart < 2; apart++) {
		struct totals_opts opts = {.one_device = apart, .halt = &halt};
		struct total total;
		struct totals *t;

		CHECK_INT(totals_open(s, &opts, &t), 0);
		CHECK_INT(totals_of(t, (struct place){0, 0}, &total), 0);
		CHECK_INT(total.n_entries, apart ? 2 : 4);
		CHECK_INT(total.size, apart ? 101 : 202);
		CHECK_INT(totals_of(t, (struct place){1, 0}, &total), 0);
		CHECK_INT(total.n_entries, 2);
		totals_close(t);
	}
	snapshot_unref(s);
	test_dir_remove(dir);
}
