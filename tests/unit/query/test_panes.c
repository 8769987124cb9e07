#include "query/panes.h"

#include "test.h"

#include <stdio.h>
#include <string.h>

#define N_UNITS 6u

/* Two documents: the first of one unit, the second of five, of which the third begins in a line. */
static const struct text_doc docs[] = {{.first_unit = 0}, {.first_unit = 1}};
static const uint32_t unit_doc[N_UNITS] = {0, 1, 1, 1, 1, 1};
static const struct text_window windows[] = {
	{2, TEXT_WINDOW_LINE, 10, 1},
	{3, 0, 20, 2},
	{4, TEXT_WINDOW_LINE, 30, 3},
	{5, TEXT_WINDOW_LINE, 40, 7},
};
static const struct text_cols cols = {.n_docs = ARRAY_LEN(docs),
	.n_units = N_UNITS,
	.n_windows = ARRAY_LEN(windows),
	.docs = docs,
	.unit_doc = unit_doc,
	.windows = windows};

static struct panes
panes_of(uint64_t units)
{
	struct panes p;

	CHECK_INT(panes_make(&cols, 1, &units, &p), 0);
	return p;
}

/* "from-end " of each part that is to be searched of a text of 50 bytes. */
static void
check_parts(const struct panes *p, size_t from, const char *expected)
{
	struct subject s = {{"", 50}, p};
	uint64_t n_bytes = 0;
	char parts[100] = "";

	for (size_t end; from < s.text.len; from = end) {
		size_t at = strlen(parts);

		panes_next(s, from, &from, &end);
		if (from == s.text.len)
			break;
		n_bytes += end - from;
		(void)snprintf(parts + at, sizeof(parts) - at, "%zu-%zu ", from, end);
	}
	CHECK_STR(parts, expected);
	CHECK(panes_bytes(s) >= n_bytes);
}

TEST(panes, a_text_in_one_unit_has_none)
{
	struct panes p;

	CHECK_INT(panes_make(&cols, 0, NULL, &p), 0);
	CHECK_INT(p.list.len, 0);
	check_parts(&p, 5, "5-50 ");
	check_parts(NULL, 0, "0-50 ");
	panes_fini(&p);
}

TEST(panes, lines_of_asked_units_are_searched)
{
	struct panes p = panes_of(1u << 1 | 1u << 5);

	check_parts(&p, 0, "0-30 40-50 ");
	check_parts(&p, 35, "40-50 ");
	panes_fini(&p);
}

TEST(panes, a_line_in_two_units_is_searched)
{
	struct panes p = panes_of(0);

	check_parts(&p, 0, "10-30 ");
	check_parts(&p, 15, "15-30 ");
	check_parts(&p, 30, "");
	panes_fini(&p);
}

TEST(panes, all_are_asked_when_no_grams_are)
{
	struct panes p;

	CHECK_INT(panes_make(&cols, 1, NULL, &p), 0);
	CHECK_INT(p.list.len, 4);
	check_parts(&p, 0, "0-50 ");
	panes_fini(&p);
}

TEST(panes, lines_before_are_known_where_a_pane_begins)
{
	struct panes p = panes_of(0);
	size_t from;

	CHECK_INT(panes_lines(&p, 9, &from), 0);
	CHECK_INT(from, 0);
	CHECK_INT(panes_lines(&p, 29, &from), 1);
	CHECK_INT(from, 10);
	CHECK_INT(panes_lines(&p, 30, &from), 3);
	CHECK_INT(from, 30);
	CHECK_INT(panes_lines(&p, 1000, &from), 7);
	CHECK_INT(panes_lines(NULL, 1000, &from), 0);
	CHECK_INT(from, 0);
	panes_fini(&p);
}

/* "from-end " of what is asked of a text of 50 bytes by parts of so many. */
static void
check_cut(const struct panes *p, uint64_t max_bytes, const char *expected)
{
	char parts[100] = "";

	for (size_t at = 0; at < p->list.len;) {
		struct panes part;
		struct subject s = {{"", 50}, &part};
		size_t from, end, to;

		CHECK_INT(panes_part(p, 50, max_bytes, &at, &part), 0);
		panes_next(s, 0, &from, &end);
		(void)snprintf(parts + strlen(parts), 20, "%zu-%zu ", from, end);
		for (to = end; to < 50; to = end) { /* of the same part */
			panes_next(s, to, &from, &end);
			if (from < 50)
				(void)snprintf(
					parts + strlen(parts), 20, "and %zu-%zu ", from, end);
		}
		panes_fini(&part);
	}
	CHECK_STR(parts, expected);
}

TEST(panes, parts_have_all_that_is_asked_once)
{
	struct panes p = panes_of(1u << 1 | 1u << 2 | 1u << 5);
	struct panes few = panes_of(1u << 1 | 1u << 5);
	size_t from;

	check_cut(&p, 1, "0-10 10-30 40-50 ");
	check_cut(&p, 11, "0-30 40-50 ");
	check_cut(&p, 31, "0-30 and 40-50 ");
	check_cut(&few, 1000, "0-30 and 40-50 ");
	panes_fini(&p);
	panes_fini(&few);
	p = panes_of(1u << 5);
	check_cut(&p, 1, "10-30 40-50 ");
	CHECK_INT(panes_lines(&p, 45, &from), 7);
	panes_fini(&p);
}

/* Sums tell of damage; what is wrong all the same makes wrong answers, and no wrong access. */
TEST(panes, offsets_behind_the_text_do_no_harm)
{
	struct panes p = panes_of(1u << 4 | 1u << 5);
	struct subject s = {{"", 25}, &p};
	size_t from, end;

	panes_next(s, 0, &from, &end);
	CHECK_INT(from, 10);
	CHECK_INT(end, 25);
	panes_next(s, 25, &from, &end);
	CHECK_INT(from, 25);
	CHECK(panes_bytes(s) <= 25);
	panes_fini(&p);
}
