#include "walk/rule.h"

#include <errno.h>

#include "base/vec.h"
#include "sync/atomic.h"
#include "walk/wildmatch.h"

struct ignore_line {
	const char *text;    /* the line as written, NUL terminated */
	struct span pattern; /* of text: without '!', leading and trailing slash */
	bool negated, dir_only, name_only;
};

struct gitignore {
	/* Release on the way down pairs with acquire by the last: it frees what others read. */
	_Atomic uint32_t refs;

	/* Fixed at create. */
	struct gitignore *parent; /* counted */
	struct span base;
	char *text; /* the copy that lines point into */
	VEC(struct ignore_line) lines;
	size_t n_patterns; /* in lines and above; at most GITIGNORE_MAX_PATTERNS */
};

/* Git takes off trailing spaces (not tabs) that no backslash protects. */
static size_t
len_without_trailing_spaces(const char *line, size_t len)
{
	size_t end = 0;

	for (size_t i = 0; i < len; i++) {
		if (line[i] == '\\')
			i++;
		else if (line[i] == ' ')
			continue;
		end = MIN(i + 1, len);
	}
	return end;
}

static int
add_line(struct gitignore *g, char *line, size_t len)
{
	struct ignore_line l = {.text = line};
	struct span p;

	if (len == 0 || line[0] == '#')
		return 0;
	if (line[len - 1] == '\r')
		len--;
	len = strnlen(line, len); /* git reads C strings */
	len = len_without_trailing_spaces(line, len);
	line[len] = '\0';
	p = (struct span){line, len};
	if (p.len > 0 && p.data[0] == '!') {
		l.negated = true;
		p.data++, p.len--;
	}
	if (p.len > 0 && p.data[p.len - 1] == '/') {
		l.dir_only = true;
		p.len--;
	}
	l.name_only = p.len == 0 || !memchr(p.data, '/', p.len);
	if (p.len > 0 && p.data[0] == '/')
		p.data++, p.len--;
	if (p.len == 0)
		return 0;
	l.pattern = p;
	g->n_patterns++;
	return VEC_PUSH(&g->lines, l);
}

static int
parse(struct gitignore *g, size_t len)
{
	char *at = g->text, *end = at + len;

	if (len >= 3 && memcmp(at, "\xEF\xBB\xBF", 3) == 0)
		at += 3; /* a byte order mark */
	while (at < end && g->n_patterns < GITIGNORE_MAX_PATTERNS) {
		char *eol = memchr(at, '\n', (size_t)(end - at));
		int r;

		if (!eol)
			eol = end; /* the copy has a NUL here */
		r = add_line(g, at, (size_t)(eol - at));
		if (r < 0)
			return r;
		at = eol + 1;
	}
	return 0;
}

int
gitignore_create(
	struct gitignore *parent, struct span base, struct span text, struct gitignore **ret)
{
	struct gitignore *g = calloc(1, sizeof(*g) + base.len);
	char *own_base = (char *)(g + 1);
	int r;

	if (!g)
		return -ENOMEM;
	if (base.len > 0)
		memcpy(own_base, base.data, base.len);
	store_rlx(&g->refs, 1); /* nobody else knows it yet */
	g->base = (struct span){own_base, base.len};
	g->parent = gitignore_ref(parent);
	g->n_patterns = parent ? parent->n_patterns : 0;
	g->text = malloc(text.len + 1);
	if (!g->text) {
		gitignore_unref(g);
		return -ENOMEM;
	}
	if (text.len > 0)
		memcpy(g->text, text.data, text.len);
	g->text[text.len] = '\0';
	r = parse(g, text.len);
	if (r < 0) {
		gitignore_unref(g);
		return r;
	}
	*ret = g;
	return 0;
}

struct gitignore *
gitignore_ref(struct gitignore *g)
{
	if (g)
		(void)add_rlx(&g->refs, 1); /* the caller's own reference keeps it alive */
	return g;
}

void
gitignore_unref(struct gitignore *g)
{
	/* A loop: a chain of files can be as long as the tree is deep. */
	while (g && sub_ar(&g->refs, 1) == 1) {
		struct gitignore *parent = g->parent;

		VEC_FINI(&g->lines);
		free(g->text);
		free(g);
		g = parent;
	}
}

/* The last line of this one file that matches, or NULL. */
static const struct ignore_line *
last_match(const struct gitignore *g, struct span path, struct span name, bool is_dir)
{
	for (size_t i = g->lines.len; i > 0; i--) {
		const struct ignore_line *l = &g->lines.data[i - 1];

		if (l->dir_only && !is_dir)
			continue;
		if (wildmatch(l->pattern, l->name_only ? name : path))
			return l;
	}
	return NULL;
}

bool
gitignore_match(const struct gitignore *g, struct span path, bool is_dir, const char **ret_rule,
	struct span *ret_base)
{
	const char *slash = memrchr(path.data, '/', path.len);
	struct span name =
		slash ? (struct span){slash + 1, (size_t)(path.data + path.len - slash - 1)} : path;

	if (span_eq(name, SPAN_LIT(".git")))
		return false;
	for (; g; g = g->parent) {
		size_t skip = g->base.len > 0 ? g->base.len + 1 : 0;
		struct span below = {path.data + skip, path.len - skip};
		const struct ignore_line *l = last_match(g, below, name, is_dir);

		if (!l)
			continue;
		if (ret_rule)
			*ret_rule = l->text;
		if (ret_base)
			*ret_base = g->base;
		return !l->negated;
	}
	return false;
}
