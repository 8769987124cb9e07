/**
 * fuzz: what every fuzz target defines, and who calls it: libFuzzer in the fuzz preset, replay.c
 * over the files of corpus/NAME/ in every other build.
 *
 * A target aborts (assert) when the code under test breaks a promise of its header; the rest is
 * left to the sanitizers.
 */
#pragma once

#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/** How many inputs came as far as what the target is about; a target may do without. A corpus of
 *  which none does is of an older format, and its replay fails. */
unsigned fuzz_n_reached(void) __attribute__((weak));

/** Cut `rest` at its first `sep`: what stands before it, or all. */
static inline struct span
fuzz_cut(struct span *rest, char sep)
{
	const char *at = rest->len ? memchr(rest->data, sep, rest->len) : NULL;
	struct span head = *rest;

	if (at)
		head.len = (size_t)(at - rest->data);
	rest->data += MIN(rest->len, head.len + 1);
	rest->len -= MIN(rest->len, head.len + 1);
	return head;
}
