/**
 * answer: the events a server sends, as bytes.
 *
 * `id` is the request's id as JSON text, empty when there is none to name (written as null).
 */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "proto/json.h"

/** Codes are stable: clients decide by them. */
enum answer_code {
	CODE_BAD_JSON,
	CODE_BAD_REQUEST,
	CODE_UNKNOWN_OP,
	CODE_BAD_QUERY,
	CODE_BAD_PATTERN,
	CODE_BAD_CONFIG,
	CODE_DENIED,
	CODE_NOT_FOUND,
	CODE_LIMIT,
	CODE_TIMEOUT,
	CODE_CANCELED,
	CODE_PAGE_EXPIRED,
	CODE_PATTERN_LIMIT,
	CODE_IO,
	CODE_INTERNAL,
	CODE_BUSY,
	CODE_STOPPING,
};

const char *answer_code_word(enum answer_code code);
/** The code for an -errno that has no better meaning where it arose. */
enum answer_code answer_code_of(int error);

/** Open an event object and write its id and kind; answer_close() ends it and the line. */
struct json answer_open(struct strbuf *out, struct span id, const char *event);
void answer_close(struct json *j);

void answer_error(struct strbuf *out, struct span id, enum answer_code code, const struct err *err);
/** The end of a request that has nothing to count. */
void answer_end(struct strbuf *out, struct span id, usec_t took_usec);
