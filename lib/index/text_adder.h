/**
 * text_adder: the inside of a text builder, for text_builder and text_seal only.
 */
#pragma once

#include "index/text_builder.h"
#include "index/text_stream.h"

/** A document of an adder; its units are seq [first_seq, end_seq). */
struct adder_doc {
	struct text_doc_in in;
	uint32_t id, first_seq, end_seq;
};

struct adder_unit {
	uint64_t offset_bytes, lines_before;
	uint32_t n_grams;
	bool at_line;
};

struct adder_file {
	uint64_t key;
	uint32_t number; /* an id, or a content */
	bool known;      /* a content */
};

struct text_adder {
	struct text_builder *builder;
	struct text_streams streams;
	VEC(struct adder_doc) docs;   /* orders ascend */
	VEC(struct adder_unit) units; /* by seq; those between documents are forgotten */
	VEC(struct adder_file) files;
	uint32_t first_seq; /* of the document that is being added */
	uint32_t *unit_of;  /* by seq, when writing */
};

/** Which contents are there. */
struct claims {
	VEC(struct hash128) hashes; /* by id */
	uint32_t *slots;            /* id + 1, 0 free; open addressing, at most half full */
	uint32_t n_slots;           /* a power of two */
};

struct text_builder {
	/* Fixed at create. */
	struct text_builder_opts opts;
	struct text_adder *adders;

	_Atomic size_t bytes; /* relaxed: a count, of what grows */

	struct lock lock;     /* RANK_LEAF */
	struct claims claims; /* guarded by lock */
	bool spent;
};

/** text_seal: from what adders hold to the file. */
int text_seal(
	struct text_builder *b, int fd, uint32_t base, struct stop *stop, struct text_written *ret);
