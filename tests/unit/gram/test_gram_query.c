#include "roll.h"
#include "test.h"

#include "gram/gram_query.h"

#define N_GRAMS 8u
#define MAX_KIDS 4u

/* What each of the 256 sets of eight grams says to a node, as it was meant. */
struct meant {
	const struct gram_node *node;
	bool holds[1u << N_GRAMS];
};

static void
roll_leaf(struct gram_query *q, struct meant *ret)
{
	uint32_t kind = roll(12), first = roll(N_GRAMS), last = first;

	if (roll(3) == 0)
		last += roll(N_GRAMS - first);
	ret->node = kind == 0   ? gram_query_any()
	            : kind == 1 ? gram_query_none()
	                        : gram_query_range(q, first, last);
	for (unsigned set = 0; set < 1u << N_GRAMS; set++) {
		unsigned mask = ((2u << last) - 1) & ~((1u << first) - 1);

		ret->holds[set] = kind == 0 || (kind > 1 && (set & mask));
	}
}

static void
roll_node(struct gram_query *q, unsigned depth, struct meant *ret)
{
	const struct gram_node *kids[MAX_KIDS];
	bool is_or = roll(2), want[1u << N_GRAMS];
	uint32_t n = roll(MAX_KIDS + 1);

	if (depth == 0 || roll(4) == 0) {
		roll_leaf(q, ret);
		return;
	}
	memset(want, !is_or, sizeof(want));
	for (uint32_t i = 0; i < n; i++) {
		roll_node(q, depth - 1, ret);
		kids[i] = ret->node;
		for (unsigned set = 0; set < 1u << N_GRAMS; set++)
			want[set] =
				is_or ? want[set] || ret->holds[set] : want[set] && ret->holds[set];
	}
	memcpy(ret->holds, want, sizeof(want));
	ret->node = is_or ? gram_query_or(q, kids, n) : gram_query_and(q, kids, n);
}

static void
check_form(const struct gram_node *node)
{
	if (node->op != GRAM_AND && node->op != GRAM_OR)
		return;
	CHECK(node->n_kids >= 2);
	for (uint32_t i = 0; i < node->n_kids; i++) {
		CHECK(node->kids[i]->op != node->op);
		CHECK(node->kids[i]->op != GRAM_ANY && node->kids[i]->op != GRAM_NONE);
		check_form(node->kids[i]);
	}
}

static bool
holds_set(const struct gram_node *node, unsigned set)
{
	uint32_t grams[N_GRAMS];
	size_t n = 0;

	for (uint32_t i = 0; i < N_GRAMS; i++) {
		if (set >> i & 1)
			grams[n++] = i;
	}
	return gram_query_holds(node, grams, n);
}

TEST(gram_query, simplifying_changes_no_answer)
{
	for (unsigned long i = 0; i < test_scale(500000); i++) {
		struct gram_query q;
		struct meant meant;

		gram_query_init(&q, 3 + roll(2));
		roll_node(&q, 3, &meant);
		check_form(meant.node);
		for (unsigned set = 0; set < 1u << N_GRAMS; set++)
			CHECK_INT(holds_set(meant.node, set), meant.holds[set]);
		CHECK(!q.failed);
		gram_query_fini(&q);
	}
}

/* What does not fit is ANY: more is let through, never less. */
TEST(gram_query, a_query_that_is_full_lets_more_through)
{
	struct gram_query q;
	const struct gram_node *kids[GRAM_QUERY_MAX_KIDS + 1], *node;
	uint32_t gram = 5;

	gram_query_init(&q, 4);
	for (uint32_t i = 0; i < ARRAY_LEN(kids); i++)
		kids[i] = gram_query_range(&q, 2 * i, 2 * i);
	CHECK_INT(gram_query_or(&q, kids, ARRAY_LEN(kids))->op, GRAM_ANY);
	node = gram_query_or(&q, kids, GRAM_QUERY_MAX_KIDS);
	CHECK_INT(node->op, GRAM_OR);
	CHECK(!gram_query_holds(node, &gram, 1));
	while (gram_query_range(&q, 7, 7)->op == GRAM_RANGE)
		;
	CHECK_INT(gram_query_or(&q, kids, 2)->op, GRAM_OR); /* there is room for these */
	while (gram_query_and(&q, kids, 2)->op == GRAM_AND)
		;
	CHECK_INT(q.n_nodes, GRAM_QUERY_MAX_NODES);
	CHECK_INT(gram_query_and(&q, kids, 2)->op, GRAM_RANGE);
	CHECK_INT(gram_query_or(&q, kids, 2)->op, GRAM_ANY);
	CHECK(!q.failed);
	gram_query_fini(&q);
}

static void
check_printed(struct gram_query *q, const struct gram_node *node, const char *want)
{
	struct strbuf text = {0};

	CHECK_INT(gram_query_print(q, node, &text), 0);
	CHECK_STR(text.data, want);
	strbuf_fini(&text);
}

TEST(gram_query, it_is_printed_for_people)
{
	static const uint8_t memo[] = {13, 5, 13, 15, 18, 25}, quote[] = {0, 40, 39, 37};
	const struct gram_node *kids[2];
	struct gram_query q;

	gram_query_init(&q, 4);
	kids[0] = gram_query_run(&q, memo, 6);
	kids[1] = gram_query_run(&q, quote, 4);
	check_printed(&q, gram_query_any(), "ANY");
	check_printed(&q, gram_query_none(), "NONE");
	check_printed(&q, gram_query_run(&q, memo, 1), "ANY");
	check_printed(&q, gram_query_run(&q, memo, 2), "\"me\"**");
	check_printed(&q, gram_query_run(&q, memo, 3), "\"mem\"*");
	check_printed(&q, gram_query_or(&q, kids, 2),
		"\"\\n\\\"\\? \" | (\"emor\" & \"memo\" & \"mory\")");
	check_printed(&q, gram_query_range(&q, 1, 2), "\"\\n\\n\\na\"-\"\\n\\n\\nb\"");
	gram_query_fini(&q);
}
