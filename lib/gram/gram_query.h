/**
 * gram_query: which documents can match, as a boolean expression over grams.
 *
 * A node is ANY (every document), NONE, a range of grams (the document holds one of them; mostly a
 * single one), or an AND or OR of others. Nodes are made simplified and never change: no ANY or
 * NONE below another node, no AND in an AND, no OR in an OR, no child that another one implies, and
 * what all children of an OR share stands before it.
 *
 * A query has at most GRAM_QUERY_MAX_NODES nodes: when they are used up, what would be made is ANY,
 * an AND one of its children, so it lets more documents through and loses none.
 *
 *     struct gram_query q;
 *     gram_query_init(&q, 4);
 *     q.root = gram_query_and(&q, kids, n);
 *     gram_query_holds(q.root, sorted, n);
 *     gram_query_fini(&q);
 *
 * Ownership: nodes are the query's, valid until gram_query_fini(). A node may be a child of
 * several. Threads:   one thread while it is made; then const. Errors:    out of memory: ANY, and
 * `failed` is set.
 */
#pragma once

#include "base/arena.h"
#include "gram/gram.h"

#define GRAM_QUERY_MAX_NODES 4096u
/** An OR of more is ANY. */
#define GRAM_QUERY_MAX_KIDS 512u

enum gram_op { GRAM_ANY, GRAM_NONE, GRAM_RANGE, GRAM_AND, GRAM_OR };

struct gram_node {
	enum gram_op op;
	uint32_t first, last;                /* GRAM_RANGE: first <= last */
	uint32_t n_kids;                     /* GRAM_AND, GRAM_OR: at least 2 */
	const struct gram_node *const *kids; /* ranges first, ascending */
};

struct gram_query {
	struct arena arena;
	unsigned n; /* symbols of a gram */
	uint32_t n_nodes;
	bool failed;
	const struct gram_node *root; /* GRAM_ANY at first; the caller's to set */
};

void gram_query_init(struct gram_query *q, unsigned n);
void gram_query_fini(struct gram_query *q);

const struct gram_node *gram_query_any(void);
const struct gram_node *gram_query_none(void);
const struct gram_node *gram_query_range(struct gram_query *q, uint32_t first, uint32_t last);
/** The text holds these symbols in a row: its grams, a range when there are n - 1 symbols, or n - 2
 *  of which the last is no end; ANY when there are fewer. */
const struct gram_node *gram_query_run(struct gram_query *q, const uint8_t *symbols, size_t len);
/** An AND of none is ANY, an OR of none is NONE. The array stays the caller's. */
const struct gram_node *gram_query_and(
	struct gram_query *q, const struct gram_node *const *kids, size_t n);
const struct gram_node *gram_query_or(
	struct gram_query *q, const struct gram_node *const *kids, size_t n);

/** Does a document with these grams, ascending, satisfy the node? */
bool gram_query_holds(const struct gram_node *node, const uint32_t *grams, size_t n);

/** As text: "memo" for a gram, "mem"* and "me"** for the range of those that begin so, & and |,
 * parentheses around what stands below another, ANY, NONE. 0 or -ENOMEM. */
int gram_query_print(const struct gram_query *q, const struct gram_node *node, struct strbuf *out);
