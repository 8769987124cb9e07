#include "index/text_segment.h"

int
text_find_hash(const struct text_cols *c, const struct hash128 *hash, uint32_t *ret_doc)
{
	uint32_t lo = 0, hi = c->n_live;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (text_hash_cmp(&c->docs[c->hash_order[mid]], hash->high, hash->low) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == c->n_live ||
		text_hash_cmp(&c->docs[c->hash_order[lo]], hash->high, hash->low) != 0)
		return 0;
	*ret_doc = c->hash_order[lo];
	return 1;
}

int
text_find_file(const struct text_cols *c, uint64_t key, uint32_t *ret_content)
{
	uint64_t lo = 0, hi = c->n_files;

	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;

		if (c->file_keys[mid] < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == c->n_files || c->file_keys[lo] != key)
		return 0;
	*ret_content = c->file_contents[lo];
	return 1;
}

void
text_unit_place(const struct text_cols *c, uint32_t unit, uint64_t *ret_offset, uint64_t *ret_lines)
{
	uint32_t lo = 0, hi = c->n_windows;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (c->windows[mid].unit < unit)
			lo = mid + 1;
		else
			hi = mid;
	}
	*ret_offset = *ret_lines = 0;
	if (lo < c->n_windows && c->windows[lo].unit == unit) {
		*ret_offset = c->windows[lo].offset_bytes;
		*ret_lines = c->windows[lo].lines_before;
	}
}
