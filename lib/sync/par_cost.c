#include "sync/par_cost.h"

#include "sync/atomic.h"

#define N_COSTS 64u
#define GROWTH 32u /* of pieces, at most and at once */

/* Direct mapped; the later of two functions that share an entry wins. High half: tag of the
 * function; low half: nanoseconds an item + 1, 0 empty. Relaxed: one word, and only an opinion. */
static _Atomic uint64_t costs[N_COSTS];

static _Atomic uint64_t *
cost_slot(uintptr_t fn, uint32_t *ret_tag)
{
	uint64_t h = (uint64_t)fn * 0x9e3779b97f4a7c15u; /* Fibonacci hashing */

	*ret_tag = (uint32_t)h;
	return &costs[(h >> 32) % N_COSTS];
}

bool
par_cost_pays(uintptr_t fn, size_t n)
{
	uint32_t tag;
	uint64_t seen = load_rlx(cost_slot(fn, &tag));

	if (seen >> 32 != tag || (uint32_t)seen == 0)
		return true;
	return ((uint32_t)seen - 1) * (n / 1000.0) >= PAR_PAYS_USEC;
}

void
par_pace_start(struct par_pace *pace, size_t grain)
{
	*pace = (struct par_pace){.size = grain, .last = clock_mono()};
}

/* What took less than the clock's microsecond may grow by GROWTH and still be short. */
void
par_pace_add(struct par_pace *pace, usec_t took, size_t n, size_t grain)
{
	size_t most, size;

	pace->busy += took;
	pace->n_done += n;
	if (took >= pace->longest) {
		pace->longest = took;
		pace->n_longest = n;
	}
	if (__builtin_mul_overflow(n, (size_t)GROWTH, &most))
		most = SIZE_MAX;
	size = took == 0 ? most : most / MAX(took * GROWTH / PAR_PIECE_USEC, 1);
	pace->size = MAX(size, grain);
}

void
par_pace_step(struct par_pace *pace, size_t n, size_t grain)
{
	usec_t now = clock_mono();

	par_pace_add(pace, now - pace->last, n, grain);
	pace->last = now;
}

bool
par_pace_pays(const struct par_pace *pace, size_t n)
{
	double per_item;

	if (pace->n_done == 0 || pace->busy < PAR_TRUST_USEC)
		return false;
	per_item = (double)pace->busy / (double)pace->n_done;
	return per_item * (double)n >= PAR_PAYS_USEC;
}

size_t
par_pace_piece(const struct par_pace *pace, size_t left, unsigned width, size_t grain)
{
	size_t size = pace->size;

	if (width > 1) /* crumbs: below a microsecond or so */
		size = MIN(size, MAX(left / width / 2, size / GROWTH));
	return MIN(MAX(size, grain), left);
}

/* Without the piece that took longest, if there are others: where the caller lost its processor for
 * a while, the loop would look slow, call a helper, lose its processor to it, and so on. */
void
par_pace_note(const struct par_pace *pace, uintptr_t fn, size_t unit)
{
	size_t n = pace->n_done - pace->n_longest;
	usec_t took = pace->busy - pace->longest;
	uint32_t tag;
	_Atomic uint64_t *slot = cost_slot(fn, &tag);
	uint64_t entry;

	if (n == 0) {
		n = pace->n_longest;
		took = pace->longest;
	}
	if (n == 0)
		return;
	entry = took < PAR_TRUST_USEC ? 0 : took * 1000 / n / unit;
	entry = MIN(entry, (uint64_t)UINT32_MAX - 1);
	entry = (uint64_t)tag << 32 | (entry + 1);
	if (entry != load_rlx(slot))
		store_rlx(slot, entry);
}
