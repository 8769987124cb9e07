#include "test.h"

#include <errno.h>

#include "proto/line.h"

static void
expect(struct line_reader *l, const char *text)
{
	struct span line;

	CHECK_INT(line_reader_next(l, &line), 1);
	CHECK_SAY(span_eq(line, span_of(text)), "line is \"%.*s\", expected \"%s\"", (int)line.len,
		line.data, text);
}

static void
feed(struct line_reader *l, const char *text)
{
	CHECK_INT(line_reader_feed(l, text, strlen(text)), 0);
}

TEST(line, lines_come_out_whole_however_they_came_in)
{
	static const char text[] = "one\r\n\ntwo \r \n\r\nthree\n";
	struct span line;

	for (size_t piece = 1; piece < sizeof(text); piece++) {
		static const char *expected[] = {"one", "", "two \r ", "", "three"};
		struct line_reader l;
		size_t n = 0;

		line_reader_init(&l, 8);
		for (size_t at = 0; at < sizeof(text) - 1; at += piece) {
			CHECK_INT(
				line_reader_feed(&l, text + at, MIN(piece, sizeof(text) - 1 - at)),
				0);
			while (line_reader_next(&l, &line) == 1) {
				CHECK(n < ARRAY_LEN(expected));
				CHECK(span_eq(line, span_of(expected[n])));
				n++;
			}
		}
		CHECK_INT(n, ARRAY_LEN(expected));
		CHECK_INT(line_reader_rest(&l, &line), 0);
		line_reader_fini(&l);
	}
}

TEST(line, a_line_may_be_as_long_as_the_limit_and_no_longer)
{
	struct line_reader l;
	struct span line;

	line_reader_init(&l, 4);
	feed(&l, "1234");
	CHECK_INT(line_reader_next(&l, &line), 0);
	feed(&l, "\r");
	CHECK_INT(line_reader_next(&l, &line), 0);
	feed(&l, "\n");
	expect(&l, "1234");
	feed(&l, "12345\n");
	CHECK_INT(line_reader_next(&l, &line), -EOVERFLOW);
	line_reader_fini(&l);

	line_reader_init(&l, 4);
	feed(&l, "12345");
	CHECK_INT(line_reader_next(&l, &line), -EOVERFLOW);
	l.max_bytes = 5;
	feed(&l, "\n");
	expect(&l, "12345");
	line_reader_fini(&l);
}

TEST(line, a_long_line_is_refused_before_its_end_came)
{
	struct line_reader l;
	struct span line;
	size_t fed = 0;
	char piece[100];

	memset(piece, 'x', sizeof(piece));
	line_reader_init(&l, 1000);
	while (line_reader_next(&l, &line) == 0) {
		CHECK_INT(line_reader_feed(&l, piece, sizeof(piece)), 0);
		fed += sizeof(piece);
	}
	CHECK_INT(fed, 1100);
	line_reader_fini(&l);
}

TEST(line, the_rest_without_a_newline_is_given_once)
{
	struct line_reader l;
	struct span line;

	line_reader_init(&l, 100);
	feed(&l, "a\nrest");
	expect(&l, "a");
	CHECK_INT(line_reader_next(&l, &line), 0);
	CHECK_INT(line_reader_rest(&l, &line), 1);
	CHECK(span_eq(line, SPAN_LIT("rest")));
	CHECK_INT(line_reader_rest(&l, &line), 0);
	line_reader_fini(&l);
}

TEST(line, an_idle_reader_holds_no_memory)
{
	struct line_reader l;
	struct span line;

	line_reader_init(&l, 100);
	feed(&l, "a\n");
	expect(&l, "a");
	CHECK_INT(line_reader_next(&l, &line), 0);
	CHECK(l.buf.data == NULL);
	feed(&l, "b\n");
	expect(&l, "b");
	line_reader_fini(&l);
}
