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

/* Keys are hashes, spread evenly: the place of one is known to within the root of their number.
 * Each guess after the first is off by the root of what the one before was. */
#define N_GUESSES 3u

static uint64_t
guess_place(const uint64_t *keys, uint64_t n, uint64_t key)
{
	uint64_t at = (uint64_t)((unsigned __int128)key * n >> 64);

	for (unsigned i = 1; i < N_GUESSES; i++) {
		bool up = key >= keys[at];
		uint64_t off = up ? key - keys[at] : keys[at] - key;
		uint64_t step = (uint64_t)((unsigned __int128)off * n >> 64);

		at = up ? at + MIN(step, n - 1 - at) : at - MIN(step, at);
	}
	return at;
}

/* The first key at or past `key`, from a guess on, in steps that double. */
static uint64_t
find_key(const uint64_t *keys, uint64_t n, uint64_t key)
{
	uint64_t lo = guess_place(keys, n, key), hi = lo, step = 1;

	while (lo > 0 && keys[lo - 1] >= key) {
		hi = lo;
		lo -= MIN(step, lo);
		step *= 2;
	}
	for (; hi < n && keys[hi] < key; step *= 2) {
		lo = hi + 1;
		hi += MIN(step, n - hi);
	}
	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;

		if (keys[mid] < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int
text_find_file(const struct text_cols *c, uint64_t key, uint32_t *ret_content)
{
	uint64_t at = c->n_files > 0 ? find_key(c->file_keys, c->n_files, key) : 0;

	if (at == c->n_files || c->file_keys[at] != key)
		return 0;
	*ret_content = c->file_contents[at];
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
