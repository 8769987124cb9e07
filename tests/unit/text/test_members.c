#include "roll.h"
#include "test.h"

#include "base/clock.h"
#include "text/members.h"

/* Few letters, so that literals meet strings, at their ends too. */
static const char letters[] = "aabAB.k\xc3\xa9\xe2";

static size_t
roll_text(char *out, size_t max)
{
	size_t len = roll(8) ? roll((uint32_t)MIN(max, 24u) + 1) : roll((uint32_t)max + 1);

	for (size_t i = 0; i < len; i++)
		out[i] = letters[roll(sizeof(letters) - 1)];
	return len;
}

struct strings {
	struct strbuf blob;
	size_t start[600];
	size_t n;
};

/* What is behind a blob is none of it. */
static void
pad(struct strbuf *blob)
{
	size_t len = blob->len;

	for (size_t i = 0; i < MEMBERS_PAD; i++)
		CHECK_INT(strbuf_putc(blob, i % 8 ? 'a' : '\0'), 0);
	strbuf_truncate(blob, len);
}

static void
roll_strings(struct strings *s, size_t n, size_t max)
{
	char text[1100];

	strbuf_reset(&s->blob);
	for (s->n = 0; s->n < n; s->n++) {
		s->start[s->n] = s->blob.len;
		CHECK_INT(strbuf_add(&s->blob, text, roll_text(text, max)), 0);
		CHECK_INT(strbuf_putc(&s->blob, '\0'), 0);
	}
	s->start[n] = s->blob.len;
	pad(&s->blob);
}

/* Byte by byte, without any search of the library. */
static bool
equal_at(const struct needle *n, const char *at)
{
	for (size_t i = 0; i < n->len; i++) {
		char c = at[i];

		if (n->fold && c >= 'A' && c <= 'Z')
			c = (char)(c + 32);
		if (c != n->text[i])
			return false;
	}
	return true;
}

static bool
member_holds(const struct needle *n, enum member_place place, struct span text)
{
	for (size_t at = 0; at + n->len <= text.len; at++) {
		if (!equal_at(n, text.data + at))
			continue;
		if ((place & MEMBER_START && at > 0) || (place & MEMBER_INSIDE && at == 0) ||
			(place & MEMBER_END && at + n->len != text.len))
			continue;
		return true;
	}
	return false;
}

static void
check_members(const struct strings *s, const struct needle *needle, enum member_place place)
{
	uint64_t bits[10];
	struct members m;

	members_init(&m, needle, place);
	for (unsigned level = 0; level < members_n_levels(); level++) {
		size_t n_hits = 0;

		memset(bits, 0xff, sizeof(bits));
		/* More than there are: they are not. */
		members_find_by(&m, level, strbuf_view(&s->blob), s->n + 3, bits);
		for (size_t i = 0; i < s->n; i++) {
			struct span text = {
				s->blob.data + s->start[i], s->start[i + 1] - s->start[i] - 1};
			bool want = member_holds(needle, place, text);

			n_hits += want;
			CHECK_SAY((bits[i / 64] >> (i % 64) & 1) == want,
				"level %u place %u \"%.*s\" in \"%.*s\" (%zu of %zu)", level,
				(unsigned)place, (int)needle->len, needle->text, (int)text.len,
				text.data, i, s->n);
		}
		CHECK_INT(members_count(bits, (s->n + 3 + 63) / 64), n_hits);
	}
}

TEST(members, every_level_finds_what_a_look_at_each_string_finds)
{
	static const enum member_place places[] = {MEMBER_ANYWHERE, MEMBER_START, MEMBER_END,
		MEMBER_START | MEMBER_END, MEMBER_INSIDE, MEMBER_INSIDE | MEMBER_END};
	struct strings *s = calloc(1, sizeof(*s));
	unsigned long n = test_scale(20000);

	for (unsigned long i = 0; i < n; i++) {
		char text[1100];
		size_t len;
		struct needle needle;

		seed = i * 0x9e3779b97f4a7c15ull + 1;
		roll_strings(s, roll(8) ? roll(70) : roll(599), roll(16) ? 30 : 1023);
		len = roll(4) ? roll(4) + 1 : roll(90) + 1;
		for (size_t k = 0; k < len; k++)
			text[k] = letters[roll(sizeof(letters) - 1)];
		/* Half of them out of the strings. */
		if (s->blob.len > 0 && roll(2)) {
			size_t at = roll((uint32_t)s->blob.len);

			len = MIN(strlen(s->blob.data + at), len);
			memcpy(text, s->blob.data + at, len);
		}
		if (len == 0)
			continue;
		CHECK_INT(needle_init(&needle, (struct span){text, len}, roll(2)), 0);
		for (size_t k = 0; k < ARRAY_LEN(places); k++)
			check_members(s, &needle, places[k]);
		needle_fini(&needle);
	}
	strbuf_fini(&s->blob);
	free(s);
}

TEST(members, a_string_over_many_blocks_is_one_string)
{
	struct strings *s = calloc(1, sizeof(*s));
	struct needle needle;

	CHECK_INT(needle_init(&needle, SPAN_LIT("x"), false), 0);
	for (size_t at = 0; at < 1000; at += 7) {
		strbuf_reset(&s->blob);
		for (size_t i = 0; i < 1000; i++)
			CHECK_INT(strbuf_putc(&s->blob, i == at ? 'x' : 'y'), 0);
		CHECK_INT(strbuf_add(&s->blob, "\0z", 3), 0);
		s->n = 2;
		s->start[1] = 1001;
		s->start[2] = s->blob.len;
		pad(&s->blob);
		check_members(s, &needle, MEMBER_ANYWHERE);
		check_members(s, &needle, MEMBER_START);
		check_members(s, &needle, MEMBER_INSIDE);
	}
	needle_fini(&needle);
	strbuf_fini(&s->blob);
	free(s);
}

/* A disk that gives zeros makes many empty strings of a few. */
TEST(members, zeros_where_names_should_be_stay_within_the_bits)
{
	static const char zeros[1000 + MEMBERS_PAD] = "ab\0ab";
	uint64_t bits[3] = {0, 0, 0x5555};
	struct needle needle;
	struct members m;

	CHECK_INT(needle_init(&needle, SPAN_LIT("b"), false), 0);
	members_init(&m, &needle, MEMBER_ANYWHERE);
	for (unsigned level = 0; level < members_n_levels(); level++) {
		members_find_by(&m, level, (struct span){zeros, 1000}, 100, bits);
		CHECK(bits[0] == 3 && bits[1] == 0 && bits[2] == 0x5555);
		members_find_by(&m, level, (struct span){zeros, 1000}, 1, bits);
		CHECK(bits[0] == 1);
		members_find_by(&m, level, (struct span){zeros, 0}, 70, bits);
		CHECK(bits[0] == 0 && bits[1] == 0 && bits[2] == 0x5555);
	}
	needle_fini(&needle);
}

TEST(members, a_literal_with_a_nul_is_nowhere)
{
	static const char blob[] = "ab\0cd";
	uint64_t bits = 1;
	struct needle needle;
	struct members m;

	CHECK_INT(needle_init(&needle, (struct span){"b\0c", 3}, false), 0);
	members_init(&m, &needle, MEMBER_ANYWHERE);
	members_find(&m, (struct span){blob, sizeof(blob)}, 2, &bits);
	CHECK(bits == 0);
	needle_fini(&needle);
}

TEST(members, what_ascii_cannot_tell_is_said)
{
	static const struct {
		const char *text;
		bool fold, exact;
	} rows[] = {{"abc", true, true}, {"abc", false, true}, {"bark", true, false},
		{"bark", false, true}, {"sea", true, false}, {"\xc3\xa9", true, false},
		{"\xc3\xa9", false, true}, {"\xff", true, true}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct needle needle;

		CHECK_INT(needle_init(&needle, span_of(rows[i].text), rows[i].fold), 0);
		CHECK_SAY(needle.exact_ascii == rows[i].exact, "%s", rows[i].text);
		needle_fini(&needle);
	}
}
