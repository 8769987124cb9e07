/**
 * tree_name: runs of NUL-terminated names, eight bytes at a time. Internal to lib/index.
 *
 * Up to 8 bytes past a name's NUL are read: in memory a tree's names have 128 zeros behind them,
 * and so has whoever else calls.
 */
#pragma once

#include <string.h>

#include "base/str.h"

#define TREE_NAMES_PAD 128u /* zeros behind the names */

static inline uint64_t
name_word(const char *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

/** 0x80 in each byte that is 0, exactly. */
static inline uint64_t
name_nuls(uint64_t w)
{
	const uint64_t low = 0x7f7f7f7f7f7f7f7f;

	return ~(((w & low) + low) | w | low);
}

/** Byte order, and no two equal: does the name at a stand before that at b? */
static inline bool
names_ascend(const char *a, const char *b)
{
	uint64_t x = name_word(a), y = name_word(b), differ = x ^ y, nuls = name_nuls(x);

	if (differ == 0)
		return nuls == 0 && strcmp(a + 8, b + 8) < 0;
	/* The first byte that differs decides, unless both names end before it. */
	if (nuls && __builtin_ctzll(nuls) / 8 < __builtin_ctzll(differ) / 8)
		return false;
	return __builtin_bswap64(x) < __builtin_bswap64(y);
}

/** Has the name a byte of 0x80 or above? */
static inline bool
name_is_wide(struct span name)
{
	uint64_t any = 0, tail = 0;
	size_t i = 0;

	for (; name.len - i >= sizeof(any); i += sizeof(any))
		any |= name_word(name.data + i);
	memcpy(&tail, name.data + i, name.len - i);
	return ((any | tail) & 0x8080808080808080) != 0;
}

/** What all bytes of some names say together. */
struct name_census {
	uint64_t n_nul, n_slash;
	bool high; /* a byte >= 0x80 */
};
/** At memory speed. */
struct name_census names_count(const char *names, size_t len);
