#include "query/term.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <strings.h>

#include "base/account.h"

int
value_number(struct span text, uint32_t pos, const struct term_env *e, struct value *ret)
{
	uint64_t v;
	int r = parse_u64(text, &v);

	if (r < 0) {
		(void)query_fail(e->err, pos, r == -ERANGE ? "number too large" : "not a number");
		(void)err_hint(e->err, "write digits, as in 2, >2, <10 or 1..3");
		return -EINVAL;
	}
	*ret = (struct value){.lo = v, .hi = v};
	return 0;
}

int
value_size(struct span text, uint32_t pos, const struct term_env *e, struct value *ret)
{
	uint64_t v;
	int r;

	if (span_eq(text, SPAN_LIT("empty"))) {
		*ret = (struct value){0};
		return 0;
	}
	r = parse_size(text, &v);
	if (r < 0) {
		(void)query_fail(e->err, pos, r == -ERANGE ? "size too large" : "not a size");
		(void)err_hint(e->err, "write a number with an optional k, m, g or t, as in >10k, "
				       "..2M or 1M..2M");
		return -EINVAL;
	}
	*ret = (struct value){.lo = v, .hi = v};
	return 0;
}

/* Offset of ".." in the text, or text.len. */
static size_t
find_dots(struct span text)
{
	for (size_t i = 0; i + 1 < text.len; i++) {
		if (text.data[i] == '.' && text.data[i + 1] == '.')
			return i;
	}
	return text.len;
}

/* The open side of a range: before (or after) the interval v. 1 when nothing is there. */
static int
one_sided(struct value v, bool above, bool inclusive, struct value *ret)
{
	*ret = (struct value){0, UINT64_MAX, v.age};
	if (above != v.age) {
		if (!inclusive && v.hi == UINT64_MAX)
			return 1;
		ret->lo = inclusive ? v.lo : v.hi + 1;
	} else {
		if (!inclusive && v.lo == 0)
			return 1;
		ret->hi = inclusive ? v.hi : v.lo - 1;
	}
	return 0;
}

static int
two_sided(struct span text, size_t dots, uint32_t pos, const struct term_env *e, value_fn one,
	struct value *ret)
{
	struct span left = {text.data, dots};
	struct span right = {text.data + dots + 2, text.len - dots - 2};
	struct value a = {0}, b = {0};
	int r;

	if (left.len == 0 && right.len == 0) {
		(void)query_fail(e->err, pos, "a range without ends");
		(void)err_hint(e->err, "write A..B, A.. or ..B");
		return -EINVAL;
	}
	r = left.len ? one(left, pos, e, &a) : 0;
	if (r == 0 && right.len)
		r = one(right, pos + (uint32_t)dots + 2, e, &b);
	if (r < 0)
		return r;
	if (right.len == 0)
		return one_sided(a, true, true, ret);
	if (left.len == 0)
		return one_sided(b, false, true, ret);
	if (a.age && b.age && a.lo > b.lo) { /* 1d..7d: the older end comes first in time */
		struct value swap = a;

		a = b;
		b = swap;
	}
	if (a.lo > b.hi) {
		(void)query_fail(e->err, pos, "the range ends before it begins");
		(void)err_hint(e->err, "write the smaller end first");
		return -EINVAL;
	}
	*ret = (struct value){a.lo, b.hi, false};
	return 0;
}

int
value_range(
	struct span text, uint32_t pos, const struct term_env *e, value_fn one, struct value *ret)
{
	size_t dots = find_dots(text);
	bool above, inclusive;
	struct value v;
	int r;

	if (dots < text.len)
		return two_sided(text, dots, pos, e, one, ret);
	if (text.len == 0 || (text.data[0] != '<' && text.data[0] != '>')) {
		r = one(text, pos, e, &v);
		if (r == 0 && v.age) {
			(void)query_fail(e->err, pos, "an age without < or >");
			(void)err_hint(e->err,
				"write <%.*s for less than that ago, >%.*s for longer ago",
				(int)MIN(text.len, 20u), text.data, (int)MIN(text.len, 20u),
				text.data);
			return -EINVAL;
		}
		if (r == 0)
			*ret = v;
		return r;
	}
	above = text.data[0] == '>';
	inclusive = text.len > 1 && text.data[1] == '=';
	pos += inclusive ? 2 : 1;
	text.data += inclusive ? 2 : 1;
	text.len -= inclusive ? 2 : 1;
	r = one(text, pos, e, &v);
	return r < 0 ? r : one_sided(v, above, inclusive, ret);
}

int
value_perm(struct span text, uint32_t pos, const struct term_env *e, enum perm_test *ret_test,
	uint32_t *ret_bits)
{
	enum perm_test test = PERM_EXACT;
	uint32_t bits = 0;
	size_t i = 0;

	if (text.len > 0 && (text.data[0] == '-' || text.data[0] == '/')) {
		test = text.data[0] == '-' ? PERM_ALL : PERM_ANY;
		i = 1;
	}
	if (i == text.len || text.len - i > 5)
		goto fail;
	for (; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '7')
			goto fail;
		bits = bits * 8 + (uint32_t)(text.data[i] - '0');
	}
	if (bits > 07777)
		goto fail;
	*ret_test = test;
	*ret_bits = bits;
	return 0;
fail:
	(void)query_fail(e->err, pos, "not permission bits");
	(void)err_hint(e->err, "write octal digits: 644 exactly these, -022 all of them, /111 any "
			       "of them");
	return -EINVAL;
}

static const struct {
	const char *word;
	uint8_t type;
} types[] = {
	{"file", DT_REG},
	{"dir", DT_DIR},
	{"directory", DT_DIR},
	{"folder", DT_DIR},
	{"link", DT_LNK},
	{"symlink", DT_LNK},
	{"pipe", DT_FIFO},
	{"fifo", DT_FIFO},
	{"socket", DT_SOCK},
	{"block", DT_BLK},
	{"char", DT_CHR},
};

static uint32_t
type_letter(char c)
{
	static const char letters[] = "fdlpsbc";
	static const uint8_t kinds[] = {DT_REG, DT_DIR, DT_LNK, DT_FIFO, DT_SOCK, DT_BLK, DT_CHR};
	const char *at = c ? strchr(letters, c) : NULL;

	return at ? 1u << kinds[at - letters] : 0;
}

/* One item of the list: a word, else letters. */
static int
value_type(struct span item, uint32_t pos, const struct term_env *e, uint32_t *mask)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (strlen(types[i].word) == item.len &&
			strncasecmp(types[i].word, item.data, item.len) == 0) {
			*mask |= 1u << types[i].type;
			return 0;
		}
	}
	for (size_t i = 0; i < item.len; i++) {
		uint32_t bit = type_letter(item.data[i]);

		if (!bit) {
			(void)query_fail(
				e->err, pos + (uint32_t)i, "unknown file type '%c'", item.data[i]);
			(void)err_hint(e->err,
				"write f (file), d (directory), l (link), p (pipe), s "
				"(socket), b (block device) or c (character device)");
			return -EINVAL;
		}
		*mask |= bit;
	}
	return 0;
}

int
value_types(struct span text, uint32_t pos, const struct term_env *e, uint32_t *ret)
{
	uint32_t mask = 0;
	size_t start = 0;

	for (size_t i = 0; i <= text.len; i++) {
		int r;

		if (i < text.len && text.data[i] != ',')
			continue;
		r = value_type((struct span){text.data + start, i - start}, pos + (uint32_t)start,
			e, &mask);
		if (r < 0)
			return r;
		start = i + 1;
	}
	*ret = mask;
	return 0;
}

int
value_owner(struct span text, uint32_t pos, const struct term_env *e, bool group, uint32_t *ret)
{
	const char *kind = group ? "group" : "user";
	uint64_t number;
	char name[256];
	int r;

	if (parse_u64(text, &number) == 0 && number < UINT32_MAX) {
		*ret = (uint32_t)number;
		return 0;
	}
	if (text.len >= sizeof(name)) {
		(void)query_fail(e->err, pos, "%s name too long", kind);
		(void)err_hint(e->err, "write its number");
		return -EINVAL;
	}
	memcpy(name, text.data, text.len);
	name[text.len] = '\0';
	r = account_number(group ? ACCOUNT_GROUP : ACCOUNT_USER, name, ret);
	if (r > 0)
		return 0;
	if (r == -ENOMEM)
		return r;
	if (r == 0)
		(void)query_fail(e->err, pos, "unknown %s \"%.60s\"", kind, name);
	else
		(void)query_fail(e->err, pos, "could not look up %s \"%.60s\": %s", kind, name,
			err_reason(r));
	(void)err_hint(e->err, "write a %s of this machine, or its number", kind);
	return -EINVAL;
}
