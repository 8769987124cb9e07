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
	return n->term == TERM_EXT ? term_build_ext(e, n) : 0;
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

size_t
path_squeeze(struct span path, char *ret)
{
	size_t len = 0;

	for (size_t i = 0; i < path.len; i++) {
		if (path.data[i] == '/' && len > 0 && ret[len - 1] == '/')
			continue;
		ret[len++] = path.data[i];
	}
	return len > 1 && ret[len - 1] == '/' ? len - 1 : len;
}

static int
build_where(struct term_env *e, const struct token *t, struct node *n)
{
	struct span text = t->text;
	char *out = arena_alloc(&e->query->arena, text.len + 1);

	if (t->form == FORM_PLAIN && out)
		text = lex_unescape(text, &e->query->arena);
	if (!out || !text.data)
		return -ENOMEM;
	n->where = (struct span){out, path_squeeze(text, out)};
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
		return term_build_text(e, t, n);
	case KEY_CONTENT:
		return term_build_content(e, t, n);
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
