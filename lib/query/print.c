#include "query/expr.h"

#include <dirent.h>
#include <errno.h>

static bool
needs_quotes(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (strchr(" \t\r\n()\"\\", s.data[i]))
			return true;
	}
	return s.len == 0;
}

static void
print_text(struct strbuf *out, struct span s)
{
	if (!needs_quotes(s)) {
		(void)strbuf_span(out, s);
		return;
	}
	(void)strbuf_putc(out, '"');
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] == '"' || s.data[i] == '\\')
			(void)strbuf_putc(out, '\\');
		(void)strbuf_putc(out, s.data[i]);
	}
	(void)strbuf_putc(out, '"');
}

/* word glob regex; name name-glob name-regex; content content-regex. A capital that counts is said.
 */
static void
print_text_term(struct strbuf *out, const struct node *n)
{
	static const char *const forms[] = {"word", "glob", "regex"};
	const char *on = n->term == TERM_CONTENT ? "content" : n->text.on_name ? "name" : "";

	(void)strbuf_puts(out, on);
	if (*on && n->text.form != TEXT_WORD)
		(void)strbuf_putc(out, '-');
	if (!*on || n->text.form != TEXT_WORD)
		(void)strbuf_puts(out, forms[n->text.form]);
	(void)strbuf_putc(out, ' ');
	print_text(out, n->text.source);
	if (!n->text.fold)
		(void)strbuf_puts(out, " exact");
}

static void
print_list(struct strbuf *out, const char *word, const struct node *n)
{
	(void)strbuf_puts(out, word);
	for (uint32_t i = 0; i < n->list.n; i++) {
		(void)strbuf_putc(out, ' ');
		print_text(out, n->list.item[i]);
	}
}

static void
print_types(struct strbuf *out, uint32_t types)
{
	static const struct {
		uint8_t type;
		char letter;
	} letters[] = {{DT_REG, 'f'}, {DT_DIR, 'd'}, {DT_LNK, 'l'}, {DT_FIFO, 'p'}, {DT_SOCK, 's'},
		{DT_BLK, 'b'}, {DT_CHR, 'c'}};

	(void)strbuf_puts(out, "type ");
	for (size_t i = 0; i < ARRAY_LEN(letters); i++) {
		if (types & (1u << letters[i].type))
			(void)strbuf_putc(out, letters[i].letter);
	}
}

static void
print_range(struct strbuf *out, const struct node *n)
{
	static const char *const words[] = {"size", "mtime", "ctime", "links", "inode", "depth"};
	bool time = n->range.column == COLUMN_MTIME || n->range.column == COLUMN_CTIME;

	(void)strbuf_printf(out, "%s ", words[n->range.column]);
	if (n->range.lo != (time ? (uint64_t)INT64_MIN : 0))
		(void)(time ? strbuf_i64(out, (int64_t)n->range.lo) : strbuf_u64(out, n->range.lo));
	(void)strbuf_puts(out, "..");
	if (n->range.hi != (time ? (uint64_t)INT64_MAX : UINT64_MAX))
		(void)(time ? strbuf_i64(out, (int64_t)n->range.hi) : strbuf_u64(out, n->range.hi));
}

static void
print_leaf(struct strbuf *out, const struct node *n)
{
	static const char tests[] = {'=', '-', '/'};

	switch (n->term) {
	case TERM_TEXT:
	case TERM_CONTENT:
		print_text_term(out, n);
		break;
	case TERM_EXT:
	case TERM_LANG:
		print_list(out, n->term == TERM_EXT ? "ext" : "lang", n);
		break;
	case TERM_TYPE:
		print_types(out, n->types);
		break;
	case TERM_RANGE:
		print_range(out, n);
		break;
	case TERM_USER:
	case TERM_GROUP:
		(void)strbuf_printf(out, "%s %u", n->term == TERM_USER ? "user" : "group", n->id);
		break;
	case TERM_IN:
	case TERM_ROOT:
		(void)strbuf_puts(out, n->term == TERM_IN ? "in " : "root ");
		print_text(out, n->where);
		break;
	case TERM_PERM:
		(void)strbuf_printf(out, "perm %c%o", tests[n->perm.test], n->perm.bits);
		break;
	case TERM_ALL:
	case TERM_NONE:
	case TERM_AND:
	case TERM_OR:
	case TERM_NOT:
	case TERM_EMPTY:
	case TERM_DUPE:
		break;
	}
}

/* Recursion is bounded by QUERY_MAX_DEPTH. */
static void
print_node(struct strbuf *out, const struct node *n)
{
	static const char *const words[] = {
		[TERM_ALL] = "all",
		[TERM_NONE] = "none",
		[TERM_AND] = "and",
		[TERM_OR] = "or",
		[TERM_NOT] = "not",
		[TERM_EMPTY] = "empty",
		[TERM_DUPE] = "dupe",
		[TERM_CONTENT] = NULL,
	};

	(void)strbuf_putc(out, '(');
	if (words[n->term])
		(void)strbuf_puts(out, words[n->term]);
	else
		print_leaf(out, n);
	for (uint32_t i = 0; i < n->n_child; i++) {
		(void)strbuf_putc(out, ' ');
		print_node(out, n->child[i]);
	}
	(void)strbuf_putc(out, ')');
}

int
node_print(const struct node *n, struct strbuf *out)
{
	print_node(out, n);
	return out->failed ? -ENOMEM : 0;
}

int
query_print(const struct query *q, struct strbuf *out)
{
	return node_print(q->root, out);
}
