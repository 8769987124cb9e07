#include "forest.h"

#include <inttypes.h>

static struct forest forest;

static void
plant_forest(void)
{
	forest_grow(&forest, 9, 200);
}

static void
fell_forest(void)
{
	forest_fell(&forest);
}

TestSuite(field, .init = plant_forest, .fini = fell_forest);

TEST(field, words_are_read_back)
{
	for (unsigned f = 0; f < N_FIELDS; f++) {
		enum field got;

		CHECK_INT(field_parse(span_of(field_word((enum field)f)), &got), 0);
		CHECK_INT(got, f);
	}
	CHECK_INT(field_parse(span_of("nothing"), &(enum field){0}), -EINVAL);
	CHECK_INT(field_parse(span_of(""), &(enum field){0}), -EINVAL);
}

static struct strbuf text;
static int64_t number;

static const char *
text_of(uint32_t root, uint32_t entry, enum field f)
{
	strbuf_reset(&text);
	CHECK_INT(strbuf_puts(&text, ""), 0);
	CHECK_INT(field_value(forest.snapshot, root, entry, f, &text, &number), 0);
	return text.data;
}

static int64_t
number_of(uint32_t root, uint32_t entry, enum field f)
{
	CHECK_STR(text_of(root, entry, f), "");
	return number;
}

TEST(field, values_are_those_of_the_entry)
{
	char expected[2048];

	for (uint32_t i = 0; i < forest.n; i++) {
		const struct plant *p = &forest.plant[i];
		const char *kind = p->dir             ? "d"
		                   : S_ISREG(p->mode) ? "f"
		                   : S_ISLNK(p->mode) ? "l"
		                                      : "p";

		if (p->depth == 0)
			continue;
		(void)snprintf(expected, sizeof(expected), "%s/%s", forest_roots[p->root], p->path);
		CHECK_STR(text_of(p->root, p->entry, FIELD_PATH), expected);
		*strrchr(expected, '/') = '\0';
		CHECK_STR(text_of(p->root, p->entry, FIELD_DIR), expected);
		CHECK_STR(text_of(p->root, p->entry, FIELD_NAME), p->name);
		CHECK_STR(text_of(p->root, p->entry, FIELD_TYPE), kind);
		CHECK_INT(number_of(p->root, p->entry, FIELD_SIZE), p->size);
		CHECK_INT(number_of(p->root, p->entry, FIELD_BLOCKS), p->size / 512);
		CHECK_INT(number_of(p->root, p->entry, FIELD_MTIME), p->mtime_ns);
		CHECK_INT(number_of(p->root, p->entry, FIELD_CTIME), p->ctime_ns);
		CHECK_INT(number_of(p->root, p->entry, FIELD_MODE), p->mode & 07777);
		CHECK_INT(number_of(p->root, p->entry, FIELD_UID), p->uid);
		CHECK_INT(number_of(p->root, p->entry, FIELD_GID), p->gid);
		CHECK_INT(number_of(p->root, p->entry, FIELD_INODE), p->ino);
		CHECK_INT(number_of(p->root, p->entry, FIELD_LINKS), p->nlink);
		CHECK_INT(number_of(p->root, p->entry, FIELD_DEPTH), p->depth);
		if (p->uid == 0)
			CHECK_STR(text_of(p->root, p->entry, FIELD_USER), "root");
	}
	strbuf_fini(&text);
}

TEST(field, the_root_is_shown_under_the_name_of_its_path)
{
	CHECK_STR(text_of(1, 0, FIELD_PATH), "/r/two");
	CHECK_STR(text_of(1, 0, FIELD_NAME), "two");
	CHECK_STR(text_of(1, 0, FIELD_DIR), "/r");
	CHECK_STR(text_of(1, 0, FIELD_ROOT), "two");
	CHECK_INT(number_of(1, 0, FIELD_DEPTH), 0);
	strbuf_fini(&text);
}

static void
check_ext(const char *name, const char *ext)
{
	for (uint32_t i = 0; i < forest.n; i++) {
		const struct plant *p = &forest.plant[i];

		if (strcmp(p->name, name) == 0 && !p->dir)
			CHECK_STR(text_of(p->root, p->entry, FIELD_EXT), ext);
		if (strcmp(p->name, name) == 0 && p->dir)
			CHECK_STR(text_of(p->root, p->entry, FIELD_EXT), "");
	}
}

TEST(field, the_extension_follows_the_last_dot_but_a_leading_one)
{
	check_ext("foo.c", "c");
	check_ext("FOO.C", "C");
	check_ext(".c", "");
	check_ext(".a.c", "c");
	check_ext("x.tar.gz", "gz");
	check_ext("ab", "");
	strbuf_fini(&text);
}

TEST(field, languages_go_by_name_and_extension)
{
	static const char *const rows[][2] = {
		{"x.c", "c"},
		{"x.H", "c"},
		{"a.b.py", "python"},
		{"Makefile", "make"},
		{"CMakeLists.txt", "cmake"},
		{"Kconfig", "kconfig"},
		{"x.rs", "rust"},
		{"x.zsh", "shell"},
		{"x.unknown", ""},
		{"c", ""},
		{"", ""},
		{"x.", ""},
		{"x.averyveryverylongextension", ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_STR(lang_of(span_of(rows[i][0])), rows[i][1]);
}
