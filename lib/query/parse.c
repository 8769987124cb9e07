#include "query/term.h"

#include <errno.h>

#include "base/vec.h"
#include "text/pattern.h"

struct parser {
	struct term_env env;
	const struct token *at;
	uint32_t depth;
};

/* One alternative or one conjunction while it is read. */
struct operand {
	struct node *node;
};

struct nodes {
	struct operand *data;
	size_t len, cap;
};

static void
nodes_fini(struct nodes *n)
{
	VEC_FINI(n);
}

static int parse_or(struct parser *p, struct node **ret);

static int
fail_at(struct parser *p, const struct token *t, const char *what, const char *hint)
{
	(void)query_fail(p->env.err, t->pos, "%s", what);
	(void)err_hint(p->env.err, "%s", hint);
	return -EINVAL;
}

/* The smaller cost stands first; equal ones stay as written. */
static void
order_by_cost(struct node *n)
{
	for (uint32_t i = 0; i < n->n_child; i++) {
		uint32_t at = i;

		for (; at > 0 && n->order[at - 1]->cost > n->child[i]->cost; at--)
			n->order[at] = n->order[at - 1];
		n->order[at] = n->child[i];
		n->cost += n->child[i]->cost;
		n->content = n->content || n->child[i]->content;
		n->pure = n->pure && n->child[i]->pure;
	}
}

static struct node *
make_group(struct parser *p, enum term term, uint32_t pos, const struct nodes *from)
{
	struct query *q = p->env.query;
	struct node *n = node_create(q, term, pos);

	if (!n)
		return NULL;
	n->leaf = term != TERM_NOT ? q->n_group++ : 0;
	n->pure = term != TERM_NOT;
	n->n_child = (uint32_t)from->len;
	n->child = ARENA_ARRAY(&q->arena, struct node *, from->len);
	n->order = ARENA_ARRAY(&q->arena, struct node *, from->len);
	if (!n->child || !n->order)
		return NULL;
	for (size_t i = 0; i < from->len; i++)
		n->child[i] = from->data[i].node;
	order_by_cost(n);
	return n;
}

/* Group of several; one stays itself. */
static int
finish_group(
	struct parser *p, enum term term, uint32_t pos, const struct nodes *from, struct node **ret)
{
	*ret = from->len == 1 ? from->data[0].node : make_group(p, term, pos, from);
	return *ret ? 0 : -ENOMEM;
}

static int
enter(struct parser *p)
{
	if (p->depth < QUERY_MAX_DEPTH) {
		p->depth++;
		return 0;
	}
	(void)query_fail(p->env.err, p->at->pos, "nested more than %u deep", QUERY_MAX_DEPTH);
	(void)err_hint(p->env.err, "take out parentheses that are not needed");
	return query_too_much(p->env.err);
}

static int
parse_parens(struct parser *p, struct node **ret)
{
	const struct token *open = p->at++;
	int r;

	if (p->at->kind == TOKEN_CLOSE)
		return fail_at(p, open, "the parentheses hold nothing",
			"write something between them or remove them");
	if (p->at->kind == TOKEN_END)
		return fail_at(p, open, "unclosed parenthesis", "add ) at the end");
	r = parse_or(p, ret);
	if (r < 0)
		return r;
	if (p->at->kind != TOKEN_CLOSE)
		return fail_at(p, open, "unclosed parenthesis", "add ) at the end");
	p->at++;
	return 0;
}

static bool
starts_operand(const struct token *t)
{
	return t->kind == TOKEN_TERM || t->kind == TOKEN_OPEN || t->kind == TOKEN_NOT;
}

static int parse_unary(struct parser *p, struct node **ret);

static int
parse_not(struct parser *p, struct node **ret)
{
	const struct token *not = p->at++;
	struct operand child = {NULL};
	struct nodes one = {&child, 1, 1};
	int r;

	if (!starts_operand(p->at))
		return fail_at(p, not, "nothing to leave out after NOT",
			"write a word after it, or \"NOT\" in quotes to search for the text");
	if (p->at->key == KEY_CASE)
		return fail_at(
			p, p->at, "case: cannot be negated", "write case:yes or case:no instead");
	r = parse_unary(p, &child.node);
	if (r < 0)
		return r;
	*ret = make_group(p, TERM_NOT, not ->pos, &one);
	return *ret ? 0 : -ENOMEM;
}

static int
parse_unary(struct parser *p, struct node **ret)
{
	int r = enter(p);

	if (r < 0)
		return r;
	if (p->at->kind == TOKEN_OPEN)
		r = parse_parens(p, ret);
	else if (p->at->kind == TOKEN_NOT)
		r = parse_not(p, ret);
	else
		r = term_build(&p->env, p->at++, ret);
	p->depth--;
	return r;
}

static int
parse_and(struct parser *p, struct node **ret)
{
	AUTO(nodes_fini) struct nodes all = {0};
	const struct token *first = p->at;
	int r = 0;

	for (; r == 0;) {
		struct node *n = NULL;

		if (p->at->kind == TOKEN_AND) {
			if (p->at == first || !starts_operand(p->at + 1))
				return fail_at(p, p->at, "a word is missing beside AND",
					"words are joined by AND anyway; remove it, or quote it");
			p->at++;
		}
		if (!starts_operand(p->at))
			break;
		if (p->at->kind == TOKEN_TERM && p->at->key == KEY_CASE) {
			p->at++; /* read beforehand: it rules the whole query */
			continue;
		}
		r = parse_unary(p, &n);
		if (r == 0)
			r = VEC_PUSH(&all, (struct operand){n});
	}
	if (r < 0)
		return r;
	if (all.len == 0 && p->at != first) { /* case: alone */
		*ret = node_create(p->env.query, TERM_ALL, first->pos);
		return *ret ? 0 : -ENOMEM;
	}
	if (all.len == 0)
		return 1;
	return finish_group(p, TERM_AND, first->pos, &all, ret);
}

static int
parse_or(struct parser *p, struct node **ret)
{
	AUTO(nodes_fini) struct nodes all = {0};
	const struct token *first = p->at;

	for (;;) {
		const struct token *here = p->at;
		struct node *n = NULL;
		int r = parse_and(p, &n);

		if (r == 1 && here == first)
			return fail_at(p, here, "a word is missing here",
				here->kind == TOKEN_OR ? "write one before '|', or quote the '|'"
						       : "write one");
		if (r == 1)
			return fail_at(p, here - 1, "a word is missing after '|'",
				"write one after it, or quote the '|'");
		if (r == 0)
			r = VEC_PUSH(&all, (struct operand){n});
		if (r < 0)
			return r;
		if (p->at->kind != TOKEN_OR)
			break;
		p->at++;
	}
	return finish_group(p, TERM_OR, first->pos, &all, ret);
}

/* case: holds for the whole query, wherever it stands; the last one counts. */
static int
read_case(struct term_env *e, const struct token *t)
{
	for (; t->kind != TOKEN_END; t++) {
		bool exact;

		if (t->kind != TOKEN_TERM || t->key != KEY_CASE)
			continue;
		if (parse_bool(t->text, &exact) < 0) {
			(void)query_fail(e->err, t->pos, "case: is neither yes nor no");
			(void)err_hint(e->err, "write case:yes for exact letters, case:no for any");
			return -EINVAL;
		}
		e->cas = exact ? QUERY_CASE_EXACT : QUERY_CASE_FOLD;
	}
	return 0;
}

static int
parse_all(struct parser *p, struct node **ret)
{
	int r;

	if (p->at->kind == TOKEN_END) { /* an empty question: everything */
		*ret = node_create(p->env.query, TERM_ALL, 1);
		return *ret ? 0 : -ENOMEM;
	}
	if (p->at->kind == TOKEN_CLOSE)
		return fail_at(p, p->at, "unmatched ')'", "remove it, or quote the word it is in");
	r = parse_or(p, ret);
	if (r == 0 && p->at->kind == TOKEN_CLOSE)
		return fail_at(p, p->at, "unmatched ')'", "remove it, or quote the word it is in");
	assert(r < 0 || p->at->kind == TOKEN_END);
	return r;
}

static void
query_free(struct arc *a)
{
	struct query *q = CONTAINER_OF(a, struct query, arc);

	for (uint32_t i = 0; i < q->n_leaf; i++) {
		struct node *n = q->leaf[i];

		if (n->term == TERM_TEXT || n->term == TERM_CONTENT || n->term == TERM_EXT)
			term_fini(n);
	}
	arena_fini(&q->arena);
	free(q);
}

static int
parse_text(struct span text, const struct query_env *env, struct query *q, struct err *err)
{
	struct parser p = {.env = {.query = q, .now_ns = env->now_ns, .cas = env->cas, .err = err}};
	struct token *tokens;
	char *copy = arena_copy(&q->arena, text.data, text.len); /* terms point into it */
	int r = copy ? 0 : -ENOMEM;

	if (r == 0)
		r = lex((struct span){copy, text.len}, &q->arena, &tokens, err);
	if (r == 0)
		r = read_case(&p.env, tokens);
	if (r < 0)
		return r;
	p.at = tokens;
	return parse_all(&p, &q->root);
}

int
query_parse(struct span text, const struct query_env *env, struct query **ret, struct err *err)
{
	struct query *q;
	int r;

	if (text.len > QUERY_MAX_BYTES) {
		(void)query_fail(err, QUERY_MAX_BYTES + 1, "longer than %u bytes", QUERY_MAX_BYTES);
		(void)err_hint(err, "ask several questions");
		return query_too_much(err);
	}
	q = calloc(1, sizeof(*q));
	if (!q)
		return err_set(err, -ENOMEM, "out of memory");
	arc_init(&q->arc, query_free);
	r = parse_text(text, env, q, err);
	if (r == -ENOMEM)
		(void)err_set(err, r, "out of memory");
	if (r < 0)
		query_unref(q);
	else
		*ret = q;
	return r;
}

struct query *
query_ref(struct query *q)
{
	arc_get(&q->arc);
	return q;
}

void
query_unref(struct query *q)
{
	if (q)
		arc_put(&q->arc);
}

bool
query_has_content(const struct query *q)
{
	return q->root->content;
}
