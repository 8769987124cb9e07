/**
 * term: one token into one leaf of the tree; and the values that several terms share.
 *
 * Ownership: nodes live in the query's arena; patterns and needles are released by query_unref().
 * Errors:    -EINVAL with column and hint, -ENOMEM.
 */
#pragma once

#include "query/lex.h"

struct term_env {
	struct query *query;
	int64_t now_ns;
	enum query_case cas;
	struct err *err;
};

/** A new node of the arena; NULL: out of memory. */
struct node *node_create(struct query *q, enum term term, uint32_t pos);

/** The leaf of a TOKEN_TERM (not case:). */
int term_build(struct term_env *e, const struct token *t, struct node **ret);

/* Texts (term_text.c): leaves whose term and key are set. */
int term_build_text(struct term_env *e, const struct token *t, struct node *n);
int term_build_content(struct term_env *e, const struct token *t, struct node *n);
/** The literals of a TERM_EXT whose list is complete. */
int term_build_ext(struct term_env *e, struct node *n);
/** What a leaf of the above owns. */
void term_fini(struct node *n);

/** One value of a range: the interval that it stands for, and whether it counts backwards (an age:
 *  ">7d" is earlier than "<7d"). */
struct value {
	uint64_t lo, hi;
	bool age;
};

/** Reads one value of a range: 0, or -EINVAL having filled err. */
typedef int (*value_fn)(
	struct span text, uint32_t pos, const struct term_env *e, struct value *ret);

int value_number(struct span text, uint32_t pos, const struct term_env *e, struct value *ret);
int value_size(struct span text, uint32_t pos, const struct term_env *e, struct value *ret);
/** Times are int64_t nanoseconds moved by 2^63, so that they sort as unsigned numbers. */
int value_time(struct span text, uint32_t pos, const struct term_env *e, struct value *ret);
#define VALUE_TIME_BIAS (1ull << 63)

/** "N", ">N", ">=N", "<N", "<=N", "A..B", "A..", "..B" into an inclusive interval; 1 when it holds
 *  nothing, else 0. */
int value_range(
	struct span text, uint32_t pos, const struct term_env *e, value_fn one, struct value *ret);

/** "rwx"-less: octal bits exactly, "-bits" all of them, "/bits" any of them. */
int value_perm(struct span text, uint32_t pos, const struct term_env *e, enum perm_test *ret_test,
	uint32_t *ret_bits);
/** Letters of file types, or their words, into a mask of 1 << DT_*. */
int value_types(struct span text, uint32_t pos, const struct term_env *e, uint32_t *ret);
/** A copy without doubled and closing slashes at `ret`, which has room for path.len: its length. */
size_t path_squeeze(struct span path, char *ret);
/** The number of a user or group given by name or number. */
int value_owner(
	struct span text, uint32_t pos, const struct term_env *e, bool group, uint32_t *ret);
