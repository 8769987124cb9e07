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
size_t gram_list_max_bytes(uint32_t n_groups);
/** A list of n ascending groups in the form that FORMAT.md 3.8 wants: its bytes. *ret_head is what
 * stands for it among the heads of its row. */
size_t gram_list_put(
	const uint32_t *groups, uint32_t n, uint32_t n_groups, uint8_t *out, uint32_t *ret_head);
/** A head as it is written: its bytes, GRAM_HEAD_MAX_BYTES at most. */
size_t gram_head_put(uint8_t *out, uint32_t head);
#define GRAM_HEAD_MAX_BYTES 5u

/** A list as it stands in a segment. */
struct gram_list {
	const uint8_t *at, *end;
	bool bitmap;
};
/** The list of the gram `which` of a row that has bytes [at, end): false, the row has none. */
bool gram_row_find(const uint8_t *at, const uint8_t *end, unsigned which, struct gram_list *ret);
/** G1: its heads and lists fill the row. */
bool gram_row_check(const uint8_t *at, const uint8_t *end);
/** Clear the bits of groups that the list lacks; what would be past n_groups is left out. */
void gram_list_filter(const struct gram_list *l, uint32_t n_groups, uint64_t *groups);
/** Set the bits of groups that the list has, likewise. */
void gram_list_add(const struct gram_list *l, uint32_t n_groups, uint64_t *groups);
