/**
 * text_builder: contents and their grams in, a text segment file out.
 *
 *     text_builder_create(&opts, &b);
 *     any number of threads, each with an adder of its own:
 *             if (!text_builder_find(b, &hash, &doc))        optional: saves making grams
 *                     text_add_unit(a, &window, grams, n);   as often as there are windows
 *                     text_add_doc(a, order, &doc, &id);     or text_add_cancel(a)
 *             text_add_file(a, key, id);
 *     text_builder_write(b, dirfd, name, base, stop, &result, err);
 *
 * Documents are numbered in the ascending order of `order` (places in the walk, say), whoever read
 * them; a content that was added already is told and counted once. The caller begins a new builder
 * when text_builder_full() says that the memory is used up: one segment a batch.
 *
 * Where the memory goes: a posting is two bytes (the low bits of its gram, and how many units of
 * this adder before had none) in one of 4,096 streams by the high bits. Writing sorts stream by
 * stream by counting, in parallel.
 *
 * Hand out runs of some 32 neighbouring documents: what an adder was given one by one between those
 * of others must be put together one by one.
 *
 * Durability: segment_write.h.
 *
 * Ownership: adders are the builder's; what is added is copied.
 * Threads:   an adder belongs to one thread at a time, and its documents have ascending orders; the
 *            rest of the builder may be called by any, but text_builder_write() and destroy when no
 *            adder is in use.
 * Errors:    -ENOMEM: the adder is as text_add_cancel() leaves it. -EINVAL orders do not ascend, or
 *            a gram is out of range. -EFBIG over 2^32 - 2 units.
 * Limits:    `budget_bytes` counts everything that the builder allocates; what a thread is adding
 *            when it is reached is still taken.
 */
#pragma once

#include "index/text_segment.h"
#include "sync/pool.h"

struct text_builder;
struct text_adder;

#define TEXT_BUDGET_BYTES ((size_t)256 << 20)

struct text_builder_opts {
	unsigned n_symbols;     /* 3 or 4 */
	unsigned n_adders;      /* 1 or more */
	uint32_t overlap_bytes; /* FORMAT-TEXT.md 1 */
	size_t budget_bytes;    /* 0: TEXT_BUDGET_BYTES */
	struct pool *pool;      /* for writing; may be NULL */
};

int text_builder_create(const struct text_builder_opts *opts, struct text_builder **ret);
void text_builder_destroy(struct text_builder *b); /* NULL is legal */
/** i below n_adders. */
struct text_adder *text_builder_adder(struct text_builder *b, unsigned i);
/** Time to write; of a budget that is not the one of the options: several builders share one. */
bool text_builder_full(const struct text_builder *b);
bool text_builder_over(const struct text_builder *b, size_t budget_bytes);
/** Was a document with this content added? 1 and its id, or 0. */
int text_builder_find(struct text_builder *b, const struct hash128 *hash, uint32_t *ret_id);

/** A window of the document that this adder adds next; those of a document in order, the first from
 *  0 on. Grams are distinct, in any order. */
struct text_unit_in {
	uint64_t offset_bytes, lines_before;
	bool at_line; /* it begins where a line does */
	const uint32_t *grams;
	size_t n_grams;
};
int text_add_unit(struct text_adder *a, const struct text_unit_in *in);

struct text_doc_in {
	uint64_t order;
	struct hash128 hash;
	uint64_t size_bytes, n_lines;
	uint32_t flags; /* enum text_encoding, TEXT_FOLDS */
	uint64_t marks; /* text/text_need.h; none of what is binary */
};
/** The document of the windows added since the last one: 1 it is new, 0 there was one with this
 *  content already (the windows are forgotten). Its id is for text_add_file() alone. */
int text_add_doc(struct text_adder *a, const struct text_doc_in *in, uint32_t *ret_id);
/** Forget the windows added since the last document: its file changed while it was read, say. */
void text_add_cancel(struct text_adder *a);
/** A file has the content of a document of this builder, or one that has a number already. Of a key
 *  that comes twice, any stays. */
int text_add_file(struct text_adder *a, uint64_t key, uint32_t id);
int text_add_known_file(struct text_adder *a, uint64_t key, uint32_t content);

struct text_written {
	uint64_t file_bytes, n_postings;
	uint32_t n_docs, n_units;
	uint64_t n_files;
};

/** Write the segment, its documents numbered from `base` on. b is spent afterwards (only destroy is
 *  legal). -ENODATA when nothing was added; -ECANCELED. */
int text_builder_write(struct text_builder *b, int dirfd, const char *name, uint32_t base,
	struct stop *stop, struct text_written *ret, struct err *err);
