#include "query/term.h"

#include <errno.h>

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

/* The parts of a word with slashes that names are looked at for: what stands before its last slash
 * ends a directory, what stands behind it begins a name. */
static int
build_slashed(struct node *n, struct span text)
{
	const char *last = memrchr(text.data, '/', text.len);
	size_t at = (size_t)(last - text.data);
	const char *before = at > 0 ? memrchr(text.data, '/', at) : NULL;
	struct span head = {text.data, at}, tail = {last + 1, text.len - at - 1};
	int r = needle_init(&n->text.needle, text, n->text.fold);

	n->text.has_needle = r == 0;
	n->text.way = WAY_SLASHED;
	/* The whole is folded in another way than its parts. */
	if (n->text.fold && !utf8_valid(text.data, text.len))
		n->text.way = WAY_EACH_PATH;
	if (before)
		head = (struct span){before + 1, (size_t)(last - before) - 1};
	/* Components are not empty. */
	if (memmem(text.data, text.len, "//", 2))
		n->text.way = WAY_NEVER;
	if (r == 0 && head.len > 0) {
		r = literal_init(&n->text.head, head, n->text.fold,
			before ? MEMBER_START | MEMBER_END : MEMBER_END);
		n->text.has_head = r == 0;
	}
	if (r == 0 && tail.len > 0) {
		r = literal_init(&n->text.tail, tail, n->text.fold, MEMBER_START);
		n->text.has_tail = r == 0;
	}
	return r;
}

static int
build_word(struct node *n, struct span text)
{
	n->text.form = TEXT_WORD;
	if (memchr(text.data, '/', text.len)) {
		n->cost = 13;
		return build_slashed(n, text);
	}
	n->cost = n->text.on_name ? 11 : 12;
	n->text.way = n->text.on_name ? WAY_NAME : WAY_WORD;
	return name_test_word(&n->text.name, text, n->text.fold);
}

/* The last slash of a glob that stands for itself, behind which there is no "**" that would reach
 * over slashes; none: NULL. A slash in a set matches nothing. */
static const char *
glob_last_slash(struct span g)
{
	const char *slash = NULL;

	for (size_t i = 0; i < g.len; i++) {
		if (g.data[i] == '/')
			slash = g.data + i;
		else if (g.data[i] == '*' && i + 1 < g.len && g.data[i + 1] == '*')
			slash = NULL;
		else if (g.data[i] == '[')
			i = glob_set_end(g, i) - 1;
		else if (g.data[i] == '\\' && ++i < g.len && g.data[i] == '/')
			return NULL;
	}
	return slash;
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

/* The longest of the pieces that is not used yet, and that does what `where` says; NULL: none. */
static const struct pattern_piece *
take_piece(const struct pattern_piece *piece, uint32_t n, uint32_t *used, enum member_place where)
{
	const struct pattern_piece *best = NULL;

	for (uint32_t i = 0; i < n; i++) {
		if (*used >> i & 1 || (where == MEMBER_START && !piece[i].starts) ||
			(where == MEMBER_END && !piece[i].ends))
			continue;
		if (!best || piece[i].text.len > best->text.len)
			best = &piece[i];
	}
	if (best)
		*used |= 1u << (best - piece);
	return best;
}

/* Only names that hold these can match. */
static int
need_in_name(struct node *n, const struct pattern_piece *piece, uint32_t n_pieces, bool fold)
{
	static const enum member_place places[] = {MEMBER_START, MEMBER_END, MEMBER_ANYWHERE};
	uint32_t used = 0;
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(places) && r == 0; i++) {
		const struct pattern_piece *p = take_piece(piece, n_pieces, &used, places[i]);

		if (p)
			r = name_test_add(&n->text.name, p->text, fold, places[i]);
	}
	return r;
}

/* A word that each match of the expression holds, as a leaf that nobody wrote. */
static int
add_need(struct term_env *e, struct node *n, const struct pattern_piece *p, bool fold)
{
	struct query *q = e->query;
	struct node *need = node_create(q, TERM_TEXT, n->pos);

	if (!need)
		return -ENOMEM;
	need->leaf = q->n_leaf;
	q->leaf[q->n_leaf++] = need;
	need->text.way = p->ends ? WAY_NAME : WAY_WORD;
	need->text.on_name = p->ends;
	need->text.need_only = true;
	need->text.fold = fold;
	need->text.source = p->text;
	need->text.name.decides = true;
	n->text.need[n->text.n_need++] = need;
	return name_test_add(
		&need->text.name, p->text, fold, p->ends ? MEMBER_END : MEMBER_ANYWHERE);
}

/* Only paths that hold these can match: the end of the name, and words in any component. */
static int
need_in_path(struct term_env *e, struct node *n, const struct pattern_piece *piece,
	uint32_t n_pieces, bool fold)
{
	uint32_t used = 0;
	int r = 0;

	for (uint32_t i = 0; i < TEXT_MAX_NEEDS && r == 0 && e->query->n_leaf < QUERY_MAX_TERMS;
		i++) {
		const struct pattern_piece *p =
			take_piece(piece, n_pieces, &used, i == 0 ? MEMBER_END : MEMBER_ANYWHERE);

		if (p)
			r = add_need(e, n, p, fold);
	}
	n->text.way = n->text.n_need > 0 ? WAY_PATH : WAY_EACH_PATH;
	return r;
}

/* A glob with a slash whose last component is a glob on names, behind one on directories that is
 * asked once a directory; what cannot be parted so is asked of each path that holds its literal. */
static int
glob_path(struct term_env *e, struct node *n, struct span pattern)
{
	const char *slash = glob_last_slash(pattern);
	struct pattern_piece piece = {0};
	enum glob_flags flags = n->text.fold ? GLOB_FOLD : 0;
	size_t bad, n_dir = slash ? (size_t)(slash - pattern.data) + 1 : 0;
	int r = glob_init(&n->text.glob, pattern, flags, &bad);
	char *buf;

	if (r == 0 && slash) {
		n->text.way = WAY_PARTED;
		r = glob_init(&n->text.dir, (struct span){pattern.data, n_dir}, flags, &bad);
		return r < 0 ? r
		             : name_test_glob(&n->text.name,
				       (struct span){slash + 1, pattern.len - n_dir}, n->text.fold);
	}
	buf = arena_alloc(&e->query->arena, pattern.len + 1);
	if (!buf)
		return -ENOMEM;
	piece.text = glob_piece(pattern, buf);
	return r < 0 ? r : need_in_path(e, n, &piece, piece.text.len > 0, n->text.fold);
}

static int
build_glob(struct term_env *e, struct node *n, const struct token *t)
{
	AUTO(strbuf_fini) struct strbuf anchored = {0};
	struct span pattern = t->text;
	bool slash = memchr(pattern.data, '/', pattern.len) != NULL;
	size_t bad = 0;
	int r = glob_init(&n->text.glob, t->text, 0, &bad);

	if (r < 0) {
		(void)query_fail(e->err, t->text_pos + (uint32_t)bad, "'%c' without its end",
			t->text.data[bad]);
		(void)err_hint(e->err, "close the set with ], or write \\[ for the character");
		return -EINVAL;
	}
	n->text.form = TEXT_GLOB;
	if (!slash)
		n->text.on_name = true;
	/* With a slash it is held against the path: from the root, or from any component on. */
	if (slash && pattern.data[0] == '/') {
		pattern = (struct span){pattern.data + 1, pattern.len - 1};
	} else if (slash) {
		if (strbuf_puts(&anchored, "**/") < 0 || strbuf_span(&anchored, pattern) < 0)
			return -ENOMEM;
		pattern = strbuf_view(&anchored);
	}
	pattern = keep_text(e, pattern, n->text.fold);
	if (!pattern.data)
		return -ENOMEM;
	n->cost = n->text.on_name ? 20 : 100;
	if (!n->text.on_name)
		return glob_path(e, n, pattern);
	n->text.way = WAY_NAME;
	return name_test_glob(&n->text.name, pattern, n->text.fold);
}

static int
build_name_regex(struct term_env *e, const struct token *t, struct node *n)
{
	int r = build_regex(e, n, t, PATTERN_PATH);
	const struct pattern_piece *piece;
	uint32_t n_pieces;
	bool fold;

	if (r < 0)
		return r;
	n_pieces = pattern_pieces(n->text.pattern, &piece, &fold);
	n->text.way = WAY_NAME;
	if (n->text.on_name)
		return need_in_name(n, piece, n_pieces, fold);
	return need_in_path(e, n, piece, n_pieces, fold);
}

int
term_build_text(struct term_env *e, const struct token *t, struct node *n)
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
		return build_name_regex(e, t, n);
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

int
term_build_content(struct term_env *e, const struct token *t, struct node *n)
{
	struct span text = t->text;

	n->content = n->pure = true;
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

/* Of ASCII only: the letters of others are not folded. */
int
term_build_ext(struct term_env *e, struct node *n)
{
	n->list.ext = ARENA_ARRAY(&e->query->arena, struct literal, n->list.n);
	if (!n->list.ext)
		return -ENOMEM;
	for (; n->list.n_ext < n->list.n; n->list.n_ext++) {
		AUTO(strbuf_fini) struct strbuf dotted = {0};
		struct span item = n->list.item[n->list.n_ext];
		int r;

		(void)strbuf_putc(&dotted, '.');
		if (strbuf_span(&dotted, item) < 0)
			return -ENOMEM;
		r = literal_init(&n->list.ext[n->list.n_ext], strbuf_view(&dotted),
			span_is_ascii(item), MEMBER_INSIDE | MEMBER_END);
		if (r < 0)
			return r;
	}
	return 0;
}

void
term_fini(struct node *n)
{
	if (n->term == TERM_EXT) {
		for (uint32_t i = 0; i < n->list.n_ext; i++)
			literal_fini(&n->list.ext[i]);
		return;
	}
	if (n->text.has_needle)
		needle_fini(&n->text.needle);
	if (n->text.has_head)
		literal_fini(&n->text.head);
	if (n->text.has_tail)
		literal_fini(&n->text.tail);
	name_test_fini(&n->text.name);
	pattern_destroy(n->text.pattern);
}
