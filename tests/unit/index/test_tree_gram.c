#include "index/tree_gram.h"
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/hash.h"
#include "index/tree_build.h"
#include "index/tree_gram_code.h"
#include "text/fold.h"

#define MAX_GRAMS 64u
#define WHOLE ((enum tree_gram_flags)(TREE_GRAM_HEAD | TREE_GRAM_TAIL))

static unsigned
grams(const char *text, uint32_t ret[MAX_GRAMS])
{
	return tree_grams(span_of(text), 0, ret, MAX_GRAMS);
}

static bool
same_gram(uint32_t of, uint32_t in)
{
	if (of & TREE_GRAM_ANY_LAST)
		return (of & ~TREE_GRAM_ANY_LAST) / 64 == in / 64;
	return of == in;
}

/* Every gram of a text is one of any name that holds the text. */
static bool
covered(const char *text, enum tree_gram_flags flags, const char *name)
{
	uint32_t of[MAX_GRAMS], in[MAX_GRAMS];
	unsigned n_of = tree_grams(span_of(text), flags, of, MAX_GRAMS);
	unsigned n_in = tree_grams(span_of(name), WHOLE, in, MAX_GRAMS), found = 0;

	for (unsigned i = 0; i < n_of; i++) {
		bool any = false;

		for (unsigned k = 0; k < n_in; k++)
			any = any || same_gram(of[i], in[k]);
		found += any;
	}
	return found == n_of;
}

TEST(tree_gram, a_text_has_a_gram_for_each_four_symbols_once)
{
	uint32_t g[MAX_GRAMS];

	CHECK_INT(grams("", g), 0);
	CHECK_INT(grams("ab", g), 0);
	CHECK_INT(grams("abc", g), 1);
	CHECK_INT(grams("abcabcabc", g), 3);
	CHECK_INT(grams("aaaaaaa", g), 1);
	CHECK_INT(tree_grams(SPAN_LIT("abcdefgh"), 0, g, 4), 4);
}

TEST(tree_gram, where_a_text_stands_makes_grams_too)
{
	uint32_t g[MAX_GRAMS];

	CHECK_INT(tree_grams(SPAN_LIT("ab"), TREE_GRAM_TAIL, g, MAX_GRAMS), 1);
	CHECK_INT(g[0], 1 << 18 | 2 << 12);
	CHECK_INT(tree_grams(SPAN_LIT("abc"), TREE_GRAM_HEAD, g, MAX_GRAMS), 1);
	CHECK_INT(g[0], 1 << 12 | 2 << 6 | 3);
	CHECK_INT(tree_grams(SPAN_LIT("a"), WHOLE, g, MAX_GRAMS), 1);
	CHECK_INT(g[0], 1 << 12);
	/* Three symbols: any gram that begins so. */
	CHECK_INT(tree_grams(SPAN_LIT("abc"), 0, g, MAX_GRAMS), 1);
	CHECK(g[0] == (1 << 18 | 2 << 12 | 3 << 6 | TREE_GRAM_ANY_LAST));
	CHECK_INT(tree_grams(SPAN_LIT("ab"), TREE_GRAM_HEAD, g, MAX_GRAMS), 1);
	CHECK(g[0] == (1 << 12 | 2 << 6 | TREE_GRAM_ANY_LAST));
	/* Nothing comes behind the ends. */
	CHECK_INT(tree_grams(SPAN_LIT("a"), TREE_GRAM_TAIL, g, MAX_GRAMS), 0);
	CHECK_INT(tree_grams(SPAN_LIT("a"), TREE_GRAM_HEAD, g, MAX_GRAMS), 0);
	CHECK_INT(tree_grams(SPAN_LIT(""), WHOLE, g, MAX_GRAMS), 0);
	CHECK(covered("abc", 0, "xabc"));
	CHECK(covered("abc", 0, "abcx"));
	CHECK(covered("abc", TREE_GRAM_HEAD, "abcx"));
	CHECK(!covered("abc", TREE_GRAM_HEAD, "xabc"));
	CHECK(covered("ab", TREE_GRAM_HEAD, "ab"));
	CHECK(!covered("ab", WHOLE, "abc"));
	CHECK(covered("b", TREE_GRAM_TAIL, "ab"));
}

TEST(tree_gram, what_matches_in_either_case_has_the_same_grams)
{
	CHECK(covered("makefile", 0, "old.MAKEFILE.bak"));
	CHECK(covered("\xc3\xa9t\xc3\xa9", 0, "L'\xc3\x89T\xc3\x89")); /* ete with accents */
	CHECK(covered("kelvin", 0,
		"\xe2\x84\xaa"
		"elvin"));
	CHECK(covered("last", 0, "la\xc5\xbft"));
	CHECK(covered(".h", TREE_GRAM_TAIL, "stdio.h"));
	CHECK(!covered(".h", TREE_GRAM_TAIL, "stdio.hh.c"));
	CHECK(!covered("makefile", 0, "make.file"));
}

TEST(tree_gram, a_text_that_is_no_utf8_says_nothing_beyond_ascii)
{
	/* The second half of an e with accent: a byte search finds it in the name. */
	CHECK(covered("\xa9t.c", 0, "\xc3\xa9t.c"));
	CHECK(covered("abc\xc3", 0, "xabc\xc3\xa9"));
	CHECK(covered("\xff"
		      "abc",
		0,
		"\xff"
		"abc"));
}

/* Does the name begin with the literal, end with it, or both? */
static bool
stands(const struct needle *needle, struct span name, unsigned flags)
{
	size_t len;

	for (size_t from = 0; from < name.len; from++) {
		ssize_t at = needle_find(needle, name, from, &len);

		if (at < 0)
			return false;
		from = (size_t)at;
		if ((!(flags & TREE_GRAM_HEAD) || at == 0) &&
			(!(flags & TREE_GRAM_TAIL) || (size_t)at + len == name.len))
			return true;
	}
	return false;
}

/* A piece of a random name, folded or not, is found by needle_find() and must be covered. */
TEST(tree_gram, no_piece_of_a_name_is_missed)
{
	static const char *const letters[] = {"a", "K", "k", "s", "1", ".", "_", "\xe2\x84\xaa",
		"\xc5\xbf", "\xc3\xa9", "\xc3\x89", "\xc4\xb0", "\xc4\xb1", "\xe1\xba\x9e",
		"\xc3\x9f", "\xff", "\xc3", "\xa9", "(", "\xf0\x90\x90\x80", "\xf0\x90\x90\xa8"};
	unsigned long rounds = test_scale(100000), n_found = 0;

	for (uint64_t i = 0; i < rounds; i++) {
		char name[128] = "", text[32] = "";
		struct needle needle;

		for (unsigned k = 0; k < 8; k++) {
			uint64_t dice[2] = {i, k};
			uint64_t h = hash64(dice, sizeof(dice), 1);

			(void)strcat(name, letters[h % ARRAY_LEN(letters)]);
			if (k >= 2 && k < 5) /* mostly the same characters, some in another form */
				(void)strcat(text,
					letters[(h >> 32) % 8 ? h % ARRAY_LEN(letters)
							      : (h >> 40) % ARRAY_LEN(letters)]);
		}
		CHECK_INT(needle_init(&needle, span_of(text), i % 4 != 0), 0);
		if (needle_find(&needle, span_of(name), 0, NULL) >= 0) {
			n_found++;
			CHECK_SAY(covered(text, 0, name), "round %lu: \"%s\" in \"%s\"",
				(unsigned long)i, text, name);
			for (unsigned flags = 1; flags < 4; flags++)
				CHECK_SAY(!stands(&needle, span_of(name), flags) ||
						  covered(text, (enum tree_gram_flags)flags, name),
					"round %lu: \"%s\" in \"%s\", place %u", (unsigned long)i,
					text, name, flags);
		}
		needle_fini(&needle);
	}
	CHECK(n_found > rounds / 4);
}

#define N_NAMED (5 * TREE_CHUNK / 2)

/* Names that say where they are, some of them in characters beyond ASCII. */
static void
name_of(uint32_t i, char name[32])
{
	static const char *const words[] = {"alpha", "Beta", "gamma", "\xc3\x89t\xc3\xa9"};

	(void)snprintf(name, 32, "%06u%s%s", i, words[i / 3000 % ARRAY_LEN(words)],
		i == 5000    ? "qqq"
		: i % 9 == 0 ? ".txt"
			     : ".c");
}

static struct tree *
make_tree(const char *dir)
{
	AUTO(closep) int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct tree_open_opts opts = {.flags = TREE_OPEN_DEEP};
	struct tree_input in = {.mode = S_IFDIR, .dir = 0};
	struct tree_builder *b;
	struct tree *t = NULL;
	uint64_t bytes;
	struct err err;

	CHECK_INT(tree_builder_create(&in, &b), 0);
	tree_builder_grams_from(b, 1);
	for (uint32_t i = 0; i < N_NAMED; i++) {
		char name[32];

		name_of(i, name);
		in = (struct tree_input){
			.name = span_of(name), .mode = S_IFREG, .dir = TREE_BUILD_NO_DIR};
		CHECK_INT(tree_builder_add(b, 0, &in, 1, false), 0);
	}
	CHECK_INT(tree_builder_write(b, dirfd, "t", NULL, &bytes, NULL), 0);
	tree_builder_destroy(b);
	CHECK_SAY(tree_open_with(dirfd, "t", &opts, &t, &err) == 0, "%s", err.what);
	return t;
}

/* How many groups the filter leaves; one with the text must be among them. */
static size_t
left(const struct tree_cols *c, const char *text, bool fold)
{
	uint64_t groups[(N_NAMED + 1) / 4096 + 1];
	uint32_t g[MAX_GRAMS], n_groups = tree_n_groups(c);
	struct needle needle;
	size_t n = 0;

	memset(groups, 0xff, sizeof(groups));
	CHECK_INT(needle_init(&needle, span_of(text), fold), 0);
	tree_gram_filter(c, g, tree_grams(span_of(text), 0, g, MAX_GRAMS), groups);
	for (uint32_t e = 0; e < c->n_entries; e++) {
		uint32_t group = e / TREE_NAME_GROUP;

		if (needle_find(&needle, tree_name(c, e), 0, NULL) >= 0)
			CHECK_SAY(groups[group / 64] >> group % 64 & 1, "\"%s\" in entry %u", text,
				e);
	}
	needle_fini(&needle);
	for (uint32_t i = 0; i < n_groups; i++)
		n += groups[i / 64] >> i % 64 & 1;
	return n;
}

TEST(tree_gram, the_filter_leaves_out_groups_without_the_text_and_no_others)
{
	char *dir = test_dir();
	struct tree *t = make_tree(dir);
	const struct tree_cols *c = tree_cols(t);
	uint64_t groups[3] = {UINT64_MAX, UINT64_MAX, UINT64_MAX};
	uint32_t g;

	CHECK(tree_has_grams(c));
	CHECK_INT(tree_n_groups(c), 161);
	CHECK_INT(left(c, "aqqq", true), 1);
	CHECK_INT(left(c, "qqq", false), 1);
	CHECK_INT(left(c, "alpha", true), 47);
	CHECK_INT(left(c, "BETA", true), 48);
	CHECK_INT(left(c, "gamma", false), 48);
	CHECK_INT(left(c, "\xc3\xa9t\xc3\xa9", true), 21);
	CHECK_INT(left(c, "\xc3\xa9t\xc3\xa9", false), 21);
	CHECK_INT(left(c, ".txt", true), 160); /* the last group has one name */
	CHECK_INT(left(c, "zzz", true), 0);
	CHECK_INT(left(c, "txt", false), 160); /* rows of several lists, and of one */
	CHECK_INT(left(c, "04999", false), 1);
	CHECK_INT(left(c, "499", false), 12);
	CHECK_INT(left(c, "zz", true), 161);
	CHECK_INT(left(c, "004999", true), 1);
	CHECK_INT(tree_grams(SPAN_LIT("qq"), TREE_GRAM_TAIL, &g, 1), 1);
	tree_gram_filter(c, &g, 1, groups);
	CHECK_INT(groups[0] | groups[2], 0);
	CHECK_INT(groups[1], 1ull << ((5000 + 1) / 64 - 64));
	tree_unref(t);
	test_dir_remove(dir);
}

/* Lists of every density, and groups far apart. */
TEST(tree_gram, a_list_gives_back_what_was_put_into_it)
{
	static const uint32_t sizes[] = {1, 7, 64, 65, 1000, 70000};
	unsigned long rounds = test_scale(20000);

	for (unsigned long round = 0; round < rounds; round++) {
		uint32_t n_groups = sizes[round % ARRAY_LEN(sizes)], n = 0,
			 n_words = n_groups / 64 + 1;
		AUTO(freep) uint32_t *groups = calloc(n_groups, sizeof(*groups));
		AUTO(freep) uint64_t *bits = calloc(n_words, 8), *want = calloc(n_words, 8);
		AUTO(freep) uint8_t *row = calloc(1, 8 + 5 + gram_list_max_bytes(n_groups));
		uint64_t present = 1ull << 5;
		uint32_t head, one_in = 1u << round % 17;
		struct gram_list list;
		size_t bytes, head_bytes;

		for (uint32_t i = 0; i < n_groups; i++) {
			uint64_t dice[2] = {round, i};

			/* Every third list stands at one end. */
			if (hash64(dice, sizeof(dice), 2) % one_in == 0 &&
				(round % 3 || i < n_groups / 8))
				groups[n++] = i;
		}
		if (n == 0 || round % 3 == 0)
			groups[n++] = n_groups - 1;
		if (n > 1 && groups[n - 1] == groups[n - 2])
			n--;
		for (uint32_t i = 0; i < n; i++)
			want[groups[i] / 64] |= 1ull << groups[i] % 64;
		memcpy(row, &present, 8);
		bytes = gram_list_put(groups, n, n_groups, row + 13, &head);
		head_bytes = gram_head_put(row + 8, head);
		memmove(row + 8 + head_bytes, row + 13, bytes);
		CHECK(bytes <= gram_list_max_bytes(n_groups));
		CHECK(gram_row_check(row, row + 8 + head_bytes + bytes));
		CHECK(!gram_row_check(row, row + 7 + head_bytes + bytes));
		CHECK(!gram_row_find(row, row + 8 + head_bytes + bytes, 4, &list));
		CHECK(gram_row_find(row, row + 8 + head_bytes + bytes, 5, &list));
		memset(bits, 0xff, n_words * 8);
		gram_list_filter(&list, n_groups, bits);
		bits[n_words - 1] &= n_groups % 64 ? UINT64_MAX : 0; /* a word too many */
		CHECK(memcmp(bits, want, (n_groups + 63) / 64 * 8) == 0);
	}
}
