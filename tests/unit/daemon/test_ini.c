#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "daemon/ini.h"

struct seen {
	char text[4096];
	int code; /* what the callback returns */
};

static int
on_item(void *ctx, const struct ini_item *item, struct err *err)
{
	struct seen *s = ctx;
	size_t n = strlen(s->text);

	(void)err;
	(void)snprintf(s->text + n, sizeof(s->text) - n, "%u %.*s/%.*s %.*s=%.*s;", item->line,
		(int)item->section.len, item->section.data, (int)item->label.len, item->label.data,
		(int)item->key.len, item->key.data, (int)item->value.len, item->value.data);
	return s->code;
}

static int
read_text(const char *text, struct seen *s, struct err *err)
{
	char *dir = test_dir();
	char path[4096];
	int r;

	test_write(dir, "a.conf", text);
	(void)snprintf(path, sizeof(path), "%s/a.conf", dir);
	r = ini_read(path, on_item, s, err);
	test_dir_remove(dir);
	return r;
}

TEST(ini, gives_every_pair_with_its_section_and_line)
{
	struct seen s = {0};

	CHECK_INT(read_text("# a\n[one]\nk = v w \n\n; b\n[two la bel]\r\nx=#y;\r\nz =", &s, NULL),
		0);
	CHECK_STR(
		s.text, "2 one/ =;3 one/ k=v w;6 two/la bel =;7 two/la bel x=#y;;8 two/la bel z=;");
}

TEST(ini, points_at_the_line_that_is_wrong)
{
	static const struct {
		const char *text;
		const char *says;
	} cases[] = {
		{"[a]\nno equals\n", ":2: expected \"key = value\""},
		{"[a\n", ":1: the section's line has no closing ]"},
		{"k = v\n", ":1: \"k\" stands before the first section"},
		{"[a]\n = v\n", ":2: there is no key before the ="},
		{"[]\n", ":1: the section has no name"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct seen s = {0};
		struct err err = {0};

		CHECK_INT(read_text(cases[i].text, &s, &err), -EINVAL);
		CHECK_SAY(strstr(err.what, cases[i].says) != NULL, "\"%s\" lacks \"%s\"", err.what,
			cases[i].says);
	}
}

TEST(ini, reads_a_line_of_8_kib_whole_and_refuses_a_longer_one)
{
	AUTO(freep) char *text = malloc(20000);
	struct seen s = {0};
	struct err err = {0};

	(void)strcpy(text, "[a]\nk = ");
	memset(text + 8, 'x', 8188);
	(void)strcpy(text + 8196, "\n");
	CHECK_INT(read_text(text, &s, &err), 0);
	memset(text + 8, 'x', 8189);
	(void)strcpy(text + 8197, "\n");
	CHECK_INT(read_text(text, &s, &err), -EOVERFLOW);
	CHECK_SAY(strstr(err.what, ":2: the line has 8193 bytes") != NULL, "%s", err.what);
}

TEST(ini, stops_at_the_callbacks_error)
{
	struct seen s = {.code = -ENOENT};

	CHECK_INT(read_text("[a]\nk=v\n", &s, NULL), -ENOENT);
	CHECK_STR(s.text, "1 a/ =;");
}

TEST(ini, splits_words_at_white_space_outside_quotes)
{
	char **words;

	CHECK_INT(ini_words(SPAN_LIT(" a  \"b c\" d\\e \"\\\"\\\\\" \"\" "), &words), 0);
	CHECK_STR(words[0], "a");
	CHECK_STR(words[1], "b c");
	CHECK_STR(words[2], "d\\e");
	CHECK_STR(words[3], "\"\\");
	CHECK_STR(words[4], "");
	CHECK(words[5] == NULL);
	for (char **w = words; *w; w++)
		free(*w);
	free(words);
	CHECK_INT(ini_words(SPAN_LIT("a \"b"), &words), -EINVAL);
}
