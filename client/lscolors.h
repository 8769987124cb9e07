/**
 * lscolors: the colour of an entry, from $LS_COLORS: di ln pi so bd cd ex fi and *.suffix.
 *
 * Ownership: borrows the environment's text. Threads: one.
 */
#pragma once

#include "base/str.h"

struct lscolors {
	struct span text; /* the whole variable, "" when unset */
};

struct lscolors lscolors_load(void);
/** The inside of an SGR escape into buf, "" for none. `type` as the field type (f d l p s b c). */
const char *lscolors_of(
	const struct lscolors *l, char type, unsigned mode, struct span name, char buf[64]);
