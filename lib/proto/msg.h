/**
 * msg: one frame of trawl/1, a JSON object, as values that can be asked.
 *
 * Used by the server for requests and by the client for events: rows are most of what a client
 * reads, so values are parsed in one pass into one piece of memory. Depth is limited to
 * MSG_MAX_DEPTH, and an object has 256 members at most.
 *
 * Ownership: msg_parse() allocates, msg_free(); values are borrowed from the message.
 * Threads:   one at a time.
 * Errors:    -EPROTO not a JSON object, too deep; err says where. Getters: 1 present, 0 absent,
 * -EINVAL of another type or out of range.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#define MSG_MAX_DEPTH 16u

struct msg;     /* a whole frame, owned */
struct msg_val; /* a value inside one, borrowed */

int msg_parse(struct span line, struct msg **ret, struct err *err);
void msg_free(struct msg *m); /* NULL is legal */
const struct msg_val *msg_root(const struct msg *m);

/** Member of an object; NULL when absent or null. */
const struct msg_val *msg_get(const struct msg_val *object, const char *key);
size_t msg_len(const struct msg_val *array); /* 0 when it is no array */
const struct msg_val *msg_at(const struct msg_val *array, size_t i);
/** Iterate members: NULL ends. */
const struct msg_val *msg_member(const struct msg_val *object, size_t i, const char **ret_key);

enum msg_kind { MSG_NULL, MSG_BOOL, MSG_INT, MSG_REAL, MSG_STRING, MSG_ARRAY, MSG_OBJECT };
enum msg_kind msg_kind(const struct msg_val *v);

int msg_str(const struct msg_val *object, const char *key, struct span *ret);
int msg_u64(const struct msg_val *object, const char *key, uint64_t *ret);
int msg_i64(const struct msg_val *object, const char *key, int64_t *ret);
int msg_bool(const struct msg_val *object, const char *key, bool *ret);

/** A string value itself. A {"s","b64"} pair gives its exact bytes, put into `scratch` when needed.
 */
int msg_text(const struct msg_val *v, struct strbuf *scratch, struct span *ret);
int msg_number(const struct msg_val *v, int64_t *ret);
int msg_real(const struct msg_val *v, double *ret); /* whole numbers too */
/** The value written back as JSON, one line, appended. */
int msg_print(const struct msg_val *v, struct strbuf *out);
