/**
 * valid: is a long text UTF-8? As utf8_valid(), but some 30 bytes at once where the processor can,
 * however many characters are beyond ASCII.
 *
 * Not for names and other short strings, which utf8_valid() has done with sooner.
 *
 * Threads: pure.
 */
#pragma once

#include "base/str.h"

bool valid_utf8(struct span text);

/** By one of the ways that this processor has, the best one last. For tests. */
unsigned valid_n_levels(void);
bool valid_utf8_by(unsigned level, struct span text);
