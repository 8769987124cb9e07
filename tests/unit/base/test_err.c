#include "test.h"

#include <errno.h>

#include "base/err.h"

TEST(err, set_fills_the_sentence_and_returns_the_code)
{
	struct err e = {.pos = 9, .hint = "old"};

	CHECK_INT(err_set(&e, -EINVAL, "unknown key \"%s\"", "colour"), -EINVAL);
	CHECK_INT(e.code, -EINVAL);
	CHECK_INT(e.pos, 0);
	CHECK_STR(e.what, "unknown key \"colour\"");
	CHECK_STR(e.hint, "");
	CHECK_INT(err_hint(&e, "try \"%s\"", "color"), -EINVAL);
	CHECK_STR(e.hint, "try \"color\"");
	CHECK_INT(err_prefix(&e, "%s:%d", "trawld.conf", 3), -EINVAL);
	CHECK_STR(e.what, "trawld.conf:3: unknown key \"colour\"");
}

TEST(err, nobody_has_to_listen)
{
	CHECK_INT(err_set(NULL, -EIO, "x"), -EIO);
	CHECK_INT(err_hint(NULL, "x"), 0);
	CHECK_INT(err_prefix(NULL, "x"), 0);
}

TEST(err, an_overlong_sentence_is_cut)
{
	struct err e;
	char text[1000];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	(void)err_set(&e, -EIO, "%s", text);
	CHECK_INT(strlen(e.what), sizeof(e.what) - 1);
	(void)err_prefix(&e, "%s", text);
	CHECK_INT(strlen(e.what), sizeof(e.what) - 1);
	(void)err_hint(&e, "%s", text);
	CHECK_INT(strlen(e.hint), sizeof(e.hint) - 1);
}

TEST(err, a_reason_is_lower_case_words_for_every_code)
{
	CHECK_STR(err_reason(-EACCES), "permission denied");
	CHECK_STR(err_reason(EACCES), "permission denied");
	CHECK_STR(err_reason(-ENOENT), "no such file or directory");
	CHECK(strlen(err_reason(-99999)) > 0);
}
