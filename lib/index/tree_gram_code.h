/**
 * tree_gram_code: symbols and lists of FORMAT.md 3.8, byte by byte. Internal to lib/index.
 *
 * Threads: pure.
 */
#pragma once

#include "base/str.h"

#define GRAM_SYMBOL_END 0u

extern const uint8_t gram_ascii[128];
/** Of what begins at *at and is not ASCII; *at moves past it. */
uint8_t gram_wide_symbol(struct span text, size_t *at);

/** The next symbol of a name; the end, once, at name.len. *at moves past it. */
static inline uint8_t
gram_name_symbol(struct span name, size_t *at)
{
	uint8_t c = *at < name.len ? (uint8_t)name.data[*at] : 0;

	if (c >= 0x80)
		return gram_wide_symbol(name, at);
	*at += 1;
	return gram_ascii[c];
}

/** Bytes that gram_list_put() may need. */
size_t gram_list_max_bytes(uint32_t n, uint32_t n_chunks);
/** A list of n ascending chunks in its shorter form: its bytes. */
size_t gram_list_put(const uint32_t *chunks, uint32_t n, uint32_t n_chunks, uint8_t *out);

/** A list as it stands in a segment. */
struct gram_list {
	const uint8_t *at, *end; /* of what is behind the length */
	bool bitmap;
};
/** The list at *at, which moves past it: false when it does not end at or before `end`. */
bool gram_list_open(const uint8_t **at, const uint8_t *end, struct gram_list *ret);
/** Clear the bits of chunks that the list lacks; what would be past n_chunks is left out. */
void gram_list_filter(const struct gram_list *l, uint32_t n_chunks, uint64_t *chunks);
/** G2. */
bool gram_list_check(const struct gram_list *l, uint32_t n_chunks);
