#include "one_stack.h"
#include "test.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"
#include "index/tree_build.h"
#include "server/path_rows.h"

#define N_DIRS 60u
#define KIDS 40u

/* Names of all kinds of bytes, in directories of such names, below a root of any path. */
struct wild {
	struct snapshot *snapshot;
	char *dir;
	uint64_t seed;
	char (*text)[TREE_NAME_MAX_BYTES + 1];
};

static uint32_t
draw(struct wild *w, uint32_t sides)
{
	w->seed = w->seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((w->seed >> 33) % sides);
}

static size_t
draw_name(struct wild *w, char *to)
{
	static const uint32_t longest[] = {1, 4, 15, 16, 17, 31, 33, 64, 255, TREE_NAME_MAX_BYTES};
	static const char *const odd[] = {
		"\"", "\\", "\n", "\x1f", "\x7f", "\xc3\xa9", "\xff", "\xf0\x9f\x90\x9f", "\xc3"};
	uint32_t len = 1 + draw(w, longest[draw(w, ARRAY_LEN(longest))]), kind = draw(w, 4);

	for (uint32_t i = 0; i < len; i++)
		to[i] = kind == 3 ? (char)(1 + draw(w, 255)) : (char)('a' + draw(w, 26));
	for (uint32_t i = 0; i < len; i++)
		to[i] = to[i] == '/' ? '_' : to[i];
	if (kind == 2) {
		struct span s = span_of(odd[draw(w, ARRAY_LEN(odd))]);

		if (s.len <= len)
			memcpy(to + draw(w, len - (uint32_t)s.len + 1), s.data, s.len);
	}
	return len;
}

static int
by_name(const void *a, const void *b)
{
	return span_cmp(((const struct tree_input *)a)->name, ((const struct tree_input *)b)->name);
}

/* Children of directory `d`, some of them directories; their number. */
static size_t
draw_children(struct wild *w, struct tree_input *in, uint32_t *n_dirs)
{
	size_t n = 0;

	for (uint32_t i = 0; i < KIDS; i++) {
		struct tree_input e = {
			.mode = S_IFREG | 0644, .nlink = 1, .dir = TREE_BUILD_NO_DIR};
		bool taken = false;

		e.name = (struct span){w->text[i], draw_name(w, w->text[i])};
		for (size_t k = 0; k < n; k++)
			taken = taken || span_eq(in[k].name, e.name);
		if (taken)
			continue;
		if (*n_dirs < N_DIRS && draw(w, 10) == 0) {
			e.mode = S_IFDIR | 0755;
			e.dir = (*n_dirs)++;
		}
		in[n++] = e;
	}
	qsort(in, n, sizeof(*in), by_name);
	return n;
}

static void
wild_grow(struct wild *w, uint64_t seed, const char *path)
{
	struct tree_input in[KIDS], root = {.mode = S_IFDIR | 0755, .nlink = 2};
	char *dir = test_dir();
	AUTO(closep) int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct tree_builder *b = NULL;
	struct tree *tree = NULL;
	uint32_t n_dirs = 1;
	uint64_t bytes;

	*w = (struct wild){.dir = dir, .seed = seed, .text = calloc(KIDS, sizeof(*w->text))};
	CHECK_INT(tree_builder_create(&root, &b), 0);
	for (uint32_t d = 0; d < n_dirs; d++)
		CHECK_INT(tree_builder_add(b, d, in, draw_children(w, in, &n_dirs), false), 0);
	CHECK_INT(tree_builder_write(b, dirfd, "t", NULL, &bytes, NULL), 0);
	tree_builder_destroy(b);
	CHECK_INT(tree_open(dirfd, "t", &tree, NULL), 0);
	w->snapshot = snapshot_create(1);
	w->snapshot->roots[0] = (struct snap_root){
		.id = 1, .name = strdup("t"), .path = strdup(path), .stack = one_stack(tree)};
	snapshot_seal(w->snapshot);
}

static void
wild_fell(struct wild *w)
{
	snapshot_unref(w->snapshot);
	test_dir_remove(w->dir);
	free(w->text);
}

/* The plain way: a path, and what json_str() makes of it. */
static void
put_plain_row(struct wild *w, struct json *out, uint32_t entry)
{
	AUTO(strbuf_fini) struct strbuf path = {0};

	CHECK_INT(snapshot_path(w->snapshot, 0, entry, &path), 0);
	json_open(out, '[');
	json_str(out, strbuf_view(&path));
	json_close(out, ']');
}

/* Rows of `n` entries, in lines of at most `line` of them or `max_bytes`, as the plain way has
 * them. */
static void
compare_rows(struct wild *w, const uint32_t *entry, uint32_t n, uint32_t line, size_t max_bytes)
{
	struct path_rows p = {0};

	for (uint32_t i = 0, got; i < n; i += got) {
		AUTO(strbuf_fini) struct strbuf fast = {0}, plain = {0};
		struct json to = json_to(&fast), want = json_to(&plain);
		uint32_t k = 0;

		json_open(&to, '[');
		json_open(&want, '[');
		while (k < MIN(line, n - i) && plain.len < max_bytes)
			put_plain_row(w, &want, entry[i + k++]);
		got = (uint32_t)path_rows_add(
			&p, &to, w->snapshot, 0, entry + i, MIN(line, n - i), max_bytes);
		CHECK_INT(got, k);
		json_close(&to, ']');
		json_close(&want, ']');
		CHECK_SAY(span_eq(strbuf_view(&fast), strbuf_view(&plain)),
			"from entry %u: %s\nexpected %s", entry[i], fast.data, plain.data);
	}
	path_rows_fini(&p);
}

static void
compare_all(struct wild *w)
{
	uint32_t n = snapshot_cols(w->snapshot, 0)->n_entries, some = 0;
	uint32_t *entry = calloc(n, sizeof(*entry));

	for (uint32_t e = 0; e < n; e++)
		entry[e] = e;
	compare_rows(w, entry, n, 512, 64 << 10);
	compare_rows(w, entry, n, UINT32_MAX, 8 << 20);
	compare_rows(w, entry, n, 1, 64 << 10);
	compare_rows(w, entry, n, 7, 300);
	compare_rows(w, entry, n, 512, 1 + draw(w, 5000));
	for (uint32_t e = 0; e < n; e += 1 + draw(w, 90))
		entry[some++] = e;
	compare_rows(w, entry, some, 512, 64 << 10);
	for (uint32_t e = 0; e < n; e++)
		entry[e] = draw(w, n);
	compare_rows(w, entry, n, 100, 64 << 10);
	free(entry);
}

TEST(path_rows, rows_are_those_of_the_plain_writer_whatever_bytes_names_have)
{
	static const char *const roots[] = {
		"/", "/r", "/a \"quoted\" root", "/r\xc3\xa9", "/r\xff"};
	const char *given = getenv("TRAWL_SEED");
	uint64_t seed = given ? strtoul(given, NULL, 10) : (uint64_t)time(NULL);

	(void)fprintf(stderr, "TRAWL_SEED=%" PRIu64 "\n", seed);
	for (uint64_t i = 0; i < MAX(5u, test_scale(500)); i++) {
		struct wild w;

		wild_grow(&w, seed * 1000 + i, roots[i % ARRAY_LEN(roots)]);
		compare_all(&w);
		wild_fell(&w);
	}
}

TEST(path_rows, a_path_is_one_value_among_others)
{
	struct wild w;
	struct path_rows p = {0};
	AUTO(strbuf_fini) struct strbuf fast = {0}, plain = {0};
	struct json to = json_to(&fast), want = json_to(&plain);

	wild_grow(&w, 3, "/r");
	for (uint32_t e = 0; e < snapshot_cols(w.snapshot, 0)->n_entries; e++) {
		AUTO(strbuf_fini) struct strbuf path = {0};

		CHECK_INT(snapshot_path(w.snapshot, 0, e, &path), 0);
		CHECK_INT(path_rows_put(&p, &to, w.snapshot, 0, e), 0);
		json_u64(&to, e);
		json_str(&want, strbuf_view(&path));
		json_u64(&want, e);
	}
	CHECK(span_eq(strbuf_view(&fast), strbuf_view(&plain)));
	path_rows_fini(&p);
	wild_fell(&w);
}
