#include "explorer.h"

#include <stdio.h>
#include <string.h>

#define N_LOCATIONS 1024u
#define N_KEPT 8u /* stores of an object that a load may still find */

struct kept {
	uint64_t value;
	struct clocks released;       /* what an acquire load of it learns */
	uint32_t seen[MODEL_THREADS]; /* when each thread first read or wrote it; 0: never */
	uint32_t sc;                  /* its number among the run's seq_cst stores; 0: it is none */
};

struct location {
	uintptr_t addr;
	uint32_t run, plain_writes;
	unsigned size, n; /* stores up to now; the last N_KEPT of them are here */
	struct kept stores[N_KEPT];
};

static struct location locations[N_LOCATIONS];

/* note: private. An interruption before a step that concerns nobody else may as well come before
 * the next step that does: the schedules are the same to everybody. Which addresses concern others
 * is learned from the runs of a model; when one is found to, the search begins again, so that the
 * one that comes to its end had them all as points of choice. An address may be of two objects in
 * two runs: then it is shared if both together are. */
static struct {
	uintptr_t addr;
	uint8_t readers, writers; /* one bit a thread */
	bool is_point;            /* since the search last began */
} uses[N_LOCATIONS];

/* note: fences. A seq_cst fence is known by two words: `met` joins what every thread had met at its
 * fences up to now, n_sc counts the seq_cst stores. Behind its fence a thread no longer misses what
 * is in either; a seq_cst load never misses what is in `met`. That is coherence and no more: what
 * is reached so is not said to have happened before, so the race detector learns nothing of it. */
static struct {
	struct clocks met;
	uint32_t n_sc;
} fences;

static const char *const order_names[] = {
	[memory_order_relaxed] = "relaxed",
	[memory_order_consume] = "consume",
	[memory_order_acquire] = "acquire",
	[memory_order_release] = "release",
	[memory_order_acq_rel] = "acq_rel",
	[memory_order_seq_cst] = "seq_cst",
};

void
memory_forget(void)
{
	memset(uses, 0, sizeof(uses));
}

void
memory_begin_run(void)
{
	memset(&fences, 0, sizeof(fences));
}

static bool
is_shared(uint8_t readers, uint8_t writers)
{
	uint8_t all = readers | writers;

	return writers != 0 && (all & (all - 1)) != 0;
}

void
memory_begin_search(void)
{
	for (unsigned i = 0; i < N_LOCATIONS; i++)
		uses[i].is_point = is_shared(uses[i].readers, uses[i].writers);
}

bool
memory_is_point(const volatile void *p, bool writes)
{
	uintptr_t addr = (uintptr_t)p;
	unsigned i = (unsigned)((addr * 0x9e3779b97f4a7c15ull) >> 50) % N_LOCATIONS;
	unsigned n_tried = 0;

	while (uses[i].addr != 0 && uses[i].addr != addr) {
		i = (i + 1) % N_LOCATIONS;
		if (++n_tried == N_LOCATIONS)
			return true;
	}
	uses[i].addr = addr;
	*(writes ? &uses[i].writers : &uses[i].readers) |= (uint8_t)(1u << self);
	if (!uses[i].is_point && is_shared(uses[i].readers, uses[i].writers))
		run.learned = true;
	return uses[i].is_point;
}

const char *
order_name(int order)
{
	return order_names[order];
}

static uint64_t
read_bytes(const volatile void *p, unsigned size)
{
	switch (size) {
	case 1:
		return *(const volatile uint8_t *)p;
	case 2:
		return *(const volatile uint16_t *)p;
	case 4:
		return *(const volatile uint32_t *)p;
	default:
		return *(const volatile uint64_t *)p;
	}
}

static void
write_bytes(volatile void *p, unsigned size, uint64_t value)
{
	switch (size) {
	case 1:
		*(volatile uint8_t *)p = (uint8_t)value;
		break;
	case 2:
		*(volatile uint16_t *)p = (uint16_t)value;
		break;
	case 4:
		*(volatile uint32_t *)p = (uint32_t)value;
		break;
	default:
		*(volatile uint64_t *)p = value;
	}
}

static uint64_t
cut(uint64_t value, unsigned size)
{
	return size == 8 ? value : value & ((1ull << (8 * size)) - 1);
}

static struct kept *
latest(struct location *l)
{
	return &l->stores[(l->n - 1) % N_KEPT];
}

/* What was written before the first atomic access, or plainly since the last. */
static void
begin_history(struct location *l, const volatile void *p, unsigned size)
{
	l->addr = (uintptr_t)p;
	l->run = run.number;
	l->size = size;
	l->n = 1;
	l->plain_writes = shadow_plain_writes(p, size);
	memset(&l->stores[0], 0, sizeof(l->stores[0]));
	l->stores[0].value = read_bytes(p, size);
}

static struct location *
location_of(const volatile void *p, unsigned size)
{
	uintptr_t addr = (uintptr_t)p;
	struct location *l;
	unsigned i = (unsigned)((addr * 0x9e3779b97f4a7c15ull) >> 50) % N_LOCATIONS;
	unsigned n_tried = 0;

	for (;; i = (i + 1) % N_LOCATIONS) {
		l = &locations[i];
		if (l->run != run.number || l->addr == addr)
			break;
		if (++n_tried == N_LOCATIONS)
			model_fail("more than %u atomic objects", N_LOCATIONS);
	}
	/* Not every plain write is seen (memset): the value in memory tells. */
	if (l->run != run.number || l->size != size ||
		l->plain_writes != shadow_plain_writes(p, size) ||
		latest(l)->value != read_bytes(p, size))
		begin_history(l, p, size);
	return l;
}

static bool
acquires(int order)
{
	return order == memory_order_acquire || order == memory_order_consume ||
	       order == memory_order_acq_rel || order == memory_order_seq_cst;
}

static bool
releases(int order)
{
	return order == memory_order_release || order == memory_order_acq_rel ||
	       order == memory_order_seq_cst;
}

/* Has something that is at most as late as `at` met this store? */
static bool
is_met(const struct kept *s, const uint32_t at[MODEL_THREADS])
{
	for (unsigned t = 0; t < MODEL_THREADS; t++) {
		if (s->seen[t] != 0 && s->seen[t] <= at[t])
			return true;
	}
	return false;
}

/* May a load of the running thread not return anything older? */
static bool
is_known(const struct kept *s, int order)
{
	const struct clocks *mine = sched_clocks();
	bool is_sc = order == memory_order_seq_cst;

	if (is_met(s, mine->at) || is_met(s, mine->fenced))
		return true;
	if (s->sc != 0 && (is_sc || s->sc <= mine->fenced_sc))
		return true;
	return is_sc && is_met(s, fences.met.at);
}

/* How many of the latest stores a load with this order may return. */
static unsigned
n_visible(const struct location *l, int order)
{
	unsigned n_kept = MIN(l->n, N_KEPT), n = 1;

	while (n < n_kept && !is_known(&l->stores[(l->n - n) % N_KEPT], order))
		n++;
	return n;
}

static void
take(struct kept *s, int order)
{
	struct clocks *mine = sched_clocks();

	if (s->seen[self] == 0)
		s->seen[self] = mine->at[self];
	if (acquires(order))
		clocks_join(mine, &s->released);
}

/* `sequel`: a read-modify-write continues the release sequence of what it read. */
static void
put(struct location *l, uint64_t value, int order, bool sequel)
{
	struct clocks *mine = sched_clocks();
	struct kept *before = latest(l);
	struct kept s = {.value = value};

	if (order == memory_order_seq_cst)
		s.sc = ++fences.n_sc;

	if (sequel)
		s.released = before->released;
	if (releases(order))
		clocks_join(&s.released, mine);
	s.seen[self] = mine->at[self];
	l->n++;
	*latest(l) = s;
	write_bytes((volatile void *)l->addr, l->size, value);
	mine->at[self]++; /* what follows is not released by this */
}

static int
order_of(struct model_site *site, int order)
{
	site->is_met = true;
	return site->weakened == MODEL_AS_WRITTEN ? order : site->weakened;
}

static void
tell(const char *what, const struct model_site *site, int order, uint64_t from, uint64_t to,
	const char *remark)
{
	char values[64];

	if (from == to)
		(void)snprintf(values, sizeof(values), "%llx", (unsigned long long)from);
	else
		(void)snprintf(values, sizeof(values), "%llx -> %llx", (unsigned long long)from,
			(unsigned long long)to);
	run_tell("%-5s %-34s %-8s %-22s%s  %s:%d %s()", what, site->expr, order_names[order],
		values, remark, site->file, site->line, site->func);
}

uint64_t
model_load(const volatile void *p, unsigned size, int order, struct model_site *site)
{
	struct location *l;
	struct kept *s;
	unsigned n, back = 0;

	if (self < 0)
		return read_bytes(p, size);
	order = order_of(site, order);
	sched_point(p, false);
	shadow_atomic(p, size, false, __builtin_return_address(0));
	l = location_of(p, size);
	n = n_visible(l, order);
	if (n > 1 && sched_take_stale(false)) {
		back = model_choose(n);
		if (back > 0)
			(void)sched_take_stale(true);
	}
	s = &l->stores[(l->n - 1 - back) % N_KEPT];
	take(s, order);
	if (run.telling)
		tell("load", site, order, s->value, s->value, back ? " (not the latest)" : "");
	return s->value;
}

void
model_store(volatile void *p, unsigned size, uint64_t value, int order, struct model_site *site)
{
	struct location *l;
	uint64_t before;

	value = cut(value, size);
	if (self < 0) {
		write_bytes(p, size, value);
		return;
	}
	order = order_of(site, order);
	sched_point(p, true);
	shadow_atomic(p, size, true, __builtin_return_address(0));
	l = location_of(p, size);
	before = latest(l)->value;
	put(l, value, order, false);
	if (run.telling)
		tell("store", site, order, before, value, "");
}

static uint64_t
apply(enum model_rmw kind, uint64_t a, uint64_t b)
{
	switch (kind) {
	case MODEL_ADD:
		return a + b;
	case MODEL_SUB:
		return a - b;
	case MODEL_OR:
		return a | b;
	case MODEL_AND:
		return a & b;
	case MODEL_SWAP:
		return b;
	}
	return 0;
}

uint64_t
model_rmw(volatile void *p, unsigned size, enum model_rmw kind, uint64_t value, int order,
	struct model_site *site)
{
	static const char *const names[] = {"add", "sub", "or", "and", "swap"};
	struct location *l;
	uint64_t before;

	if (self < 0) {
		before = read_bytes(p, size);
		write_bytes(p, size, cut(apply(kind, before, value), size));
		return before;
	}
	order = order_of(site, order);
	sched_point(p, true);
	shadow_atomic(p, size, true, __builtin_return_address(0));
	l = location_of(p, size);
	before = latest(l)->value;
	take(latest(l), order);
	value = cut(apply(kind, before, value), size);
	put(l, value, order, true);
	if (run.telling)
		tell(names[kind], site, order, before, value, "");
	return before;
}

bool
model_cas(volatile void *p, unsigned size, uint64_t *expected, uint64_t value, int order,
	int failed, struct model_site *site)
{
	struct location *l;
	struct kept *s;
	uint64_t before;

	value = cut(value, size);
	if (self < 0) {
		before = read_bytes(p, size);
		if (before == *expected)
			write_bytes(p, size, value);
		return before == *expected || (*expected = before, false);
	}
	order = order_of(site, order);
	if (site->weakened != MODEL_AS_WRITTEN)
		failed = memory_order_relaxed;
	sched_point(p, true);
	shadow_atomic(p, size, true, __builtin_return_address(0));
	l = location_of(p, size);
	s = latest(l);
	before = s->value;
	if (before != *expected) {
		take(s, failed);
		if (run.telling)
			tell("cas", site, failed, before, before, " (fails)");
		*expected = before;
		return false;
	}
	take(s, order);
	put(l, value, order, true);
	if (run.telling)
		tell("cas", site, order, before, value, "");
	return true;
}

static void
pass_fence(struct clocks *c, unsigned thread)
{
	clocks_join(&fences.met, c);
	for (unsigned t = 0; t < MODEL_THREADS; t++)
		c->fenced[t] = MAX(c->fenced[t], fences.met.at[t]);
	c->fenced_sc = fences.n_sc;
	c->at[thread]++; /* what it does from here on is not behind it */
}

/* membarrier(2): a fence here, one in each other thread at a moment of its own, and one here. A
 * thread that does not run, or has ended, passed one when it was switched away. */
void
model_fence_all(struct model_site *site)
{
	if (self < 0)
		return;
	sched_point(ANYTHING, true);
	if (order_of(site, memory_order_seq_cst) != memory_order_seq_cst) {
		run_tell("fence is left out");
		return;
	}
	pass_fence(sched_clocks(), (unsigned)self);
	for (unsigned t = 0; t < sched_threads(); t++) {
		if ((int)t == self)
			continue;
		sched_point(ANYTHING, true);
		run_tell("fence of %s", sched_name((int)t));
		pass_fence(sched_clocks_of(t), t);
	}
	sched_point(ANYTHING, true);
	pass_fence(sched_clocks(), (unsigned)self);
	run_tell("fence of all is done");
}

bool
model_has_fence_all(void)
{
	return run.model->membarrier;
}

/* What the kernel reads for a futex: its own locks order it behind every store before. */
uint64_t
memory_latest(volatile void *p, unsigned size)
{
	shadow_atomic(p, size, false, __builtin_return_address(0));
	return latest(location_of(p, size))->value;
}
