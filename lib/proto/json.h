/**
 * json: our own writer of JSON into a strbuf, fast enough for rows.
 *
 * Commas are put by the writer. A string that is not UTF-8 is written as
 * {"s":"lossy","b64":"exact"}.
 *
 * Ownership: borrows the buffer. Errors: the buffer's `failed` flag, asked once at the end.
 */
#pragma once

#include "base/str.h"

struct json {
	struct strbuf *out;
	bool comma; /* a value was written before at this level */
};

struct json json_to(struct strbuf *out);
void json_open(struct json *j, char bracket);  /* '{' or '[' */
void json_close(struct json *j, char bracket); /* '}' or ']' */
void json_key(struct json *j, const char *key);
void json_str(struct json *j, struct span s);
void json_cstr(struct json *j, const char *s);
void json_u64(struct json *j, uint64_t v);
void json_i64(struct json *j, int64_t v);
/** With the fewest digits that give the same number back, and with a point or an exponent; what is
 *  no finite number is the string "inf", "-inf" or "nan". */
void json_double(struct json *j, double v);
void json_bool(struct json *j, bool v);
/** Not called json_null: jansson, which tests compare with, exports that symbol, and would call
 * ours. */
void json_put_null(struct json *j);
#define json_null(j) json_put_null(j)
/** A finished JSON value as it stands. */
void json_raw(struct json *j, struct span s);

#define json_kv_str(j, k, v) (json_key((j), (k)), json_str((j), (v)))
#define json_kv_cstr(j, k, v) (json_key((j), (k)), json_cstr((j), (v)))
#define json_kv_u64(j, k, v) (json_key((j), (k)), json_u64((j), (v)))
#define json_kv_i64(j, k, v) (json_key((j), (k)), json_i64((j), (v)))
#define json_kv_bool(j, k, v) (json_key((j), (k)), json_bool((j), (v)))

/** The inside of a string, with U+FFFD for each byte that belongs to no UTF-8 sequence: was there
 *  none? */
bool json_escape(struct strbuf *out, struct span s);
/** The same for what stands there as it is, which is ASCII without controls, quotes and
 *  backslashes: copies it to `to`, and says whether it is such. JSON_SLACK bytes behind both may be
 *  read, and written. */
#define JSON_SLACK ((size_t)16)
bool json_copy_plain(char *to, struct span s);

/** Base 64 with padding, appended. */
int base64_encode(struct strbuf *out, struct span s);
/** 0, -EINVAL, -ENOMEM. */
int base64_decode(struct strbuf *out, struct span s);
