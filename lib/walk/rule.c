#include "walk/rule.h"

#include <errno.h>
#include <stdio.h>

#include "base/glob.h"

/* How a rule looks at a path. */
enum rule_scope {
	SCOPE_NAME, /* the last component */
	SCOPE_TAIL, /* the last components, as many as the rule has */
	SCOPE_ROOT, /* the whole path */
};

struct rule {
	char *text;       /* as written */
	struct span body; /* of text: without the leading and trailing slash */
	enum rule_scope scope;
	bool dir_only;  /* a trailing slash */
	bool is_glob;   /* else compared byte by byte */
	bool any_depth; /* has "**", so the number of components does not follow from the rule */
	uint32_t n_slashes; /* in body */
	struct glob glob;
};

struct rules {
	size_t n;
	struct rule rule[];
};

static uint32_t
count_slashes(struct span s)
{
	uint32_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += s.data[i] == '/';
	return n;
}

/* A component that no path below the root can have: empty, "." or "..". */
static bool
has_impossible_component(struct span s)
{
	size_t start = 0;

	for (size_t i = 0; i <= s.len; i++) {
		struct span part = {s.data + start, i - start};

		if (i < s.len && s.data[i] != '/')
			continue;
		if (part.len == 0 || span_eq(part, SPAN_LIT(".")) || span_eq(part, SPAN_LIT("..")))
			return true;
		start = i + 1;
	}
	return false;
}

static int
refuse(struct err *err, const char *text, const char *why)
{
	return err_set(err, -EINVAL, "exclude rule \"%s\": %s", text, why);
}

static int
rule_parse(struct rule *r, const char *text, struct err *err)
{
	struct span body = span_of(text);
	size_t pos = 0;

	r->text = strdup(text);
	if (!r->text)
		return err_set(err, -ENOMEM, "out of memory");
	body.data = r->text;
	if (body.len > 0 && body.data[body.len - 1] == '/') {
		r->dir_only = true;
		body.len--;
	}
	if (body.len > 0 && body.data[0] == '/') {
		r->scope = SCOPE_ROOT;
		body.data++;
		body.len--;
	} else if (body.len > 0 && memchr(body.data, '/', body.len)) {
		r->scope = SCOPE_TAIL;
	}
	if (body.len == 0)
		return refuse(err, text, "it names nothing");
	if (has_impossible_component(body))
		return refuse(err, text, "an empty component, \".\" or \"..\" matches no path");
	r->body = body;
	r->n_slashes = count_slashes(body);
	r->is_glob = glob_is(body) || memchr(body.data, '\\', body.len);
	r->any_depth = r->is_glob && memmem(body.data, body.len, "**", 2);
	if (r->is_glob && glob_init(&r->glob, body, 0, &pos) < 0)
		return err_set(err, -EINVAL,
			"exclude rule \"%s\": unclosed '[' or lone '\\' at column %zu", text,
			pos + 1 + (size_t)(body.data - r->text));
	return 0;
}

int
rules_create(const char *const *patterns, struct rules **ret, struct err *err)
{
	struct rules *rs;
	size_t n = 0;

	while (patterns && patterns[n])
		n++;
	rs = calloc(1, sizeof(*rs) + n * sizeof(rs->rule[0]));
	if (!rs)
		return err_set(err, -ENOMEM, "out of memory");
	for (rs->n = 0; rs->n < n;) {
		/* Counted before it is parsed: a half-built rule is destroyed with the rest. */
		size_t i = rs->n++;
		int r = rule_parse(&rs->rule[i], patterns[i], err);

		if (r < 0) {
			rules_destroy(rs);
			return r;
		}
	}
	*ret = rs;
	return 0;
}

void
rules_destroy(struct rules *r)
{
	for (size_t i = 0; r && i < r->n; i++)
		free(r->rule[i].text);
	free(r);
}

bool
rules_empty(const struct rules *r)
{
	return r->n == 0;
}

/* The last `n_slashes + 1` components; false when the path has fewer. */
static bool
tail_of(struct span path, uint32_t n_slashes, struct span *ret)
{
	size_t i = path.len;

	for (; i > 0; i--) {
		if (path.data[i - 1] != '/')
			continue;
		if (n_slashes == 0)
			break;
		n_slashes--;
	}
	*ret = (struct span){path.data + i, path.len - i};
	return n_slashes == 0;
}

/* A "**" takes any number of components: try the end of the path at every component border. */
static bool
match_any_tail(const struct rule *r, struct span path)
{
	for (;;) {
		const char *slash;

		if (glob_match(&r->glob, path))
			return true;
		slash = memchr(path.data, '/', path.len);
		if (!slash)
			return false;
		path.len -= (size_t)(slash + 1 - path.data);
		path.data = slash + 1;
	}
}

static bool
rule_hits(const struct rule *r, struct span path, struct span name)
{
	struct span part = name;

	if (r->scope == SCOPE_ROOT)
		part = path;
	else if (r->scope == SCOPE_TAIL && r->any_depth)
		return match_any_tail(r, path);
	else if (r->scope == SCOPE_TAIL && !tail_of(path, r->n_slashes, &part))
		return false;
	return r->is_glob ? glob_match(&r->glob, part) : span_eq(r->body, part);
}

enum rule_hit
rules_match(const struct rules *rs, struct span path, bool is_dir, const char **ret_rule)
{
	const char *slash = memrchr(path.data, '/', path.len);
	struct span name =
		slash ? (struct span){slash + 1, (size_t)(path.data + path.len - slash - 1)} : path;
	const struct rule *contents = NULL;

	for (size_t i = 0; i < rs->n; i++) {
		const struct rule *r = &rs->rule[i];

		if ((r->dir_only && (!is_dir || contents)) || !rule_hits(r, path, name))
			continue;
		if (r->dir_only) {
			contents = r; /* a later rule may still leave out the entry too */
			continue;
		}
		if (ret_rule)
			*ret_rule = r->text;
		return RULE_ENTRY;
	}
	if (contents && ret_rule)
		*ret_rule = contents->text;
	return contents ? RULE_CONTENTS : RULE_MISS;
}
