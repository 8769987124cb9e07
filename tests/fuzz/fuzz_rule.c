/* A path on the first line, then rules: as words of the configuration and as a .gitignore. */
#include "fuzz.h"

#include <errno.h>

#include "walk/rule.h"

#define MAX_RULES 32u

static void
try_rules(struct span text, struct span path)
{
	char *patterns[MAX_RULES + 1] = {0};
	const char *rule = NULL;
	struct rules *rules = NULL;
	struct err err = {0};
	size_t n = 0;
	int r;

	while (text.len > 0 && n < MAX_RULES) {
		struct span line = fuzz_cut(&text, '\n');

		patterns[n] = strndup(line.data, line.len);
		if (!patterns[n++])
			abort();
	}
	r = rules_create((const char *const *)patterns, &rules, &err);
	assert(r == 0 || r == -EINVAL || r == -ENOMEM);
	assert(r != -EINVAL || err.what[0]);
	for (int is_dir = 0; r == 0 && is_dir < 2; is_dir++)
		assert(rules_match(rules, path, is_dir, &rule) == RULE_MISS || rule);
	rules_destroy(rules);
	while (n > 0)
		free(patterns[--n]);
}

static void
try_gitignore(struct span text, struct span path)
{
	struct span half = {text.data, text.len / 2}, base = {path.data, 0}, where;
	struct gitignore *top = NULL, *below = NULL;
	const char *slash = path.len ? memchr(path.data, '/', path.len) : NULL, *rule;

	if (gitignore_create(NULL, base, text, &top) < 0)
		return;
	if (slash)
		base.len = (size_t)(slash - path.data);
	if (gitignore_create(top, base, half, &below) == 0) {
		for (int is_dir = 0; is_dir < 2; is_dir++) {
			(void)gitignore_match(top, path, is_dir, &rule, &where);
			(void)gitignore_match(below, path, is_dir, NULL, NULL);
		}
	}
	gitignore_unref(top); /* below holds it */
	gitignore_unref(below);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = {(const char *)data, size}, path = fuzz_cut(&text, '\n');

	while (path.len > 0 && path.data[0] == '/') {
		path.data++;
		path.len--;
	}
	if (path.len == 0 || memchr(path.data, '\0', path.len))
		return 0;
	try_rules(text, path);
	try_gitignore(text, path);
	return 0;
}
