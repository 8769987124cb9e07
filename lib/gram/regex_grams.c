#include "gram/regex_grams.h"

#include <errno.h>

#include "gram/gram_strings.h"
#include "gram/regex_parse.h"

/* A repeat is looked at so many times in a row at most. */
#define MAX_COPIES 6u
/* A range is N_SYMBOLS lists: an OR of more of them is not worth its reading. */
#define MAX_RANGES 16u
/* Where nothing else is known, n - 2 symbols are asked for: N_SYMBOLS times as many lists. */
#define MAX_WIDE 4u
/* A class of more is any character. */
#define CLASS_MAX_STRINGS 32u

/* One of the conditions on a text that matches. */
struct need {
	const struct gram_node *node;
	struct need *next;
};

/*
 * What is known of all that a part of the pattern matches: either `exact`, then it is one of
 * `heads`; or it begins with one of `heads` and ends with one of `tails`, where the empty string
 * says nothing. Heads and tails of such a part have at most n - 1 symbols: what they say by
 * themselves is in `needs`, and they are there for what they say together with their neighbours.
 */
struct part {
	bool exact;
	struct gram_strings heads, tails;
	struct need *needs;
};

/* The arena holds the syntax tree, parts and needs; all of it for one derivation. */
struct deriver {
	struct gram_query *query;
	struct arena arena;
	unsigned keep; /* n - 1 */
	bool wide;     /* n - 2 symbols are asked for, too */
	bool failed;
};

static struct part *derive(struct deriver *d, const struct regex_node *node);

/* A part like `from`; NULL and `failed` when memory is out. */
static struct part *
copy_part(struct deriver *d, const struct part *from)
{
	struct part *part = ARENA_NEW(&d->arena, struct part);

	if (part)
		*part = *from;
	d->failed = d->failed || !part;
	return part;
}

/* Any text: nothing is known. */
static struct part *
any_part(struct deriver *d)
{
	struct part *part = ARENA_NEW(&d->arena, struct part);

	d->failed = d->failed || !part;
	if (part)
		part->heads.n = part->tails.n = 1; /* the empty string */
	return part;
}

/* One string; NULL when memory is out. */
static struct part *
exact_part(struct deriver *d, gram_string s)
{
	struct part *part = any_part(d);

	if (part) {
		part->exact = true;
		part->heads.s[0] = s;
	}
	return part;
}

static void
add_need(struct deriver *d, struct part *part, const struct gram_node *node)
{
	struct need *need;

	if (node->op == GRAM_ANY)
		return;
	need = ARENA_NEW(&d->arena, struct need);
	d->failed = d->failed || !need;
	if (!need)
		return;
	*need = (struct need){node, part->needs};
	part->needs = need;
}

static void
add_needs(struct deriver *d, struct part *part, const struct need *more)
{
	for (; more; more = more->next)
		add_need(d, part, more->node);
}

/* Can the strings be asked for? One of n - 2 symbols that ends with the end may stand where the
 * text ends, and begins no gram there. */
static bool
can_ask(const struct deriver *d, const struct gram_strings *set)
{
	uint8_t symbols[GRAMS_MAX_SYMBOLS + 2];
	unsigned n_ranges = 0, n_wide = 0;

	for (uint32_t i = 0; i < set->n; i++) {
		unsigned len = gram_string_symbols(set->s[i], symbols);

		n_ranges += len == d->keep;
		n_wide += len < d->keep;
		if (len < d->keep && (!d->wide || len + 1 < d->keep || len == 0 ||
					     symbols[len - 1] == SYMBOL_END))
			return false;
	}
	return n_ranges <= MAX_RANGES && n_wide <= MAX_WIDE;
}

/* The text holds one of the strings. */
static const struct gram_node *
one_of(struct deriver *d, const struct gram_strings *set)
{
	const struct gram_node *kids[GRAMS_MAX_STRINGS];
	uint8_t symbols[GRAMS_MAX_SYMBOLS + 2];

	if (!can_ask(d, set))
		return gram_query_any();
	for (uint32_t i = 0; i < set->n; i++)
		kids[i] =
			gram_query_run(d->query, symbols, gram_string_symbols(set->s[i], symbols));
	return gram_query_or(d->query, kids, set->n);
}

/* All needs of the part, with what its strings say when they are all of it. */
static const struct gram_node *
all_of(struct deriver *d, const struct part *part)
{
	const struct gram_node **kids;
	size_t n = 1, i = 1;

	for (const struct need *need = part->needs; need; need = need->next)
		n++;
	kids = ARENA_ARRAY(&d->arena, const struct gram_node *, n);
	if (!kids) {
		d->failed = true;
		return gram_query_any();
	}
	kids[0] = part->exact ? one_of(d, &part->heads) : gram_query_any();
	for (const struct need *need = part->needs; need; need = need->next)
		kids[i++] = need->node;
	return gram_query_and(d->query, kids, n);
}

/* From the strings that it is to those that it begins and ends with. */
static void
loosen(struct deriver *d, struct part *part)
{
	struct gram_strings all = part->heads;

	if (!part->exact)
		return;
	add_need(d, part, one_of(d, &all));
	gram_strings_heads(&all, d->keep, &part->heads);
	gram_strings_tails(&all, d->keep, &part->tails);
	part->exact = false;
}

/* Each of the tails before each of the heads; fewer of them, shorter, until they fit. */
static void
meet(struct gram_strings *tails, struct gram_strings *heads, unsigned keep,
	struct gram_strings *ret)
{
	unsigned n_tail = keep, n_head = keep;

	while (!gram_strings_product(tails, heads, ret)) {
		struct gram_strings longer;

		if (n_head >= n_tail) {
			longer = *heads;
			gram_strings_heads(&longer, --n_head, heads);
		} else {
			longer = *tails;
			gram_strings_tails(&longer, --n_tail, tails);
		}
	}
}

static bool
is_nothing(const struct part *part)
{
	return part->exact && part->heads.n == 1 && part->heads.s[0] == 0;
}

/* One part behind the other; `a` becomes both. At least one of them is not exact, or their product
 * would not fit. */
static void
append_loose(struct deriver *d, struct part *a, struct part *b)
{
	struct gram_strings both;

	if (b->exact)
		loosen(d, a);
	if (a->exact && gram_strings_product(&a->heads, &b->heads, &both)) {
		gram_strings_heads(&both, d->keep, &a->heads);
		a->tails = b->tails;
		a->exact = false;
	} else if (b->exact && gram_strings_product(&a->tails, &b->heads, &both)) {
		gram_strings_tails(&both, d->keep, &a->tails);
	} else {
		loosen(d, a);
		loosen(d, b);
		meet(&a->tails, &b->heads, d->keep, &both);
		a->tails = b->tails;
	}
	add_need(d, a, one_of(d, &both));
}

static void
append(struct deriver *d, struct part *a, struct part *b)
{
	struct gram_strings both;

	add_needs(d, a, b->needs);
	b->needs = NULL;
	if (is_nothing(b))
		return;
	if (is_nothing(a)) {
		struct need *needs = a->needs;

		*a = *b;
		a->needs = needs;
	} else if (a->exact && b->exact && gram_strings_product(&a->heads, &b->heads, &both)) {
		a->heads = both;
	} else {
		append_loose(d, a, b);
		add_needs(d, a, b->needs); /* loosening made some */
	}
}

static void
unite(struct gram_strings *set, const struct gram_strings *more, unsigned keep, bool tails)
{
	struct gram_strings a = *set, b = *more;

	while (!gram_strings_union(set, &b)) {
		struct gram_strings longer = b;

		keep--;
		(tails ? gram_strings_tails : gram_strings_heads)(&longer, keep, &b);
		(tails ? gram_strings_tails : gram_strings_heads)(&a, keep, set);
	}
}

/* One or the other; `a` becomes both. */
static void
alternate(struct deriver *d, struct part *a, struct part *b)
{
	const struct gram_node *kids[2];
	struct gram_strings all = a->heads;

	if (a->exact && b->exact && gram_strings_union(&all, &b->heads)) {
		a->heads = all;
		a->exact = b->exact = false; /* the needs without the strings */
		kids[0] = all_of(d, a);
		kids[1] = all_of(d, b);
		a->exact = true;
	} else {
		loosen(d, a);
		loosen(d, b);
		unite(&a->heads, &b->heads, d->keep, false);
		unite(&a->tails, &b->tails, d->keep, true);
		kids[0] = all_of(d, a);
		kids[1] = all_of(d, b);
	}
	a->needs = NULL;
	add_need(d, a, gram_query_or(d->query, kids, 2));
}

static struct part *
derive_class(struct deriver *d, const struct regex_node *node)
{
	size_t n = (size_t)__builtin_popcountll(node->set) + node->n_pairs;
	struct part *part = any_part(d);

	if (!part || n > CLASS_MAX_STRINGS)
		return part;
	part->exact = true;
	part->heads.n = 0;
	for (symbol_mask left = node->set; left; left &= left - 1) {
		uint8_t symbol = (uint8_t)__builtin_ctzll(left);

		(void)gram_strings_add(&part->heads, gram_string_of(&symbol, 1, false, false));
	}
	for (uint32_t i = 0; i < node->n_pairs; i++) {
		uint8_t pair[] = {(uint8_t)(node->pair[i] >> SYMBOL_BITS),
			(uint8_t)(node->pair[i] & (N_SYMBOLS - 1))};

		(void)gram_strings_add(&part->heads, gram_string_of(pair, 2, false, false));
	}
	return part;
}

/* The kids one after the other, or one of them. */
static struct part *
derive_kids(struct deriver *d, const struct regex_node *node)
{
	struct part *all = NULL;

	for (const struct regex_node *kid = node->kid; kid && !d->failed; kid = kid->next) {
		struct part *part = derive(d, kid);

		if (!part)
			return NULL;
		if (!all)
			all = part;
		else if (node->kind == REGEX_CAT)
			append(d, all, part);
		else
			alternate(d, all, part);
	}
	return all ? all : exact_part(d, 0);
}

/* x{2,} begins with xx, and ends with xx. */
static struct part *
derive_repeat(struct deriver *d, const struct regex_node *node)
{
	uint32_t copies = MIN(node->min, MAX_COPIES);
	struct part *once = node->max > 0 ? derive(d, node->kid) : exact_part(d, 0);
	struct part *nothing = exact_part(d, 0), *all, *copy;

	if (!once || !nothing || node->max == 0)
		return once;
	if (node->min == 0 && node->max > 1)
		return any_part(d);
	if (node->min == 0) {
		alternate(d, once, nothing);
		return once;
	}
	all = copy_part(d, once);
	for (uint32_t i = 1; i < copies && all; i++) {
		copy = copy_part(d, once);
		if (!copy)
			return NULL;
		copy->needs = NULL; /* `all` has them: nested repeats would double them */
		append(d, all, copy);
	}
	if (all && node->max != copies)
		loosen(d, all);
	return all;
}

static struct part *
derive_look(struct deriver *d, const struct regex_node *node)
{
	struct part *inside = derive(d, node->kid), *part = exact_part(d, 0);

	if (inside && part)
		add_need(d, part, all_of(d, inside));
	return part;
}

static struct part *
derive(struct deriver *d, const struct regex_node *node)
{
	switch (node->kind) {
	case REGEX_EMPTY:
		return exact_part(d, 0);
	case REGEX_CLASS:
		return derive_class(d, node);
	case REGEX_ANY_TEXT:
		return any_part(d);
	case REGEX_LINE_START:
		return exact_part(d, gram_string_of(NULL, 0, true, false));
	case REGEX_LINE_END:
		return exact_part(d, gram_string_of(NULL, 0, false, true));
	case REGEX_LOOK:
		return derive_look(d, node);
	case REGEX_CAT:
	case REGEX_ALT:
		return derive_kids(d, node);
	case REGEX_REPEAT:
		return derive_repeat(d, node);
	}
	return any_part(d);
}

static void
derive_all(struct deriver *d, const struct regex_node *tree, bool whole_line)
{
	struct part *part = derive(d, tree), *line;

	if (part && whole_line) {
		line = derive(d, &(struct regex_node){.kind = REGEX_LINE_START});
		if (line)
			append(d, line, part);
		part = derive(d, &(struct regex_node){.kind = REGEX_LINE_END});
		if (line && part)
			append(d, line, part);
		part = line;
	}
	if (part && !d->failed)
		d->query->root = all_of(d, part);
}

int
grams_of_pattern(struct span pattern, enum pattern_flags flags, struct gram_query *q)
{
	struct deriver d = {.query = q, .keep = q->n - 1};
	const struct regex_node *tree = NULL;
	bool utf = utf8_valid(pattern.data, pattern.len);
	int r = 0;

	q->root = gram_query_any();
	if (flags & PATTERN_PATH || pattern.len > PATTERN_MAX_BYTES)
		return 0;
	r = flags & PATTERN_REGEX ? regex_parse(pattern, utf, &d.arena, &tree)
	                          : regex_of_literal(pattern, utf, &d.arena, &tree);
	if (r == 0 && tree)
		derive_all(&d, tree, flags & PATTERN_LINE);
	d.wide = true;
	if (r == 0 && tree && q->root->op == GRAM_ANY && !d.failed)
		derive_all(&d, tree, flags & PATTERN_LINE);
	arena_fini(&d.arena);
	return r < 0 || d.failed || q->failed ? -ENOMEM : 0;
}
