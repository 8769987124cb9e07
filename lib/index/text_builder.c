#include "index/text_adder.h"

#include "index/segment_write.h"

#include <errno.h>
#include <unistd.h>

#include "base/fd.h"

int
text_builder_create(const struct text_builder_opts *opts, struct text_builder **ret)
{
	struct text_builder *b = calloc(1, sizeof(*b));
	int r = b ? 0 : -ENOMEM;

	assert(opts->n_symbols == 3 || opts->n_symbols == 4);
	if (r < 0)
		return r;
	b->opts = *opts;
	if (b->opts.budget_bytes == 0)
		b->opts.budget_bytes = TEXT_BUDGET_BYTES;
	lock_init(&b->lock, RANK_LEAF, "text contents");
	b->adders = calloc(opts->n_adders, sizeof(*b->adders));
	r = b->adders ? 0 : -ENOMEM;
	for (unsigned i = 0; i < opts->n_adders && r == 0; i++) {
		b->adders[i].builder = b;
		r = text_streams_init(&b->adders[i].streams, opts->n_symbols, &b->bytes);
	}
	if (r < 0) {
		text_builder_destroy(b);
		return r;
	}
	*ret = b;
	return 0;
}

void
text_builder_destroy(struct text_builder *b)
{
	if (!b)
		return;
	for (unsigned i = 0; b->adders && i < b->opts.n_adders; i++) {
		struct text_adder *a = &b->adders[i];

		text_streams_fini(&a->streams);
		VEC_FINI(&a->docs);
		VEC_FINI(&a->units);
		VEC_FINI(&a->files);
		free(a->unit_of);
	}
	free(b->adders);
	VEC_FINI(&b->claims.hashes);
	free(b->claims.slots);
	lock_fini(&b->lock);
	free(b);
}

struct text_adder *
text_builder_adder(struct text_builder *b, unsigned i)
{
	assert(i < b->opts.n_adders);
	return &b->adders[i];
}

bool
text_builder_over(const struct text_builder *b, size_t budget_bytes)
{
	/* Writing needs as much again for what it holds at a time, and for what waits for its turn:
	 * a list is less than half of its items. */
	return load_rlx(&b->bytes) >= budget_bytes / 8 * 5;
}

bool
text_builder_full(const struct text_builder *b)
{
	return text_builder_over(b, b->opts.budget_bytes);
}

/* The slot of a content, or the free one where it belongs. */
static uint32_t *
claim_slot(const struct claims *c, const struct hash128 *hash)
{
	uint32_t i = (uint32_t)hash->low & (c->n_slots - 1);

	for (;; i = (i + 1) & (c->n_slots - 1)) {
		const struct hash128 *h;

		if (c->slots[i] == 0)
			return &c->slots[i];
		h = &c->hashes.data[c->slots[i] - 1];
		if (h->low == hash->low && h->high == hash->high)
			return &c->slots[i];
	}
}

static int
grow_claims(struct claims *c)
{
	struct claims more = *c;

	more.n_slots = MAX(2 * c->n_slots, 256u);
	more.slots = calloc(more.n_slots, sizeof(*more.slots));
	if (!more.slots)
		return -ENOMEM;
	for (uint32_t id = 0; id < c->hashes.len; id++)
		*claim_slot(&more, &c->hashes.data[id]) = id + 1;
	free(c->slots);
	*c = more;
	return 0;
}

int
text_builder_find(struct text_builder *b, const struct hash128 *hash, uint32_t *ret_id)
{
	LOCK_SCOPE(&b->lock);
	struct claims *c = &b->claims;
	uint32_t *slot = c->n_slots ? claim_slot(c, hash) : NULL;

	if (!slot || *slot == 0)
		return 0;
	*ret_id = *slot - 1;
	return 1;
}

/* 1 it is new, 0 it was there. */
static int
claim(struct text_builder *b, const struct hash128 *hash, uint32_t *ret_id)
{
	LOCK_SCOPE(&b->lock);
	struct claims *c = &b->claims;
	uint32_t *slot;

	if (c->hashes.len >= c->n_slots / 2 && grow_claims(c) < 0)
		return -ENOMEM;
	slot = claim_slot(c, hash);
	if (*slot) {
		*ret_id = *slot - 1;
		return 0;
	}
	if (c->hashes.len >= TEXT_MAX_UNITS)
		return -EFBIG;
	if (VEC_PUSH(&c->hashes, *hash) < 0)
		return -ENOMEM;
	*slot = (uint32_t)c->hashes.len;
	*ret_id = *slot - 1;
	return 1;
}

void
text_add_cancel(struct text_adder *a)
{
	a->first_seq = (uint32_t)a->units.len;
}

int
text_add_unit(struct text_adder *a, const struct text_unit_in *in)
{
	struct adder_unit unit = {
		in->offset_bytes, in->lines_before, (uint32_t)in->n_grams, in->at_line};
	int r = a->units.len < TEXT_MAX_UNITS ? 0 : -EFBIG;

	/* First the unit, so that items of a seq are always some unit's, be it forgotten. */
	if (r == 0)
		r = VEC_PUSH(&a->units, unit);
	if (r == 0)
		r = text_streams_add(
			&a->streams, (uint32_t)a->units.len - 1, in->grams, in->n_grams);
	if (r < 0) {
		text_add_cancel(a);
		return r;
	}
	add_rlx(&a->builder->bytes, sizeof(unit));
	return 0;
}

/* What a document needs until it is written: here, in the tables, and to be found. */
#define DOC_BYTES (sizeof(struct adder_doc) + sizeof(struct text_doc) + sizeof(uint64_t) + 48)

int
text_add_doc(struct text_adder *a, const struct text_doc_in *in, uint32_t *ret_id)
{
	struct adder_doc doc = {
		.in = *in, .first_seq = a->first_seq, .end_seq = (uint32_t)a->units.len};
	int r = 0;

	if ((a->docs.len > 0 && in->order <= a->docs.data[a->docs.len - 1].in.order) ||
		!text_flags_fit(in->flags, in->marks))
		r = -EINVAL;
	if (r == 0)
		r = VEC_RESERVE(&a->docs, 1); /* before the claim, which cannot be given back */
	if (r == 0)
		r = claim(a->builder, &in->hash, &doc.id);
	text_add_cancel(a); /* the windows are this document's, or nobody's */
	if (r < 0)
		return r;
	*ret_id = doc.id;
	if (r > 0) {
		a->docs.data[a->docs.len++] = doc;
		add_rlx(&a->builder->bytes, DOC_BYTES);
	}
	return r;
}

static int
add_file(struct text_adder *a, const struct adder_file *f)
{
	if (VEC_PUSH(&a->files, *f) < 0)
		return -ENOMEM;
	add_rlx(&a->builder->bytes, 2 * sizeof(*f));
	return 0;
}

int
text_add_file(struct text_adder *a, uint64_t key, uint32_t id)
{
	return add_file(a, &(struct adder_file){.key = key, .number = id});
}

int
text_add_known_file(struct text_adder *a, uint64_t key, uint32_t content)
{
	return add_file(a, &(struct adder_file){.key = key, .number = content, .known = true});
}

int
text_builder_write(struct text_builder *b, int dirfd, const char *name, uint32_t base,
	struct stop *stop, struct text_written *ret, struct err *err)
{
	AUTO(closep) int fd = -1;
	int r;

	assert(!b->spent);
	b->spent = true;
	if (b->claims.hashes.len == 0)
		return -ENODATA;
	r = segment_create(dirfd, name, &fd);
	if (r < 0)
		return segment_write_failed(err, r, &text_kind, name);
	r = text_seal(b, fd, base, stop, ret);
	if (r < 0)
		segment_discard(dirfd, name);
	else
		r = segment_commit(dirfd, name, fd);
	return r < 0 ? segment_write_failed(err, r, &text_kind, name) : 0;
}
