#include "test.h"
#include "text/window.h"

static char *
filled(size_t len, size_t line)
{
	char *text = malloc(len + 1);

	CHECK(text != NULL);
	for (size_t i = 0; i < len; i++)
		text[i] = line && i % line == line - 1 ? '\n' : (char)('a' + i % 26);
	return text;
}

/* What holds of all windows; how many there are. */
static size_t
check_windows(struct span text, enum sniff kind, size_t overlap)
{
	struct window w = {0}, before = {0};
	size_t n = 0;

	for (; window_next(text, kind, &w); n++, before = w) {
		CHECK(w.from <= w.fresh && w.fresh == before.to && w.to <= text.len);
		CHECK(w.to - w.from <= WINDOW_BYTES);
		if (n == 0)
			continue;
		CHECK(w.from > before.from && w.to > before.to);
		CHECK(before.to - w.from >= overlap);
		CHECK(before.to - w.from <= overlap + WINDOW_LINE_BYTES + 8);
	}
	CHECK_INT(before.to, text.len);
	return n;
}

TEST(window, a_short_text_is_one_window)
{
	AUTO(freep) char *text = filled(WINDOW_BYTES + 1, 80);

	CHECK_INT(check_windows(SPAN_LIT(""), SNIFF_TEXT, 0), 1);
	CHECK_INT(check_windows((struct span){text, 1}, SNIFF_TEXT, 0), 1);
	CHECK_INT(check_windows((struct span){text, WINDOW_BYTES}, SNIFF_TEXT, 0), 1);
	CHECK_INT(check_windows((struct span){text, WINDOW_BYTES + 1}, SNIFF_TEXT, WINDOW_OVERLAP),
		2);
}

TEST(window, windows_end_behind_lines_where_there_are_some)
{
	AUTO(freep) char *text = filled(5 * WINDOW_BYTES, 97);
	struct span s = {text, 5 * WINDOW_BYTES};

	(void)check_windows(s, SNIFF_TEXT, WINDOW_OVERLAP);
	for (struct window w = {0}; window_next(s, SNIFF_TEXT, &w);) {
		CHECK(w.to == s.len || text[w.to - 1] == '\n');
		CHECK(w.from == 0 || text[w.from - 1] == '\n');
	}
}

TEST(window, a_line_without_end_is_cut_between_characters)
{
	size_t len = 3 * WINDOW_BYTES;
	AUTO(freep) char *text = filled(len, 0);
	struct span s = {text, len};

	(void)check_windows(s, SNIFF_TEXT, WINDOW_OVERLAP);
	/* Three bytes a character. */
	for (size_t i = 0; i < len; i++)
		text[i] = "\xe6\x97\xa5"[i % 3];
	(void)check_windows(s, SNIFF_TEXT, WINDOW_OVERLAP);
	for (struct window w = {0}; window_next(s, SNIFF_TEXT, &w);)
		CHECK(w.from % 3 == 0 && (w.to % 3 == 0 || w.to == len));
	/* Nothing but middles of characters: cut anywhere. */
	memset(text, 0x80, len);
	(void)check_windows(s, SNIFF_TEXT, WINDOW_OVERLAP);
}

TEST(window, utf16_is_cut_between_characters_and_shares_twice_as_many_bytes)
{
	size_t len = 2 * WINDOW_BYTES + 2;
	AUTO(freep) char *text = filled(len, 0);
	struct span s = {text, len};

	/* U+1F600 all over: d83d de00. */
	for (size_t i = 0; i < len; i++)
		text[i] = "\x3d\xd8\x00\xde"[i % 4];
	(void)check_windows(s, SNIFF_UTF16LE, 2 * WINDOW_OVERLAP);
	for (struct window w = {0}; window_next(s, SNIFF_UTF16LE, &w);)
		CHECK(w.from % 4 == 0 && (w.to % 4 == 0 || w.to == len));
	for (size_t i = 0; i < len; i++)
		text[i] = "\xd8\x3d\xde\x00"[i % 4];
	(void)check_windows(s, SNIFF_UTF16BE, 2 * WINDOW_OVERLAP);
	for (struct window w = {0}; window_next(s, SNIFF_UTF16BE, &w);)
		CHECK(w.from % 4 == 0 && (w.to % 4 == 0 || w.to == len));
}

/* A decoder leaves out a mark at the beginning of what it is given. */
TEST(window, no_later_window_of_utf16_begins_with_a_mark)
{
	size_t len = 2 * WINDOW_BYTES;
	AUTO(freep) char *text = filled(len, 0);
	struct span s = {text, len};
	struct window w = {0};

	for (size_t i = 0; i < len; i += 2)
		memcpy(text + i, i / 2 % 512 ? "\xff\xfe" : "a", 2);
	CHECK(window_next(s, SNIFF_UTF16LE, &w));
	while (window_next(s, SNIFF_UTF16LE, &w))
		CHECK(memcmp(text + w.from, "\xff\xfe", 2) != 0);
}
