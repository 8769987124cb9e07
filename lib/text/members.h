/**
 * members: which of many short strings hold a literal, one bit each, at memory speed.
 *
 * The strings stand one after the other, each followed by one NUL, as the names of a tree segment
 * do. The scan looks at every byte once, in blocks of 64, and turns hits and NULs into bits without
 * a branch a hit: its time is that of the bytes, however many strings match. AVX-512 or AVX2 where
 * the processor has them, SSE2 on every x86-64, plain C elsewhere.
 *
 * A string matches as needle_find_ascii() says: of a folded literal only the letters of ASCII match
 * in both cases. Where !needle->exact_ascii, strings with bytes >= 0x80 must be asked one by one,
 * with needle_find(), for what the scan does not see.
 *
 * Ownership: struct members borrows the needle.
 * Threads:   const after members_init(): any number.
 */
#pragma once

#include "text/fold.h"

enum member_place {
	MEMBER_ANYWHERE = 0,
	MEMBER_START = 1u << 0,  /* the string begins with it */
	MEMBER_END = 1u << 1,    /* the string ends with it */
	MEMBER_INSIDE = 1u << 2, /* somewhere, but not where the string begins */
};

#define MEMBER_STEPS 12u

struct members {
	const struct needle *needle;
	enum member_place place;
	bool never; /* it holds a NUL, so nothing holds it */
	/* The bytes that blocks are compared with, the rarest first: text[at] | mask == byte.
	 * Step 1 is there even when it must repeat step 0. */
	uint32_t n_steps;
	bool verify; /* the steps are not the whole literal */
	struct member_step {
		uint8_t at, mask, byte;
	} step[MEMBER_STEPS];
};

/** `place` is a set; MEMBER_INSIDE excludes MEMBER_START. */
void members_init(struct members *m, const struct needle *needle, enum member_place place);

#define MEMBERS_PAD 128u

/** Bit i of ret is string i of the blob's n; (n + 63) / 64 words are written. Strings beyond n are
 *  not looked at, and where the blob has fewer the rest is 0. MEMBERS_PAD bytes behind the blob can
 *  be read, whatever they are. */
void members_find(const struct members *m, struct span blob, size_t n, uint64_t *ret);

/** Ways to scan that this processor has, the best one last; and one of them. For tests. */
unsigned members_n_levels(void);
void members_find_by(
	const struct members *m, unsigned level, struct span blob, size_t n, uint64_t *ret);

/** Number of bits set. */
size_t members_count(const uint64_t *bits, size_t n_words);
