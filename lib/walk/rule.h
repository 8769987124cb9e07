/**
 * rule: which names the walk leaves out.
 *
 * Exclude rules of the configuration, one a word:
 *     name        an entry of that name at any depth            node_modules  core
 *     *.o         the same with a glob (base/glob.h)
 *     a/b         the path's end, at component borders          .git/objects
 *     /a/b        the path from the root of the tree
 *     name/       directories only; the directory itself stays in the index, its contents do not
 *
 * A rule with a trailing slash leaves the directory's own entry in; without, the entry goes too.
 *
 * .gitignore rules are those of gitignore(5): last match wins, '!' re-includes, a pattern with a
 * slash is anchored at its file's directory, "dir/" matches directories only, and nothing below an
 * ignored directory can be re-included. Ignored entries are left out themselves.
 * A .gitignore that is no regular file, cannot be read or has more than 4 MiB counts as missing.
 * Of one file and those above it the first 10,000 patterns are obeyed, from the root down; it is
 * users who write these files, and each entry is held against them all.
 * $GIT_DIR/info/exclude and the user's global file are not read. Entries called .git are not
 * ignored by this.
 *
 * Ownership: created and destroyed; strings are copied.
 * Threads:   const after create.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

struct rules;

/** `patterns` NULL-terminated. -EINVAL names the pattern that is wrong. */
int rules_create(const char *const *patterns, struct rules **ret, struct err *err);
void rules_destroy(struct rules *r);
/** They match nothing. */
bool rules_empty(const struct rules *r);

enum rule_hit {
	RULE_MISS,
	RULE_ENTRY,    /* the entry is left out */
	RULE_CONTENTS, /* the directory's entry stays, what is in it does not */
};

/** `path` is relative to the root. *ret_rule (may be NULL) is the rule's text, valid as long as r.
 */
enum rule_hit rules_match(
	const struct rules *r, struct span path, bool is_dir, const char **ret_rule);

#define GITIGNORE_MAX_PATTERNS 10000u

/** The .gitignore of one directory; its `parent` is that of a directory above it (may be NULL). */
struct gitignore;

/** Parse the file's text. `base` is the directory's path relative to the root ("" for the root).
 *  Lines that are no valid patterns are ignored, as git does. Takes a reference to parent. */
int gitignore_create(
	struct gitignore *parent, struct span base, struct span text, struct gitignore **ret);
struct gitignore *gitignore_ref(struct gitignore *g); /* any thread; NULL is legal */
void gitignore_unref(struct gitignore *g);            /* any thread; NULL is legal */

/** Is the entry ignored by this file or those above it? */
bool gitignore_match(const struct gitignore *g, struct span path, bool is_dir,
	const char **ret_rule, struct span *ret_base);
