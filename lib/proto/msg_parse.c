/*
 * JSON (RFC 8259) into values, in one pass over a copy of the line. It is stricter than it must be
 * where programs differ in what they make of a text: a name that comes twice, half of a surrogate
 * pair and a whole number that does not fit in 64 bits are errors.
 */
#include "proto/msg_impl.h"

#include <errno.h>

#include "base/vec.h"

#define MAX_MEMBERS 256u /* of one object: each is compared with all others */

struct parser {
	struct msg *msg;
	char *start, *at; /* a NUL stands at the end of the text */
	const char *end;
	unsigned depth;
	VEC(struct msg_val) stack; /* values of containers that are still open */
	struct err *err;
};

static int
fail_at(struct parser *p, const char *at, const char *why)
{
	(void)err_set(p->err, -EPROTO, "cannot read the line as JSON: %s", why);
	if (p->err)
		p->err->pos = (uint32_t)(at - p->start) + 1;
	return -EPROTO;
}

static int
fail(struct parser *p, const char *why)
{
	return fail_at(p, p->at, p->at < p->end ? why : "it ends too early");
}

static int
no_memory(struct parser *p)
{
	return err_set(p->err, -ENOMEM, "could not read the request: %s", err_reason(-ENOMEM));
}

static void
skip_blanks(struct parser *p)
{
	while (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r')
		p->at++;
}

static int
push(struct parser *p, struct msg_val v)
{
	return VEC_PUSH(&p->stack, v) < 0 ? no_memory(p) : 0;
}

/* Strings */

/* Is one of eight bytes a quote, a backslash or a control? The usual arithmetic on all lanes at
 * once: a borrow can only make a lane above one that is so look so, too. */
static bool
any_special(const char *s)
{
	const uint64_t ones = 0x0101010101010101ull, tops = ones * 0x80;
	uint64_t w, quote, slash;

	memcpy(&w, s, sizeof(w));
	quote = w ^ ones * '"';
	slash = w ^ ones * '\\';
	return (((w - ones * 0x20) & ~w) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)) &
	       tops;
}

static bool
is_plain(char c)
{
	return c != '"' && c != '\\' && (unsigned char)c >= 0x20;
}

/* The first byte from s on that is no plain one; there is one: the NUL at the end. */
static char *
plain_end(const struct parser *p, char *s)
{
	while (p->end - s >= 8 && !any_special(s))
		s += 8;
	while (is_plain(*s))
		s++;
	return s;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits behind "\u", at p->at: a UTF-16 unit, or -1. */
static int
take_unit(struct parser *p)
{
	int unit = 0;

	for (unsigned i = 0; i < 4; i++, p->at++) {
		int digit = hex_digit(*p->at);

		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

/* UTF-8, which is never longer than the escape that it stands for. */
static char *
put_code(char *to, uint32_t cp)
{
	if (cp < 0x80) {
		*to++ = (char)cp;
		return to;
	}
	if (cp < 0x800) {
		*to++ = (char)(0xc0 | cp >> 6);
	} else {
		if (cp < 0x10000) {
			*to++ = (char)(0xe0 | cp >> 12);
		} else {
			*to++ = (char)(0xf0 | cp >> 18);
			*to++ = (char)(0x80 | (cp >> 12 & 63));
		}
		*to++ = (char)(0x80 | (cp >> 6 & 63));
	}
	*to++ = (char)(0x80 | (cp & 63));
	return to;
}

/* Behind "\u". */
static int
take_code(struct parser *p, char **to)
{
	const char *began = p->at - 2;
	int high = take_unit(p), low;

	if (high < 0)
		return fail_at(p, began, "\\u needs four hexadecimal digits");
	if (high < 0xd800 || high > 0xdfff) {
		*to = put_code(*to, (uint32_t)high);
		return 0;
	}
	if (high > 0xdbff || p->at[0] != '\\' || p->at[1] != 'u')
		return fail_at(p, began, "half of a surrogate pair");
	p->at += 2;
	low = take_unit(p);
	if (low < 0xdc00 || low > 0xdfff)
		return fail_at(p, began, "half of a surrogate pair");
	*to = put_code(*to, 0x10000 + (((uint32_t)high - 0xd800) << 10 | ((uint32_t)low - 0xdc00)));
	return 0;
}

/* At a backslash. */
static int
take_escape(struct parser *p, char **to)
{
	static const char from[] = "\"\\/bfnrt", made[] = "\"\\/\b\f\n\r\t";
	const char *found;

	p->at++;
	if (*p->at == 'u') {
		p->at++;
		return take_code(p, to);
	}
	found = *p->at ? strchr(from, *p->at) : NULL;
	if (!found)
		return fail_at(p, p->at - 1, "an escape that JSON does not have");
	*(*to)++ = made[found - from];
	p->at++;
	return 0;
}

/* At the opening quote. The text is unescaped where it stands. */
static int
take_string(struct parser *p, struct msg_val *ret)
{
	char *text = ++p->at, *to = plain_end(p, text);

	p->at = to;
	while (*p->at != '"') {
		char *run;
		int r = *p->at == '\\' ? take_escape(p, &to)
		                       : fail(p, "a control character in a string");

		if (r < 0)
			return r;
		run = p->at;
		p->at = plain_end(p, run);
		memmove(to, run, (size_t)(p->at - run));
		to += p->at - run;
	}
	*to = '\0';
	p->at++;
	*ret = (struct msg_val){.kind = MSG_STRING, .len = (uint32_t)(to - text), .text = text};
	return 0;
}

/* Numbers */

static const char *
skip_digits(const char *s)
{
	while (*s >= '0' && *s <= '9')
		s++;
	return s;
}

/* The end of a number that begins at s; *ret_whole: it has no point and no exponent. NULL: none. */
static const char *
number_end(const char *s, bool *ret_whole)
{
	const char *digits = s + (*s == '-'), *end = skip_digits(digits), *more;

	*ret_whole = true;
	if (end == digits || (*digits == '0' && end > digits + 1))
		return NULL;
	if (*end == '.') {
		more = skip_digits(end + 1);
		*ret_whole = false;
		if (more == end + 1)
			return NULL;
		end = more;
	}
	if ((*end | 0x20) == 'e') {
		digits = end + 1 + (end[1] == '+' || end[1] == '-');
		end = skip_digits(digits);
		*ret_whole = false;
	}
	return end == digits ? NULL : end;
}

static bool
whole_number(const char *s, const char *end, int64_t *ret)
{
	bool negative = *s == '-';
	int64_t v = 0;

	for (s += negative; s < end; s++) {
		int digit = *s - '0';

		if (__builtin_mul_overflow(v, 10, &v) ||
			__builtin_sub_overflow(v, digit, &v)) /* the lowest has no opposite */
			return false;
	}
	if (!negative && v == INT64_MIN)
		return false;
	*ret = negative ? v : -v;
	return true;
}

static int
take_number(struct parser *p, struct msg_val *ret)
{
	bool whole;
	const char *end = number_end(p->at, &whole);

	if (!end)
		return fail(p, "a value was expected");
	*ret = (struct msg_val){.kind = MSG_INT};
	if (whole && !whole_number(p->at, end, &ret->integer))
		return fail(p, "a number that does not fit in 64 bits");
	if (!whole) {
		*ret = (struct msg_val){.kind = MSG_REAL, .real = strtod(p->at, NULL)};
		if (ret->real - ret->real != 0)
			return fail(p, "a number that is too large");
	}
	p->at += end - p->at;
	return 0;
}

/* Values */

static int push_value(struct parser *p);

/* The values of the container from stack[first] on get their place, and it theirs. */
static int
close_container(struct parser *p, size_t first, enum msg_kind kind)
{
	size_t n = p->stack.len - first;
	struct msg_val *item = arena_alloc(&p->msg->arena, MAX(n, (size_t)1) * sizeof(*item));

	if (!item)
		return no_memory(p);
	if (n > 0)
		memcpy(item, p->stack.data + first, n * sizeof(*item));
	p->stack.len = first;
	p->depth--;
	p->at++;
	return push(p, (struct msg_val){.kind = kind,
			       .len = (uint32_t)(kind == MSG_OBJECT ? n / 2 : n),
			       .item = item});
}

/* Behind a value: true when another one follows. */
static int
more_follow(struct parser *p, char close)
{
	skip_blanks(p);
	if (*p->at == ',') {
		p->at++;
		skip_blanks(p);
		return 1;
	}
	return *p->at == close ? 0 : fail(p, "a comma or a closing bracket was expected");
}

static int
push_array(struct parser *p)
{
	size_t first = p->stack.len;
	int r;

	p->at++;
	skip_blanks(p);
	r = *p->at != ']';
	while (r > 0) {
		r = push_value(p);
		if (r == 0)
			r = more_follow(p, ']');
	}
	return r < 0 ? r : close_container(p, first, MSG_ARRAY);
}

/* Is the name of the object from stack[first] on a new one? */
static int
check_name(struct parser *p, size_t first, const struct msg_val *name, const char *at)
{
	if (memchr(name->text, '\0', name->len))
		return fail_at(p, at, "a name with a NUL in it");
	if (p->stack.len - first >= 2 * (size_t)MAX_MEMBERS)
		return fail_at(p, at, "an object with more than 256 members");
	for (size_t i = first; i < p->stack.len; i += 2) {
		const struct msg_val *v = &p->stack.data[i];

		if (v->len == name->len && memcmp(v->text, name->text, v->len) == 0)
			return fail_at(p, at, "a name that was there before");
	}
	return 0;
}

static int
push_member(struct parser *p, size_t first)
{
	const char *at = p->at;
	struct msg_val name;
	int r = *at == '"' ? take_string(p, &name) : fail(p, "a name in quotes was expected");

	if (r == 0)
		r = check_name(p, first, &name, at);
	if (r == 0)
		r = push(p, name);
	if (r < 0)
		return r;
	skip_blanks(p);
	if (*p->at != ':')
		return fail(p, "a colon was expected");
	p->at++;
	skip_blanks(p);
	return push_value(p);
}

static int
push_object(struct parser *p)
{
	size_t first = p->stack.len;
	int r;

	p->at++;
	skip_blanks(p);
	r = *p->at != '}';
	while (r > 0) {
		r = push_member(p, first);
		if (r == 0)
			r = more_follow(p, '}');
	}
	return r < 0 ? r : close_container(p, first, MSG_OBJECT);
}

static int
push_container(struct parser *p)
{
	if (++p->depth <= MSG_MAX_DEPTH)
		return *p->at == '[' ? push_array(p) : push_object(p);
	(void)err_set(p->err, -EPROTO, "cannot read the line: it is nested deeper than %u",
		MSG_MAX_DEPTH);
	if (p->err)
		p->err->pos = (uint32_t)(p->at - p->start) + 1;
	return -EPROTO;
}

static bool
take_word(struct parser *p, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(p->at, word, len) != 0)
		return false;
	p->at += len;
	return true;
}

static int
take_scalar(struct parser *p, struct msg_val *ret)
{
	if (*p->at == '"')
		return take_string(p, ret);
	if (take_word(p, "null"))
		*ret = (struct msg_val){.kind = MSG_NULL};
	else if (take_word(p, "true"))
		*ret = (struct msg_val){.kind = MSG_BOOL, .truth = true};
	else if (take_word(p, "false"))
		*ret = (struct msg_val){.kind = MSG_BOOL};
	else
		return take_number(p, ret);
	return 0;
}

/* One value, onto the stack. */
static int
push_value(struct parser *p)
{
	struct msg_val v;
	int r;

	if (*p->at == '[' || *p->at == '{')
		return push_container(p);
	r = take_scalar(p, &v);
	return r < 0 ? r : push(p, v);
}

static int
push_frame(struct parser *p)
{
	int r;

	skip_blanks(p);
	if (*p->at != '{')
		return err_set(p->err, -EPROTO, "a frame is one JSON object in one line");
	r = push_value(p);
	if (r < 0)
		return r;
	skip_blanks(p);
	return p->at == p->end ? 0 : fail(p, "something follows the object");
}

static int
check_utf8(struct parser *p)
{
	const char *s = p->start + utf8_prefix(p->start, (size_t)(p->end - p->start));

	return s == p->end ? 0 : fail_at(p, s, "it is not UTF-8");
}

static int
parse(struct parser *p, struct span line)
{
	int r;

	/* Of most lines the copy and all values. */
	p->msg->arena.chunk_bytes = 2 * line.len + 512;
	p->start = p->at = arena_copy(&p->msg->arena, line.data, line.len);
	if (!p->start)
		return no_memory(p);
	p->end = p->start + line.len;
	r = check_utf8(p);
	if (r == 0)
		r = push_frame(p);
	if (r == 0)
		p->msg->root = p->stack.data[0];
	return r;
}

int
msg_parse(struct span line, struct msg **ret, struct err *err)
{
	struct parser p = {.msg = calloc(1, sizeof(*p.msg)), .err = err};
	int r;

	if (!p.msg)
		return no_memory(&p);
	r = line.len > INT32_MAX ? err_set(err, -EPROTO, "the line is longer than 2 GiB")
	                         : parse(&p, line);
	VEC_FINI(&p.stack);
	if (r < 0)
		msg_free(p.msg);
	else
		*ret = p.msg;
	return r;
}
