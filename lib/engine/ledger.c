#include "engine/ledger.h"

#include <errno.h>

#include "engine/internal.h"

/* How many are told between two looks at the ring, and from the journal at once. */
#define READ_BATCHES 64u
#define READ_BYTES ((size_t)1 << 20)

static void
batch_destroy(struct arc *a)
{
	struct ledger_batch *b = CONTAINER_OF(a, struct ledger_batch, arc);

	strbuf_fini(&b->records);
	free(b);
}

struct ledger_batch *
ledger_batch_create(struct strbuf *records, uint64_t n_records)
{
	struct ledger_batch *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	arc_init(&b->arc, batch_destroy);
	b->records = *records;
	b->told.n_records = n_records;
	b->told.records = strbuf_view(&b->records);
	*records = (struct strbuf){0};
	return b;
}

void
ledger_batch_unref(struct ledger_batch *b)
{
	if (b)
		arc_put(&b->arc);
}

void
ledger_init(struct ledger *l)
{
	*l = (struct ledger){0};
	lock_init(&l->lock, RANK_LEAF, "ledger");
}

void
ledger_begin(struct ledger *l, uint64_t tick, uint64_t floor)
{
	LOCK_SCOPE(&l->lock);
	l->from = tick;
	l->floor = floor;
}

void
ledger_fini(struct ledger *l)
{
	while (l->batches.len > l->first)
		ledger_batch_unref(VEC_POP(&l->batches));
	VEC_FINI(&l->batches);
	lock_fini(&l->lock);
}

size_t
ledger_bytes(struct ledger *l)
{
	LOCK_SCOPE(&l->lock);
	return l->bytes;
}

int
ledger_reserve(struct ledger *l)
{
	LOCK_SCOPE(&l->lock);
	return VEC_RESERVE(&l->batches, 1);
}

static size_t
weight(const struct ledger_batch *b)
{
	return sizeof(*b) + b->records.cap;
}

static void
drop_oldest(struct ledger *l)
{
	struct ledger_batch *b = l->batches.data[l->first++];

	l->from = b->told.tick;
	l->bytes -= weight(b);
	ledger_batch_unref(b);
}

/* What is gone goes from the front when it is half of it: a move for each push at most. */
static void
close_up(struct ledger *l)
{
	size_t n = l->batches.len - l->first;

	if (l->first < n)
		return;
	memmove(l->batches.data, l->batches.data + l->first, n * sizeof(*l->batches.data));
	l->batches.len = n;
	l->first = 0;
}

void
ledger_push(struct ledger *l, struct ledger_batch *b)
{
	LOCK_SCOPE(&l->lock);
	assert(l->batches.len < l->batches.cap);
	assert(b->told.tick > l->from);
	l->batches.data[l->batches.len++] = b;
	l->bytes += weight(b);
	if (b->told.records.len == 0) {
		l->floor = b->told.tick;
		while (l->first < l->batches.len)
			drop_oldest(l);
	}
	while (l->bytes > LEDGER_BYTES)
		drop_oldest(l);
	close_up(l);
}

/* The place of the first batch after the tick. */
static size_t
find(const struct ledger *l, uint64_t tick)
{
	size_t lo = l->first, hi = l->batches.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (l->batches.data[mid]->told.tick > tick)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

int
ledger_read(struct ledger *l, uint64_t from, uint64_t upto, struct ledger_batch **ret, size_t n)
{
	size_t got = 0;

	LOCK_SCOPE(&l->lock);
	if (from < l->floor)
		return -ESTALE;
	if (from < l->from)
		return -ENODATA;
	for (size_t i = find(l, from); i < l->batches.len && got < n; i++) {
		struct ledger_batch *b = l->batches.data[i];

		if (b->told.tick > upto)
			break;
		arc_get(&b->arc);
		ret[got++] = b;
	}
	return (int)got;
}

/* Asking. *at is the tick up to which all was told; it is `upto` when there is no more. */
struct asking {
	struct engine *engine;
	uint64_t at, upto;
	engine_batch_fn fn;
	void *ctx;
};

static int
not_known(struct err *err)
{
	return err_set(err, -ESTALE, "what has changed since then is not known any more");
}

static int
tell_saved(struct asking *a, struct err *err)
{
	struct catalog_batches saved = {0};
	int r = catalog_changes(a->engine->catalog, a->at, a->upto, READ_BYTES, &saved, err);

	if (r == 0 && saved.len == 0)
		a->at = a->upto;
	for (size_t i = 0; i < saved.len && r == 0; i++) {
		const struct catalog_batch *b = &saved.data[i];

		a->at = b->tick;
		r = a->fn(a->ctx, &(struct engine_batch){.tick = b->tick,
					  .root = b->root,
					  .at = b->at,
					  .n_records = b->n_records,
					  .records = b->records});
	}
	catalog_batches_free(&saved);
	return r;
}

static int
tell_some(struct asking *a, struct err *err)
{
	struct ledger_batch *batches[READ_BATCHES];
	int n = ledger_read(&a->engine->ledger, a->at, a->upto, batches, READ_BATCHES), r = 0;

	if (n == -ENODATA)
		return tell_saved(a, err);
	if (n < 0)
		return not_known(err);
	if (n == 0)
		a->at = a->upto;
	for (int i = 0; i < n; i++) {
		a->at = batches[i]->told.tick;
		if (r == 0)
			r = a->fn(a->ctx, &batches[i]->told);
		ledger_batch_unref(batches[i]);
	}
	return r;
}

int
engine_changes(struct engine *e, const struct engine_clock *since, uint64_t upto,
	engine_batch_fn fn, void *ctx, struct err *err)
{
	const struct catalog_clock *now = catalog_clock(e->catalog);
	struct asking a = {e, since->tick, upto, fn, ctx};
	int r = 0;

	if (since->instance != now->instance || since->epoch != now->epoch || since->tick > upto)
		return not_known(err);
	while (r == 0 && a.at < upto)
		r = tell_some(&a, err);
	return r;
}

void
engine_on_publish(struct engine *e, engine_publish_fn fn, void *ctx)
{
	e->on_publish = fn;
	e->publish_ctx = ctx;
}
