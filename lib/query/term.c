#include "query/term.h"

#include <ctype.h>
#include <errno.h>

#include "query/lang.h"

struct node *
node_create(struct query *q, enum term term, uint32_t pos)
{
	struct node *n = ARENA_NEW(&q->arena, struct node);

	if (n) {
		n->term = term;
		n->pos = pos;
	}
	return n;
}

static bool
folds(const struct term_env *e, struct span text)
{
	switch (e->cas) {
	case QUERY_CASE_EXACT:
		return false;
	case QUERY_CASE_FOLD:
		return true;
	case QUERY_CASE_SMART:
		break;
	}
	return !fold_has_upper(text);
}

/* A copy in the arena, folded when asked. data NULL: out of memory. */
static struct span
keep_text(struct term_env *e, struct span text, bool fold)
{
	AUTO(strbuf_fini) struct strbuf folded = {0};

	if (fold) {
		if (fold_append(&folded, text) < 0)
			return (struct span){0};
		text = strbuf_view(&folded);
	}
	return (struct span){arena_copy(&e->query->arena, text.data, text.len), text.len};
}

static int
build_word(struct node *n, struct span text)
{
	n->text.form = TEXT_WORD;
	n->text.slash = memchr(text.data, '/', text.len) != NULL;
	n->cost = n->text.on_name ? 20 : n->text.slash ? 200 : 30;
	n->text.has_needle = true;
	return needle_init(&n->text.needle, text, n->text.fold);
}

/* The longest run of ordinary characters in a glob: every name that matches holds it. */
static struct span
glob_literal(struct span g, char *buf)
{
	size_t best_at = 0, best = 0, at = 0, n = 0;

	for (size_t i = 0; i < g.len; i++) {
		size_t close = i + 1;

		if (g.data[i] != '*' && g.data[i] != '?' && g.data[i] != '[') {
			if (g.data[i] == '\\' && i + 1 < g.len)
				i++;
			buf[at + n++] = g.data[i];
		} else {
			at += n;
			n = 0;
		}
		if (n > best) {
			best = n;
			best_at = at;
		}
		if (g.data[i] != '[' || n > 0)
			continue;
		/* Over the set; ']' may come first in it. */
		if (close < g.len && (g.data[close] == '!' || g.data[close] == '^'))
			close++;
		for (close++; close < g.len && g.data[close] != ']'; close++) {
			if (g.data[close] == '\\')
				close++;
		}
		i = close;
	}
	return (struct span){buf + best_at, best};
}

static int
glob_needle(struct term_env *e, struct node *n, struct span pattern)
{
	char *buf = arena_alloc(&e->query->arena, pattern.len + 1);
	struct span literal;
	int r;

	if (!buf)
		return -ENOMEM;
	literal = glob_literal(pattern, buf);
	if (literal.len == 0)
		return 0;
	r = needle_init(&n->text.needle, literal, n->text.fold);
	n->text.has_needle = r == 0;
	return r;
}

/* Is it one star and then only characters that mean themselves? */
static bool
is_tail(struct span pattern)
{
	if (pattern.len < 2 || pattern.data[0] != '*')
		return false;
	for (size_t i = 1; i < pattern.len; i++) {
		if (strchr("*?[\\", pattern.data[i]))
			return false;
	}
	return true;
}

static int
build_glob(struct term_env *e, struct node *n, const struct token *t)
{
	AUTO(strbuf_fini) struct strbuf anchored = {0};
	struct span pattern = t->text;
	size_t bad = 0;
	int r = glob_init(&n->text.glob, t->text, 0, &bad);

	if (r < 0) {
		(void)query_fail(e->err, t->text_pos + (uint32_t)bad, "'%c' without its end",
			t->text.data[bad]);
		(void)err_hint(e->err, "close the set with ], or write \\[ for the character");
		return -EINVAL;
	}
	n->text.form = TEXT_GLOB;
	n->text.slash = memchr(pattern.data, '/', pattern.len) != NULL;
	if (!n->text.slash)
		n->text.on_name = true;
	/* With a slash it is held against the path: from the root, or from any component on. */
	if (n->text.slash && pattern.data[0] == '/') {
		pattern = (struct span){pattern.data + 1, pattern.len - 1};
	} else if (n->text.slash) {
		if (strbuf_puts(&anchored, "**/") < 0 || strbuf_span(&anchored, pattern) < 0)
			return -ENOMEM;
		pattern = strbuf_view(&anchored);
	}
	pattern = keep_text(e, pattern, n->text.fold);
	if (!pattern.data)
		return -ENOMEM;
	r = glob_init(&n->text.glob, pattern, n->text.fold ? GLOB_FOLD : 0, &bad);
	if (r < 0)
		return r;
	n->cost = n->text.on_name ? 25 : 300;
	if (!n->text.on_name)
		return 0;
	if (is_tail(pattern))
		n->text.tail = (struct span){pattern.data + 1, pattern.len - 1};
	return glob_needle(e, n, pattern);
}

/* A pattern of text/pattern.h; its errors count columns within the pattern. */
static int
build_pattern(struct term_env *e, struct node *n, const struct token *t, struct span text,
	enum pattern_flags flags)
{
	struct err inner = {0};
	int r;

	r = pattern_create(text, flags, &n->text.pattern, &inner);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		(void)query_fail(
			e->err, t->text_pos + (inner.pos ? inner.pos - 1 : 0), "%s", inner.what);
		(void)err_hint(e->err, "%s",
			inner.hint[0] ? inner.hint : "quote the text to search for it as it is");
		return -EINVAL;
	}
	return 0;
}

static int
build_regex(struct term_env *e, struct node *n, const struct token *t, enum pattern_flags flags)
{
	n->text.form = TEXT_REGEX;
	n->text.fold = e->cas != QUERY_CASE_EXACT;
	if (e->cas != QUERY_CASE_EXACT)
		flags |= e->cas == QUERY_CASE_FOLD ? PATTERN_FOLD : PATTERN_SMART;
	n->cost = n->text.on_name ? 150 : 400;
	return build_pattern(e, n, t, t->text, PATTERN_REGEX | flags);
}

static int
build_text(struct term_env *e, const struct token *t, struct node *n)
{
	struct span text = t->text;

	n->text.on_name = t->key == KEY_NAME;
	n->text.source = text;
	n->text.fold = folds(e, text);
	if (t->form != FORM_REGEX && n->text.on_name && memchr(text.data, '/', text.len)) {
		(void)query_fail(e->err, t->text_pos, "a name holds no slash");
		(void)err_hint(e->err, "write path: instead of name:");
		return -EINVAL;
	}
	if (t->form == FORM_REGEX)
		return build_regex(e, n, t, PATTERN_PATH);
	if (t->form == FORM_PLAIN && glob_is(text))
		return build_glob(e, n, t);
	if (t->form == FORM_PLAIN) {
		text = lex_unescape(text, &e->query->arena);
		if (!text.data)
			return -ENOMEM;
		n->text.source = text;
	}
	return build_word(n, text);
}

static int
build_content(struct term_env *e, const struct token *t, struct node *n)
{
	struct span text = t->text;

	n->content = true;
	n->cost = 10000;
	n->text.source = text;
	if (t->form == FORM_REGEX)
		return build_regex(e, n, t, 0);
	if (t->form == FORM_PLAIN)
		text = lex_unescape(text, &e->query->arena);
	if (!text.data)
		return -ENOMEM;
	n->text.form = TEXT_WORD;
	n->text.source = text;
	n->text.fold = folds(e, text);
	return build_pattern(e, n, t, text, n->text.fold ? PATTERN_FOLD : 0);
}

/* The next item of a comma separated list, from *at on. */
static bool
next_item(struct span list, size_t *at, struct span *ret)
{
	const char *comma;

	if (*at > list.len)
		return false;
	comma = *at < list.len ? memchr(list.data + *at, ',', list.len - *at) : NULL;
	*ret = (struct span){
		list.data + *at, (comma ? (size_t)(comma - list.data) : list.len) - *at};
	*at += ret->len + 1;
	return true;
}

static int
build_list(struct term_env *e, const struct token *t, struct node *n)
{
	struct span item, text = t->text;
	size_t at = 0, max = 1;
	char *low = arena_copy(&e->query->arena, text.data, text.len);

	if (!low)
		return -ENOMEM;
	for (size_t i = 0; i < text.len; i++) {
		low[i] = (char)tolower((unsigned char)low[i]);
		max += low[i] == ',';
	}
	text.data = low;
	n->list.item = ARENA_ARRAY(&e->query->arena, struct span, max);
	if (!n->list.item)
		return -ENOMEM;
	while (next_item(text, &at, &item)) {
		uint32_t pos = t->text_pos + (uint32_t)(item.data - low);

		if (n->term == TERM_EXT && item.len > 0 && item.data[0] == '.')
			item = (struct span){item.data + 1, item.len - 1};
		if (item.len == 0) {
			(void)query_fail(e->err, pos, "an empty item in the list");
			(void)err_hint(e->err, "write %s:a,b without blanks", key_word(t->key));
			return -EINVAL;
		}
		if (n->term == TERM_LANG && !lang_known(item)) {
			const char *near = lang_nearest(item);

			(void)query_fail(e->err, pos, "unknown language \"%.*s\"",
				(int)MIN(item.len, 40u), item.data);
			(void)err_hint(e->err, "%s%s%s", near ? "did you mean \"" : "",
				near ? near : "use ext: for a file name's extension",
				near ? "\"?" : "");
			return -EINVAL;
		}
		n->list.item[n->list.n++] = item;
	}
	n->cost = n->term == TERM_EXT ? 15 : 100;
	return 0;
}

static int
build_range(
	struct term_env *e, const struct token *t, struct node *n, enum column column, value_fn one)
{
	struct value v;
	int r = value_range(t->text, t->text_pos, e, one, &v);

	n->cost = column == COLUMN_DEPTH ? 6 : 5;
	if (r == 1)
		n->term = TERM_NONE;
	if (r != 0)
		return MIN(r, 0);
	if (one == value_time) {
		v.lo -= VALUE_TIME_BIAS;
		v.hi -= VALUE_TIME_BIAS;
	}
	n->range = (struct range_term){column, v.lo, v.hi};
	return 0;
}

/* Without doubled and closing slashes. */
static int
build_where(struct term_env *e, const struct token *t, struct node *n)
{
	struct span text = t->text;
	char *out = arena_alloc(&e->query->arena, text.len + 1);
	size_t len = 0;

	if (t->form == FORM_PLAIN && out)
		text = lex_unescape(text, &e->query->arena);
	if (!out || !text.data)
		return -ENOMEM;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '/' && len > 0 && out[len - 1] == '/')
			continue;
		out[len++] = text.data[i];
	}
	if (len > 1 && out[len - 1] == '/')
		len--;
	n->where = (struct span){out, len};
	n->cost = 1;
	return 0;
}

/* yes, no, or nothing (yes): "no" turns the leaf into its NOT. */
static int
build_yes(struct term_env *e, const struct token *t, struct node *n, struct node **ret)
{
	bool yes = true;
	struct node *negated;

	if (t->text.len > 0 && parse_bool(t->text, &yes) < 0) {
		(void)query_fail(e->err, t->text_pos, "neither yes nor no");
		(void)err_hint(e->err, "write %s:yes or %s:no", key_word(t->key), key_word(t->key));
		return -EINVAL;
	}
	n->cost = n->term == TERM_DUPE ? 5000 : 4;
	*ret = n;
	if (yes)
		return 0;
	negated = node_create(e->query, TERM_NOT, t->pos);
	if (!negated)
		return -ENOMEM;
	negated->child = negated->order = ARENA_ARRAY(&e->query->arena, struct node *, 1);
	if (!negated->child)
		return -ENOMEM;
	negated->child[0] = n;
	negated->n_child = 1;
	negated->cost = n->cost;
	*ret = negated;
	return 0;
}

static const enum term term_of_key[N_KEYS] = {
	[KEY_NONE] = TERM_TEXT,
	[KEY_NAME] = TERM_TEXT,
	[KEY_PATH] = TERM_TEXT,
	[KEY_EXT] = TERM_EXT,
	[KEY_TYPE] = TERM_TYPE,
	[KEY_IN] = TERM_IN,
	[KEY_DEPTH] = TERM_RANGE,
	[KEY_SIZE] = TERM_RANGE,
	[KEY_MTIME] = TERM_RANGE,
	[KEY_CTIME] = TERM_RANGE,
	[KEY_USER] = TERM_USER,
	[KEY_GROUP] = TERM_GROUP,
	[KEY_PERM] = TERM_PERM,
	[KEY_LINKS] = TERM_RANGE,
	[KEY_INODE] = TERM_RANGE,
	[KEY_EMPTY] = TERM_EMPTY,
	[KEY_DUPE] = TERM_DUPE,
	[KEY_ROOT] = TERM_ROOT,
	[KEY_LANG] = TERM_LANG,
	[KEY_CONTENT] = TERM_CONTENT,
};

static int
build_leaf(struct term_env *e, const struct token *t, struct node *n)
{
	n->cost = 3;
	switch (t->key) {
	case KEY_NONE:
	case KEY_NAME:
	case KEY_PATH:
		return build_text(e, t, n);
	case KEY_CONTENT:
		return build_content(e, t, n);
	case KEY_EXT:
	case KEY_LANG:
		return build_list(e, t, n);
	case KEY_TYPE:
		return value_types(t->text, t->text_pos, e, &n->types);
	case KEY_IN:
	case KEY_ROOT:
		return build_where(e, t, n);
	case KEY_DEPTH:
		return build_range(e, t, n, COLUMN_DEPTH, value_number);
	case KEY_SIZE:
		return build_range(e, t, n, COLUMN_SIZE, value_size);
	case KEY_MTIME:
		return build_range(e, t, n, COLUMN_MTIME, value_time);
	case KEY_CTIME:
		return build_range(e, t, n, COLUMN_CTIME, value_time);
	case KEY_LINKS:
		return build_range(e, t, n, COLUMN_LINKS, value_number);
	case KEY_INODE:
		return build_range(e, t, n, COLUMN_INODE, value_number);
	case KEY_USER:
	case KEY_GROUP:
		return value_owner(t->text, t->text_pos, e, t->key == KEY_GROUP, &n->id);
	case KEY_PERM:
		return value_perm(t->text, t->text_pos, e, &n->perm.test, &n->perm.bits);
	case KEY_EMPTY:
	case KEY_DUPE:
	case KEY_CASE:
	case N_KEYS:
		break;
	}
	return 0;
}

int
term_build(struct term_env *e, const struct token *t, struct node **ret)
{
	struct query *q = e->query;
	bool yes_no = t->key == KEY_EMPTY || t->key == KEY_DUPE;
	struct node *n;
	int r;

	if (t->text.len == 0 && !yes_no) {
		(void)query_fail(e->err, t->pos,
			t->key == KEY_NONE ? "the quotes hold nothing" : "%s: without a value",
			key_word(t->key));
		(void)err_hint(e->err, t->key == KEY_NONE ? "write the text between them"
							  : "write the value right after the "
							    "colon, without a blank");
		return -EINVAL;
	}
	if (q->n_leaf == QUERY_MAX_TERMS) {
		(void)query_fail(e->err, t->pos, "more than %u terms", QUERY_MAX_TERMS);
		(void)err_hint(e->err, "ask several questions");
		return query_too_much(e->err);
	}
	n = node_create(q, term_of_key[t->key], t->pos);
	if (!n)
		return -ENOMEM;
	n->leaf = q->n_leaf;
	q->leaf[q->n_leaf++] = n; /* from here on its needle and pattern are released with q */
	q->has_dupe = q->has_dupe || t->key == KEY_DUPE;
	if (yes_no)
		return build_yes(e, t, n, ret);
	r = build_leaf(e, t, n);
	if (r == 0)
		*ret = n;
	return r;
}
