#include "index/text_segment.h"

#include <string.h>

#include "base/bisect.h"

int
text_find_hash(const struct text_cols *c, const struct hash128 *hash, uint32_t *ret_doc)
{
	uint32_t lo = FIRST_NOT(
		i, c->n_live, text_hash_cmp(&c->docs[c->hash_order[i]], hash->high, hash->low) < 0);

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
first_guess(uint64_t n, uint64_t key)
{
	return (uint64_t)((unsigned __int128)key * n >> 64);
}

static uint64_t
next_guess(const uint64_t *keys, uint64_t n, uint64_t key, uint64_t at)
{
	bool up = key >= keys[at];
	uint64_t off = up ? key - keys[at] : keys[at] - key;
	uint64_t step = first_guess(n, off);

	return up ? at + MIN(step, n - 1 - at) : at - MIN(step, at);
}

/* The first key at or past `key`, from a guess on, in steps that double. */
static uint64_t
find_key(const uint64_t *keys, uint64_t n, uint64_t key, uint64_t guess)
{
	uint64_t lo = guess, hi = lo, step = 1;

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

/* Each step for all keys, so that their misses of the cache overlap. */
static void
find_files(const struct text_cols *c, const uint64_t *keys, uint32_t n, uint32_t *ret)
{
	uint64_t at[TEXT_FIND_MANY];

	for (uint32_t i = 0; i < n; i++) {
		at[i] = first_guess(c->n_files, keys[i]);
		__builtin_prefetch(&c->file_keys[at[i]]);
	}
	for (unsigned k = 1; k < N_GUESSES; k++) {
		for (uint32_t i = 0; i < n; i++) {
			at[i] = next_guess(c->file_keys, c->n_files, keys[i], at[i]);
			__builtin_prefetch(&c->file_keys[at[i]]);
		}
	}
	for (uint32_t i = 0; i < n; i++) {
		at[i] = find_key(c->file_keys, c->n_files, keys[i], at[i]);
		__builtin_prefetch(&c->file_contents[MIN(at[i], c->n_files - 1)]);
	}
	for (uint32_t i = 0; i < n; i++) {
		bool found = at[i] < c->n_files && c->file_keys[at[i]] == keys[i];

		ret[i] = found ? c->file_contents[at[i]] : TEXT_NO_CONTENT;
	}
}

void
text_find_files(const struct text_cols *c, const uint64_t *keys, uint32_t n, uint32_t *ret)
{
	for (uint32_t i = 0; i < n; i += TEXT_FIND_MANY) {
		uint32_t piece = MIN(TEXT_FIND_MANY, n - i);

		if (c->n_files > 0)
			find_files(c, keys + i, piece, ret + i);
		else
			memset(ret + i, 0xff, piece * sizeof(*ret));
	}
}

int
text_find_file(const struct text_cols *c, uint64_t key, uint32_t *ret_content)
{
	uint32_t content;

	text_find_files(c, &key, 1, &content);
	if (content == TEXT_NO_CONTENT)
		return 0;
	*ret_content = content;
	return 1;
}

void
text_unit_place(const struct text_cols *c, uint32_t unit, uint64_t *ret_offset, uint64_t *ret_lines)
{
	uint32_t lo = FIRST_NOT(i, c->n_windows, c->windows[i].unit < unit);

	*ret_offset = *ret_lines = 0;
	if (lo < c->n_windows && c->windows[lo].unit == unit) {
		*ret_offset = c->windows[lo].offset_bytes;
		*ret_lines = c->windows[lo].lines_before;
	}
}
