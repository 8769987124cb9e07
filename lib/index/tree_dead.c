#include "index/tree_dead.h"

#include <errno.h>

#include "base/bisect.h"

struct tree_dead {
	uint32_t n;
	struct tree_range *ranges;
	struct dead_before {
		uint32_t n;
		struct tree_sum sum;
	} * before; /* [n + 1] entries of the ranges before each, and their sums */
};

/* The skeletons of a layer, ascending. */
struct bones {
	const struct tree_cols *c;
	uint32_t at; /* index into dir_order */
};

/* The next one, or n_entries. */
static uint32_t
next_bone(struct bones *b)
{
	while (b->c->n_below > 0 && b->at < b->c->n_dirs) {
		uint32_t e = b->c->dir_entry[b->c->dir_order[b->at++]];

		if (tree_flags(b->c, e) & TREE_SKELETON)
			return e;
	}
	return b->c->n_entries;
}

static uint32_t
count_bones(const struct tree_cols *c)
{
	struct bones b = {.c = c};
	uint32_t n = 0;

	while (next_bone(&b) < c->n_entries)
		n++;
	return n;
}

/* Ranges come with ascending starts; what overlaps or touches becomes one. */
static void
add_range(struct tree_dead *d, struct tree_range r)
{
	if (d->n > 0 && r.lo <= d->ranges[d->n - 1].hi)
		d->ranges[d->n - 1].hi = MAX(d->ranges[d->n - 1].hi, r.hi);
	else
		d->ranges[d->n++] = r;
}

static void
join_ranges(
	struct tree_dead *d, const struct tree_cols *c, const struct tree_range *said, uint32_t n)
{
	struct bones b = {.c = c};
	uint32_t bone = next_bone(&b);

	for (uint32_t i = 0; i < n || bone < c->n_entries;) {
		if (i < n && said[i].lo <= bone) {
			add_range(d, said[i++]);
			continue;
		}
		add_range(d, (struct tree_range){bone, bone + 1});
		bone = next_bone(&b);
	}
}

/* Below this, values one by one are quicker than two places in the running sums. */
#define FEW 32u

static struct tree_sum
sum_of(const struct tree_cols *c, uint32_t lo, uint32_t hi)
{
	struct tree_sum s = {0};

	if (hi - lo > FEW) {
		tree_sum(c, lo, hi, &s);
		return s;
	}
	for (; lo < hi; lo++) {
		s.size += tree_size(c, lo);
		s.blocks += tree_blocks(c, lo);
	}
	return s;
}

/* The same range, looked for from *at on; those that are asked for ascend. */
static bool
sum_known(const struct tree_dead *old, uint32_t *at, struct tree_range r, struct tree_sum *ret)
{
	while (old && *at < old->n && old->ranges[*at].lo < r.lo)
		(*at)++;
	if (!old || *at == old->n || old->ranges[*at].lo != r.lo || old->ranges[*at].hi != r.hi)
		return false;
	ret->size = old->before[*at + 1].sum.size - old->before[*at].sum.size;
	ret->blocks = old->before[*at + 1].sum.blocks - old->before[*at].sum.blocks;
	return true;
}

static void
add_up(struct tree_dead *d, const struct tree_cols *c, const struct tree_dead *old)
{
	uint32_t at = 0;

	d->before[0] = (struct dead_before){0};
	for (uint32_t i = 0; i < d->n; i++) {
		struct tree_range r = d->ranges[i];
		struct dead_before *now = &d->before[i], *next = now + 1;
		struct tree_sum s;

		if (!sum_known(old, &at, r, &s))
			s = sum_of(c, r.lo, r.hi);
		next->n = now->n + (r.hi - r.lo);
		next->sum.size = now->sum.size + s.size;
		next->sum.blocks = now->sum.blocks + s.blocks;
	}
}

int
tree_dead_create(const struct tree_cols *c, const struct tree_range *said, uint32_t n,
	const struct tree_dead *old, struct tree_dead **ret)
{
	size_t max = (size_t)n + count_bones(c);
	struct tree_dead *d;

	if (max == 0) {
		*ret = NULL;
		return 0;
	}
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->ranges = malloc(max * sizeof(*d->ranges));
	if (d->ranges) {
		join_ranges(d, c, said, n);
		d->before = malloc(((size_t)d->n + 1) * sizeof(*d->before));
	}
	if (!d->before) {
		tree_dead_destroy(d);
		return -ENOMEM;
	}
	add_up(d, c, old);
	*ret = d;
	return 0;
}

void
tree_dead_destroy(struct tree_dead *d)
{
	if (!d)
		return;
	free(d->ranges);
	free(d->before);
	free(d);
}

/* The first range that ends past `entry`. */
static uint32_t
range_from(const struct tree_dead *d, uint32_t entry)
{
	return FIRST_NOT(i, d->n, d->ranges[i].hi <= entry);
}

uint32_t
tree_dead_skip(const struct tree_dead *d, uint32_t entry)
{
	uint32_t i = d ? range_from(d, entry) : 0;

	/* Ranges do not touch: past one is no other. */
	return d && i < d->n && d->ranges[i].lo <= entry ? d->ranges[i].hi : entry;
}

bool
tree_is_dead(const struct tree_dead *d, uint32_t entry)
{
	return tree_dead_skip(d, entry) != entry;
}

uint32_t
tree_dead_ranges(const struct tree_dead *d, const struct tree_range **ret)
{
	*ret = d ? d->ranges : NULL;
	return d ? d->n : 0;
}

uint32_t
tree_dead_from(const struct tree_dead *d, uint32_t entry, const struct tree_range **ret)
{
	uint32_t i = d ? range_from(d, entry) : 0;

	*ret = d ? d->ranges + i : NULL;
	return d ? d->n - i : 0;
}

/* Bits [lo, hi). */
static void
clear_bits(uint64_t *words, uint32_t lo, uint32_t hi)
{
	uint64_t head = ~(uint64_t)0 << lo % 64, tail = ~(~(uint64_t)0 << hi % 64);

	if (lo / 64 == hi / 64) {
		words[lo / 64] &= ~(head & tail);
		return;
	}
	words[lo / 64] &= ~head;
	for (uint32_t i = lo / 64 + 1; i < hi / 64; i++)
		words[i] = 0;
	if (hi % 64 > 0)
		words[hi / 64] &= ~tail;
}

void
tree_dead_clear(const struct tree_dead *d, uint32_t lo, uint32_t n, uint64_t *words)
{
	uint32_t hi = lo + n;

	for (uint32_t i = d ? range_from(d, lo) : 0; d && i < d->n && d->ranges[i].lo < hi; i++)
		clear_bits(words, MAX(d->ranges[i].lo, lo) - lo, MIN(d->ranges[i].hi, hi) - lo);
}

/* Of what is dead before `entry`. */
static struct dead_before
dead_before(const struct tree_dead *d, const struct tree_cols *c, uint32_t entry, bool sums)
{
	uint32_t i = range_from(d, entry);
	struct dead_before ret = d->before[i];

	if (i < d->n && d->ranges[i].lo < entry) {
		struct tree_sum part = {0};

		if (sums)
			part = sum_of(c, d->ranges[i].lo, entry);
		ret.n += entry - d->ranges[i].lo;
		ret.sum.size += part.size;
		ret.sum.blocks += part.blocks;
	}
	return ret;
}

uint32_t
tree_dead_sum(const struct tree_dead *d, const struct tree_cols *c, uint32_t lo, uint32_t hi,
	struct tree_sum *ret)
{
	struct dead_before from = {0}, to = {0};

	if (d) {
		from = dead_before(d, c, lo, ret != NULL);
		to = dead_before(d, c, hi, ret != NULL);
	}
	if (ret)
		*ret = (struct tree_sum){
			to.sum.size - from.sum.size, to.sum.blocks - from.sum.blocks};
	return to.n - from.n;
}
