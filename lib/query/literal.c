#include "query/literal.h"

#include <errno.h>

#include "index/tree_gram.h"

bool
span_is_ascii(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if ((unsigned char)s.data[i] >= 0x80)
			return false;
	}
	return true;
}

int
literal_init(struct literal *l, struct span text, bool fold, enum member_place place)
{
	unsigned flags = place & MEMBER_START ? TREE_GRAM_HEAD : 0;
	int r = needle_init(&l->needle, text, fold);

	if (r < 0)
		return r;
	members_init(&l->scan, &l->needle, place);
	/* A needle that is not UTF-8 is folded in ASCII alone; names and globs are folded where
	 * they can be. */
	l->ask_wide = !l->needle.exact_ascii || (fold && !span_is_ascii(text));
	if (place & MEMBER_END)
		flags |= TREE_GRAM_TAIL;
	l->n_grams = tree_grams(text, (enum tree_gram_flags)flags, l->gram, LITERAL_MAX_GRAMS);
	return 0;
}

void
literal_fini(struct literal *l)
{
	needle_fini(&l->needle);
}

int
name_test_add(struct name_test *t, struct span text, bool fold, enum member_place place)
{
	int r = text.len == 0 ? 0 : literal_init(&t->literal[t->n_literals], text, fold, place);

	if (r == 0 && text.len > 0)
		t->n_literals++;
	return r;
}

int
name_test_word(struct name_test *t, struct span text, bool fold)
{
	t->decides = true;
	return name_test_add(t, text, fold, MEMBER_ANYWHERE);
}

/* The literals of a glob, unescaped one after the other into a buffer. */
struct pieces {
	char *buf;
	size_t len, start;             /* of the run at hand */
	struct span first, best, last; /* before all wildcards, the longest between, after them */
	bool only_stars, any_wild;
};

static void
end_piece(struct pieces *p)
{
	struct span run = {p->buf + p->start, p->len - p->start};

	if (!p->any_wild)
		p->first = run;
	else if (run.len > p->best.len)
		p->best = run;
	p->any_wild = true;
	p->start = p->len;
}

size_t
glob_set_end(struct span g, size_t at)
{
	at++;
	if (at < g.len && (g.data[at] == '!' || g.data[at] == '^'))
		at++;
	for (size_t first = at; at < g.len && (g.data[at] != ']' || at == first); at++) {
		if (g.data[at] == '\\')
			at++;
	}
	return at + 1;
}

static void
split_glob(struct span g, struct pieces *p)
{
	bool wide_run = false; /* a run between wildcards that is not the longest */

	p->only_stars = true;
	for (size_t at = 0; at < g.len;) {
		char c = g.data[at];

		if (c != '*' && c != '?' && c != '[') {
			at += c == '\\' && at + 1 < g.len;
			p->buf[p->len++] = g.data[at++];
			continue;
		}
		wide_run = wide_run || (p->any_wild && p->len > p->start && p->best.len > 0);
		end_piece(p);
		p->only_stars = p->only_stars && c == '*';
		at = c == '[' ? glob_set_end(g, at) : at + 1;
	}
	p->last = (struct span){p->buf + p->start, p->len - p->start};
	p->only_stars = p->only_stars && !wide_run;
}

int
name_test_glob(struct name_test *t, struct span pattern, bool fold)
{
	AUTO(freep) char *buf = malloc(pattern.len + 1);
	struct pieces p = {.buf = buf};
	size_t bad;
	int r;

	if (!buf)
		return -ENOMEM;
	r = glob_init(&t->glob, pattern, fold ? GLOB_FOLD : 0, &bad);
	if (r < 0)
		return r;
	split_glob(pattern, &p);
	if (!p.any_wild) { /* everything was escaped */
		r = name_test_add(t, p.last, fold, MEMBER_START | MEMBER_END);
		return r;
	}
	(void)((r = name_test_add(t, p.first, fold, MEMBER_START)) < 0 ||
		(r = name_test_add(t, p.last, fold, MEMBER_END)) < 0 ||
		(r = name_test_add(t, p.best, fold, MEMBER_ANYWHERE)) < 0);
	/* One piece and stars. A piece that is not UTF-8 could begin within a character. */
	t->decides = p.only_stars && t->n_literals <= 1 && utf8_valid(pattern.data, pattern.len);
	return r;
}

struct span
glob_piece(struct span glob, char *buf)
{
	struct span best = {0};
	size_t len = 0, start = 0;

	for (size_t at = 0; at < glob.len;) {
		char c = glob.data[at];

		if (c == '*' || c == '?' || c == '[' || c == '/') {
			start = len;
			at = c == '[' ? glob_set_end(glob, at) : at + 1;
			continue;
		}
		at += c == '\\' && at + 1 < glob.len;
		if (glob.data[at] == '/') /* escaped, a slash all the same */
			start = len + 1;
		buf[len++] = glob.data[at++];
		if (len - MIN(start, len) > best.len)
			best = (struct span){buf + start, len - start};
	}
	return best;
}

void
name_test_fini(struct name_test *t)
{
	for (uint32_t i = 0; i < t->n_literals; i++)
		literal_fini(&t->literal[i]);
	t->n_literals = 0;
}
