#include "forest.h"

#include "query/eval.h"
#include "text/fold.h"

#include <fnmatch.h>
#include <regex.h>
#include <strings.h>

/* Questions made of atoms, each with a predicate written without any of the engine's means. */

static bool
folded_holds(const char *text, const char *word, bool fold)
{
	static struct strbuf a, b; /* kept: it is asked of each entry for each word */

	if (!fold)
		return strstr(text, word) != NULL;
	strbuf_reset(&a);
	strbuf_reset(&b);
	CHECK_INT(fold_append(&a, span_of(text)) | fold_append(&b, span_of(word)), 0);
	return memmem(a.data, a.len, b.data, b.len) != NULL;
}

static bool
word_holds(const struct plant *p, const char *word)
{
	char path[1100];
	bool fold = true;

	for (const char *c = word; *c; c++)
		fold = fold && !(*c >= 'A' && *c <= 'Z');
	if (strstr(word, "\xc3\x89")) /* a capital, too */
		fold = false;
	(void)snprintf(path, sizeof(path), "/%s", p->path);
	/* The root's own path is empty. */
	return p->path[0] && folded_holds(path, word, fold);
}

/* A word that is not UTF-8: bytes. */
static bool
bytes_held(const struct plant *p, const char *word)
{
	char path[1100];

	(void)snprintf(path, sizeof(path), "/%s", p->path);
	return p->path[0] && strcasestr(path, word) != NULL;
}

static bool
name_holds(const struct plant *p, const char *word)
{
	struct plant alone = *p;

	(void)snprintf(alone.path, sizeof(alone.path), "%s", p->name);
	return strchr(word, '/') ? false : word_holds(&alone, word);
}

static bool
glob_name(const struct plant *p, const char *glob)
{
	return fnmatch(glob, p->name, FNM_CASEFOLD) == 0;
}

/* Both cases of it. */
static bool
ends_in_e(const struct plant *p, const char *unused)
{
	size_t n = strlen(p->name);

	(void)unused;
	return n >= 2 && (strcmp(p->name + n - 2, "\xc3\xa9") == 0 ||
				 strcmp(p->name + n - 2, "\xc3\x89") == 0);
}

static bool
one_character(const struct plant *p, const char *unused)
{
	size_t n = strlen(p->name);

	(void)unused;
	return n > 0 && utf8_step(p->name, n) == n;
}

/* From any component on. */
static bool
glob_path(const struct plant *p, const char *glob)
{
	for (const char *at = p->path; at; at = strchr(at, '/')) {
		at += *at == '/';
		if (fnmatch(glob, at, FNM_CASEFOLD | FNM_PATHNAME) == 0)
			return true;
	}
	return false;
}

static bool
glob_top(const struct plant *p, const char *glob)
{
	return fnmatch(glob, p->path, FNM_CASEFOLD | FNM_PATHNAME) == 0;
}

static bool
regex_path(const struct plant *p, const char *pattern)
{
	regex_t re;
	bool found;

	CHECK_INT(regcomp(&re, pattern, REG_EXTENDED | REG_ICASE | REG_NOSUB), 0);
	found = regexec(&re, p->path, 0, NULL, 0) == 0;
	regfree(&re);
	return found;
}

static bool
regex_name(const struct plant *p, const char *pattern)
{
	struct plant alone = *p;

	(void)snprintf(alone.path, sizeof(alone.path), "%s", p->name);
	return regex_path(&alone, pattern);
}

static bool
has_ext(const struct plant *p, const char *ext)
{
	size_t n = strlen(p->name), k = strlen(ext);

	return !p->dir && n > k + 1 && p->name[n - k - 1] == '.' &&
	       strcasecmp(p->name + n - k, ext) == 0;
}

static bool
is_kind(const struct plant *p, const char *letters)
{
	char kind = p->dir ? 'd' : S_ISREG(p->mode) ? 'f' : S_ISLNK(p->mode) ? 'l' : 'p';

	return strchr(letters, kind) != NULL;
}

static bool
is_empty(const struct plant *p, const char *unused)
{
	(void)unused;
	return (S_ISREG(p->mode) && p->size == 0) || (p->entered && !p->has_children);
}

static bool
in_dir(const struct plant *p, const char *dir)
{
	char full[1200];
	size_t n = strlen(dir);

	(void)snprintf(full, sizeof(full), "%s%s%s", dir[0] == '/' ? forest_roots[p->root] : "",
		p->path[0] && dir[0] == '/' ? "/" : "", p->path);
	return strncmp(full, dir, n) == 0 && full[n] == '/';
}

static bool
at_depth(const struct plant *p, const char *n)
{
	return p->depth == (uint32_t)atoi(n);
}

static bool
above_depth(const struct plant *p, const char *n)
{
	return p->depth < (uint32_t)atoi(n);
}

static bool
larger(const struct plant *p, const char *n)
{
	return p->size > strtoull(n, NULL, 10);
}

static bool
sized_to(const struct plant *p, const char *n)
{
	return p->size >= 1000 && p->size <= strtoull(n, NULL, 10);
}

/* ask()'s now is day 4000. */
static bool
younger(const struct plant *p, const char *days)
{
	return p->mtime_ns > (4000 - atoi(days)) * 86400 * NSEC_PER_SEC;
}

static bool
changed_before(const struct plant *p, const char *days)
{
	return p->ctime_ns < (4000 - atoi(days)) * 86400 * NSEC_PER_SEC;
}

static bool
owned(const struct plant *p, const char *uid)
{
	return p->uid == (uint32_t)atoi(uid);
}

static bool
of_group(const struct plant *p, const char *gid)
{
	return p->gid == (uint32_t)atoi(gid);
}

static bool
perm_is(const struct plant *p, const char *bits)
{
	return (p->mode & 07777) == strtoul(bits, NULL, 8);
}

static bool
perm_all(const struct plant *p, const char *bits)
{
	return (p->mode & strtoul(bits, NULL, 8)) == strtoul(bits, NULL, 8);
}

static bool
perm_any(const struct plant *p, const char *bits)
{
	return (p->mode & strtoul(bits, NULL, 8)) != 0;
}

static bool
linked(const struct plant *p, const char *n)
{
	return p->nlink > (uint32_t)atoi(n);
}

static bool
has_inode(const struct plant *p, const char *n)
{
	return p->ino == strtoull(n, NULL, 10);
}

static bool
of_root(const struct plant *p, const char *name)
{
	return strcmp(strrchr(forest_roots[p->root], '/') + 1, name) == 0;
}

static bool
everything(const struct plant *p, const char *unused)
{
	(void)unused;
	return p != NULL;
}

struct atom {
	const char *text;
	bool (*holds)(const struct plant *p, const char *arg);
	const char *arg;
};

static const struct atom atoms[] = {
	{"a", word_holds, "a"},
	{"foo", word_holds, "foo"},
	{"Foo", word_holds, "Foo"},
	{"FOO", word_holds, "FOO"},
	{"k", word_holds, "k"},
	{"\xc3\xa9", word_holds, "\xc3\xa9"},
	{"\xc3\x89", word_holds, "\xc3\x89"},
	{"t\xc3\xa9", word_holds, "t\xc3\xa9"},
	{"\"a b\"", word_holds, "a b"},
	{"b/", word_holds, "b/"},
	{"/a", word_holds, "/a"},
	{"o/b", word_holds, "o/b"},
	{"a/Foo", word_holds, "a/Foo"},
	{"/", word_holds, "/"},
	{"a//b", word_holds, "a//b"},
	{"foo/", word_holds, "foo/"},
	{"/foo.c", word_holds, "/foo.c"},
	{"\"/ab/\"", word_holds, "/ab/"},
	{"b/a/fo", word_holds, "b/a/fo"},
	{"o/ab/k", word_holds, "o/ab/k"},
	{"/k/x", word_holds, "/k/x"},
	{"\"t\xc3\xa9/\"", word_holds, "t\xc3\xa9/"},
	{"a/\xc3\xa9t", word_holds, "a/\xc3\xa9t"},
	{"T\xc3\x89/f", word_holds, "T\xc3\x89/f"},
	{"bad\xff.c", word_holds, "bad\xff.c"},
	{"a/bad\xff", word_holds, "a/bad\xff"},
	{"\xcf\x82/bad\xff", bytes_held, "\xcf\x82/bad\xff"},
	{"/\xcf\x82/b\xff", bytes_held, "/\xcf\x82/b\xff"},
	{"name:foo", name_holds, "foo"},
	{"name:B", name_holds, "B"},
	{"name:.", name_holds, "."},
	{"*.c", glob_name, "*.c"},
	{"*foo", glob_name, "*foo"},
	{"*\xc3\xa9", ends_in_e, ""},
	{"a*", glob_name, "a*"},
	{"*o*", glob_name, "*o*"},
	{"[ab]", glob_name, "[ab]"},
	{"f*c", glob_name, "f*c"},
	{"*a*b*", glob_name, "*a*b*"},
	{"*.*.?", glob_name, "*.*.?"},
	{"foo*", glob_name, "foo*"},
	{"*[.]c", glob_name, "*[.]c"},
	{"\\*?", glob_name, "\\*?"},
	{"x.t*gz", glob_name, "x.t*gz"},
	{"name:?", one_character, ""},
	{"a/*.c", glob_path, "a/*.c"},
	{"*/b", glob_path, "*/b"},
	{"/a/*", glob_top, "a/*"},
	{"a/*/*.c", glob_path, "a/*/*.c"},
	{"foo/f*", glob_path, "foo/f*"},
	{"[ab]/[fo]*", glob_path, "[ab]/[fo]*"},
	{"/*/b*/*", glob_top, "*/b*/*"},
	{"/^a.*c$/", regex_path, "^a[^\xff]*c$"},
	{"path:/o[/]b/", regex_path, "o/b"},
	{"/b$/", regex_path, "b$"},
	{"name:/^.{3}$/", regex_name, "^(\xc3.t\xc3.|[^\xc3\xe2].[^\xc3\xe2])$"},
	{"name:/oo|^a/", regex_name, "oo|^a"},
	{"name:/fo+\\./", regex_name, "fo+\\."},
	{"/foo.*a/", regex_path, "foo[^\xff]*a"},
	{"/(ab|o)b?\\/a.*[.]c$/", regex_path, "(ab|o)b?/a[^\xff]*[.]c$"},
	{"/b\\/foo/", regex_path, "b/foo"},
	{"/[fg]oo(\\/|[.])/", regex_path, "[fg]oo(/|[.])"},
	{"ext:c", has_ext, "c"},
	{"ext:tar.gz", has_ext, "tar.gz"},
	{"type:f", is_kind, "f"},
	{"type:dl", is_kind, "dl"},
	{"empty:", is_empty, ""},
	{"in:/r/one", in_dir, "/r/one"},
	{"in:/r/", in_dir, "/r"},
	{"in:/r/one/a", in_dir, "/r/one/a"},
	{"in:foo", in_dir, "foo"},
	{"in:/r/on", in_dir, "/r/on"},
	{"depth:2", at_depth, "2"},
	{"depth:<3", above_depth, "3"},
	{"size:>9000", larger, "9000"},
	{"size:1000..5000", sized_to, "5000"},
	{"mtime:<900d", younger, "900"},
	{"ctime:>900d", changed_before, "900"},
	{"user:1", owned, "1"},
	{"group:0", of_group, "0"},
	{"perm:644", perm_is, "644"},
	{"perm:-111", perm_all, "111"},
	{"perm:/4111", perm_any, "4111"},
	{"links:>2", linked, "2"},
	{"inode:1007", has_inode, "1007"},
	{"root:one", of_root, "one"},
	{"(case:no)", everything, ""},
};

/* The question as written and as a tree of the test's own. */
struct part {
	int op; /* 'x' atom, '!' not, '&' and, '|' or */
	const struct atom *atom;
	struct part *a, *b;
};

static struct part parts[256];
static size_t n_parts;

static struct part *
make_part(unsigned depth, struct strbuf *text)
{
	struct part *p = &parts[n_parts++];
	uint32_t kind = depth == 0 ? 0 : roll(5);

	*p = (struct part){.op = 'x'};
	if (kind < 2) {
		p->atom = &atoms[roll(ARRAY_LEN(atoms) - 1)]; /* the last one is for alone */
		(void)strbuf_puts(text, p->atom->text);
	} else if (kind == 2) {
		p->op = '!';
		(void)strbuf_puts(text, "-(");
		p->a = make_part(depth - 1, text);
		(void)strbuf_puts(text, ")");
	} else {
		p->op = kind == 3 ? '&' : '|';
		(void)strbuf_puts(text, "(");
		p->a = make_part(depth - 1, text);
		(void)strbuf_puts(text, kind == 3 ? " " : " | ");
		p->b = make_part(depth - 1, text);
		(void)strbuf_puts(text, ")");
	}
	return p;
}

static bool
part_holds(const struct part *p, const struct plant *plant)
{
	switch (p->op) {
	case 'x':
		return p->atom->holds(plant, p->atom->arg);
	case '!':
		return !part_holds(p->a, plant);
	case '&':
		return part_holds(p->a, plant) && part_holds(p->b, plant);
	default:
		return part_holds(p->a, plant) || part_holds(p->b, plant);
	}
}

/* Every entry, in order: either both take it or neither. */
static void
compare(const struct forest *f, const char *text, const struct part *part, struct pool *pool)
{
	struct cursor_opts opts = {.deadline = USEC_NEVER, .compute = pool};
	struct cursor *c = ask_cursor(f->snapshot, text, &opts);
	struct cursor_stats stats;
	struct hit hit;
	uint64_t n = 0;
	int r = cursor_next(c, &hit);

	for (uint32_t root = 0; root < FOREST_ROOTS; root++) {
		uint32_t n_entries = snapshot_cols(f->snapshot, root)->n_entries;

		for (uint32_t e = 0; e < n_entries; e++) {
			const struct plant *p = forest_at(f, root, e);
			bool got = r == 1 && hit.layer == root && hit.entry == e;

			CHECK_SAY(got == part_holds(part, p), "%s: %s root %u \"%s\"", text,
				got ? "took" : "left out", root, p->path);
			n += got;
			if (got)
				r = cursor_next(c, &hit);
		}
	}
	CHECK_INT(r, 0);
	cursor_get_stats(c, &stats);
	CHECK(stats.n == n && stats.total == n && stats.total_exact && !stats.more);
	cursor_close(c);
}

TEST_SINGLE(eval, each_term_takes_what_its_meaning_says)
{
	struct forest f;

	forest_grow(&f, 1, 2000);
	for (size_t i = 0; i < ARRAY_LEN(atoms); i++) {
		struct part part = {.op = 'x', .atom = &atoms[i]};

		compare(&f, atoms[i].text, &part, NULL);
	}
	forest_fell(&f);
}

TEST_SINGLE(eval, random_questions_on_random_trees_match_the_naive_answer)
{
	unsigned long n = test_scale(3000);
	struct strbuf text = {0};

	for (unsigned long i = 0; i < n; i++) {
		struct forest f;

		forest_grow(&f, i + 2, 20 + (uint32_t)(i % 7) * 40);
		for (unsigned k = 0; k < 25; k++) {
			struct part *part;

			n_parts = 0;
			strbuf_reset(&text);
			part = make_part(1 + roll(4), &text);
			compare(&f, text.data, part, NULL);
		}
		forest_fell(&f);
	}
	strbuf_fini(&text);
}

/* The marks of a directory reach over many chunks, and windows begin anywhere among them. */
TEST_SINGLE(eval, words_reach_over_many_chunks)
{
	unsigned long n = test_scale(150);

	for (unsigned long i = 0; i < n; i++) {
		struct cursor_opts opts = {.deadline = USEC_NEVER};
		struct strbuf text = {0};
		struct forest f;

		forest_grow(&f, 1000 + i, 9500);
		if (i % 2)
			CHECK_INT(pool_create("t", 3, &opts.compute), 0);
		for (size_t k = 0; k < ARRAY_LEN(atoms); k++) {
			struct part part = {.op = 'x', .atom = &atoms[k]};

			if (i == 0 || roll(3) == 0)
				compare(&f, atoms[k].text, &part, opts.compute);
		}
		for (unsigned k = 0; k < 30; k++) {
			struct part *part;

			n_parts = 0;
			strbuf_reset(&text);
			part = make_part(1 + roll(3), &text);
			compare(&f, text.data, part, opts.compute);
		}
		strbuf_fini(&text);
		pool_destroy(opts.compute);
		forest_fell(&f);
	}
}

/* More entries than one window of the sweep, and enough for several threads. */
TEST(eval, a_large_root_is_shared_between_threads)
{
	enum { N = 200000 };
	struct tree_input *in = calloc(N, sizeof(*in));
	char(*names)[16] = calloc(N, sizeof(*names));
	struct tree_input root = {.mode = S_IFDIR | 0755, .dir = 0};
	struct snapshot *s = snapshot_create(1);
	struct cursor_opts opts = {.deadline = USEC_NEVER};
	char *dir = test_dir();
	AUTO(closep) int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct tree_builder *b;
	struct tree *tree;
	struct cursor *c;
	struct hit hit;
	uint64_t bytes;

	CHECK_INT(tree_builder_create(&root, &b), 0);
	for (uint32_t i = 0; i < N; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "n%06u", i);
		in[i] = (struct tree_input){.name = span_of(names[i]),
			.mode = S_IFREG | 0644,
			.size = i,
			.dir = TREE_BUILD_NO_DIR};
	}
	CHECK_INT(tree_builder_add(b, 0, in, N, false), 0);
	CHECK_INT(tree_builder_write(b, dirfd, "t", NULL, &bytes, NULL), 0);
	tree_builder_destroy(b);
	s->roots[0] = (struct snap_root){.name = strdup("r"), .path = strdup("/r")};
	CHECK_INT(tree_open(dirfd, "t", &tree, NULL), 0);
	s->roots[0].stack = one_stack(tree);
	snapshot_seal(s);
	CHECK_INT(pool_create("t", 3, &opts.compute), 0);
	c = ask_cursor(s, "77 -/99$/ -size:..999", &opts);
	for (uint32_t i = 1000; i < N; i++) {
		if (!strstr(names[i], "77") || i % 100 == 99)
			continue;
		CHECK_INT(cursor_next(c, &hit), 1);
		CHECK_INT(hit.entry, i + 1);
	}
	CHECK_INT(cursor_next(c, &hit), 0);
	cursor_close(c);
	pool_destroy(opts.compute);
	snapshot_unref(s);
	test_dir_remove(dir);
	free(in);
	free(names);
}

TEST(eval, what_is_admitted_of_any_range_is_counted)
{
	uint64_t admit[5] = {0xf0f0f0f0f0f0f0f1, 0, ~0ull, 0x8000000000000001, 0x123456789abcdef};

	for (uint32_t lo = 0; lo < 320; lo++) {
		for (uint32_t n = 0, sum = 0; lo + n <= 320; n++) {
			CHECK_INT(eval_n_admitted(admit, lo, n), sum);
			if (lo + n < 320)
				sum += admit[(lo + n) / 64] >> (lo + n) % 64 & 1;
		}
	}
}
