/**
 * name_sort: the names of a piece into byte order, a prefix first.
 *
 * Names are compared as integers of eight bytes, from the first byte on in which they are not all
 * alike; many at a time are sorted by radix, so the cost is a few ns a name.
 *
 * Ownership: the caller's array and scratch.
 * Threads:   any.
 */
#pragma once

#include "base/str.h"

struct listed {
	uint64_t key;     /* eight bytes of the name, the first the most significant; scratch */
	const char *name; /* NUL terminated; NAME_PAD_BYTES after it may be read too */
	uint64_t ino;
	uint16_t len;
	uint8_t type; /* DT_UNKNOWN where the file system does not tell */
};

#define NAME_PAD_BYTES 8u

/** `spare` is room for n more. */
void names_sort(struct listed *v, struct listed *spare, size_t n);
