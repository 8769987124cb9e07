/**
 * log: one line an event, to stderr or to the journal with fields.
 *
 * The library logs at debug level only; the daemon logs once, where it decides what to do. A
 * message is lower case, has no full stop, says what was attempted, on what, why not, and ends in
 * "skipping" or "ignoring" when work goes on.
 *
 * The journal is used when JOURNAL_STREAM names the file that stderr is (a shell started by a unit
 * hands the variable on, while stderr is a terminal or a file by then). On stderr a line is
 * "<6>..." prefixed when JOURNAL_STREAM is set but the journal socket is not to be had, else
 * "HH:MM:SS.mmm level message key=value ...". Control characters in values are escaped.
 *
 * Threads: any; a line is one write(2) or one datagram.
 */
#pragma once

#include "base/defs.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/** A structured field; keys are lower case here and TRAWL_UPPER in the journal. End the list with
 * {0}. */
struct log_field {
	const char *key, *value;
};

/** Choose the sink from the environment; call once before threads start. Never fails. */
void log_open(void);
/** As log_open() when the environment names the journal, with its socket elsewhere: 0 or -errno. */
int log_open_journal(const char *socket_path);
void log_close(void);
/** Any thread. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
/** error warn info debug: 0 or -EINVAL. */
int log_level_parse(const char *word, enum log_level *ret);

void log_write(enum log_level level, const struct log_field *fields, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

#define log_error(...) log_write(LOG_LEVEL_ERROR, NULL, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, NULL, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, NULL, __VA_ARGS__)
#define log_debug(...)                                                 \
	do {                                                           \
		if (log_get_level() >= LOG_LEVEL_DEBUG)                \
			log_write(LOG_LEVEL_DEBUG, NULL, __VA_ARGS__); \
	} while (0)
