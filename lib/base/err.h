/**
 * err: the sentence that a person reads when something was refused.
 *
 * Results are int: >= 0 success, -errno failure. `struct err` accompanies the result only where a
 * person reads it (configuration, query text, opening the catalog or a segment). It is owned by the
 * caller, may be NULL everywhere, and is written only on failure.
 *
 * The sentence: lower case, no full stop, what was attempted, the quoted name, why not; the hint
 * says what to do. "could not" may work next time, "cannot" never will.
 */
#pragma once

#include "base/defs.h"
#include <stdarg.h>

struct err {
	int code;       /* -errno, as returned */
	uint32_t pos;   /* 1-based column in the user's text, 0 when there is none */
	char what[256]; /* the sentence */
	char hint[160]; /* what to do about it; may be empty */
};

/** Fill `e` (may be NULL) and return `code`, so that `return err_set(e, -EINVAL, ...)` reads well.
 */
int err_set(struct err *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/** Add the hint and keep the rest. Returns e->code (0 when e is NULL). */
int err_hint(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/** Say what was attempted: the sentence becomes "<prefix>: <sentence>". */
int err_prefix(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/** The reason for -errno in words ("permission denied"), lower case. Any thread; never fails. */
const char *err_reason(int code);
