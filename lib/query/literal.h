/**
 * literal: text that stands in one name, and what a name must be like. Internal to the text terms.
 *
 * A literal knows how names are scanned for it and which grams of the index it implies. A name test
 * is a few literals at their places and, where these do not decide, a glob. Words are tests of one
 * literal; of a regular expression the literal is only what each match must hold.
 *
 * Ownership: needles are the literal's; a test lives in the query's arena and is released by
 *            name_test_fini(). The glob borrows its pattern.
 * Threads:   const after init.
 * Errors:    -ENOMEM.
 */
#pragma once

#include "base/glob.h"
#include "text/members.h"

#define LITERAL_MAX_GRAMS 32u
#define NAME_MAX_LITERALS 3u

struct literal {
	struct needle needle;
	struct members scan;
	/* The scan does not see all in names that hold bytes >= 0x80: ask those one by one. */
	bool ask_wide;
	unsigned n_grams;
	uint32_t gram[LITERAL_MAX_GRAMS];
};

struct name_test {
	uint32_t n_literals;
	struct literal literal[NAME_MAX_LITERALS]; /* a name that matches holds each of them */
	bool decides;     /* and one that holds them, at their places, matches */
	struct glob glob; /* pattern.len 0: a word or less, its literal anywhere */
};

/** No byte >= 0x80 in it. */
bool span_is_ascii(struct span s);

int literal_init(struct literal *l, struct span text, bool fold, enum member_place place);
void literal_fini(struct literal *l);

/** The literal anywhere in a name. */
int name_test_word(struct name_test *t, struct span text, bool fold);
/** A glob without a slash, its pattern folded when `fold`. */
int name_test_glob(struct name_test *t, struct span pattern, bool fold);
/** One more literal, of NAME_MAX_LITERALS at most; an empty one changes nothing. */
int name_test_add(struct name_test *t, struct span text, bool fold, enum member_place place);
void name_test_fini(struct name_test *t);

/** The longest literal of a glob within one component, unescaped into `buf`, which has room for
 *  glob.len. */
struct span glob_piece(struct span glob, char *buf);
/** Where the set that begins at `at` ends, in a glob that is right. */
size_t glob_set_end(struct span glob, size_t at);
