/**
 * setting: the kinds of values a configuration key can have, each read from text and printed again.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

struct setting_kind {
	const char *expects; /* for the error: "expected a size such as 64k" */
	/* Into the field at `at`, replacing what it holds: 0, -EINVAL, -ERANGE, -ENOMEM. */
	int (*read)(struct span text, void *at);
	void (*print)(const void *at, struct strbuf *out);
};

extern const struct setting_kind setting_text;     /* char * */
extern const struct setting_kind setting_path;     /* char *, absolute, no trailing slash */
extern const struct setting_kind setting_words;    /* char **, NULL-terminated */
extern const struct setting_kind setting_bool;     /* bool */
extern const struct setting_kind setting_u32;      /* uint32_t */
extern const struct setting_kind setting_u64;      /* uint64_t */
extern const struct setting_kind setting_size32;   /* uint32_t, bytes */
extern const struct setting_kind setting_size;     /* uint64_t, bytes */
extern const struct setting_kind setting_octal;    /* uint32_t, file mode */
extern const struct setting_kind setting_duration; /* usec_t: 5, 5s, 500ms, 2min, 1h */
extern const struct setting_kind setting_level;    /* enum log_level */
extern const struct setting_kind setting_content;  /* enum snap_content */
extern const struct setting_kind setting_gram;     /* unsigned: 3 or 4 */
extern const struct setting_kind setting_watch;    /* enum engine_watch */
