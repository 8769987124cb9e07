/**
 * ask: one request and its answer: writes the request, hands out rows, says errors, and ends in an
 * exit code.
 *
 * Ownership: struct question is the caller's; question_fini(). An `end` event handed out is freed
 *            by the caller with msg_free().
 * Errors:    every function here that returns an exit code has already said what was wrong.
 */
#pragma once

#include "args.h"
#include "proto/json.h"
#include "wire.h"

/** Rows of one event. 0, or -errno to give up. */
typedef int (*rows_fn)(void *ctx, const struct msg_val *rows);

struct question {
	struct strbuf line;
	struct json json; /* the open request object: add members to it */
	/* Borrowed, to show where an error is; may be NULL. A place in the patterns counts them one
	 * after the other, a byte between them. */
	const char *query;
	const struct texts *patterns;
	rows_fn on_columns; /* the names of the columns, before the rows; may be NULL */
	rows_fn on_event;   /* events of other kinds, whole; may be NULL */
	bool endless;       /* it has no end of its own, and is silent while nothing happens */
};

/** Open a request for `op`, with the time limit of the options. */
void question_begin(struct question *q, const char *op, const struct common *c);
/** Without a time limit of the options: as long as the daemon gives anybody. */
void question_patient(struct question *q, const struct common *c);
void question_fini(struct question *q);

/** wire_open() that says what went wrong: an exit code. */
int ask_open(struct wire *w, const struct common *c);
/** Send, hand rows to fn (may be NULL), until the answer's end: EXIT_FOUND with *ret the `end`
 *  event, or the exit code of what went wrong. */
int ask(struct wire *w, struct question *q, const struct common *c, rows_fn fn, void *ctx,
	struct msg **ret);
/** ask() on a connection of its own. */
int ask_once(struct question *q, const struct common *c, rows_fn fn, void *ctx, struct msg **ret);

/** For AUTO. */
void msg_freep(struct msg **m);

/** What search and grep share: which answers, how many, how complete. */
struct selection {
	struct common common;
	uint64_t limit; /* 0: all */
	bool stats, strict;
	unsigned letter_case; /* of case_words; 0: smart */
	const char *in;       /* only below this directory */
	const char *narrow;   /* a part of a query that all answers fulfil, too; may be NULL */
	char *query;          /* of malloc, by selection_begin() */
};

extern const char *const case_words[];

#define SELECTION_OPTS                                                                             \
	{0, OPT_TEXT, "in", "DIR", offsetof(struct selection, in), 0, NULL,                        \
		"only below DIR, which may be relative (as the term in:DIR)"},                     \
		{0, OPT_WORD, "case", "WHEN", offsetof(struct selection, letter_case), 0,          \
			case_words, "do capitals matter: smart (when there is one), yes, no"},     \
		{'i', OPT_CHOICE, "ignore-case", NULL, offsetof(struct selection, letter_case), 2, \
			NULL, "--case=no"},                                                        \
		{'s', OPT_CHOICE, "case-sensitive", NULL, offsetof(struct selection, letter_case), \
			1, NULL, "--case=yes"},                                                    \
		{0, OPT_SET, "stats", NULL, offsetof(struct selection, stats), 1, NULL,            \
			"say on stderr how long it took and what was left out"},                   \
	{                                                                                          \
		0, OPT_SET, "strict", NULL, offsetof(struct selection, strict), 1, NULL,           \
			"exit 3 when the answer is not complete"                                   \
	}

/** Open the request with the members that both share; `words` are the operands of the query. */
int selection_begin(struct selection *s, struct question *q, const char *op,
	const struct texts *words, size_t from);
void selection_fini(struct selection *s);
/** After the end of the answer: says what is not complete, and --stats. The exit code. */
int selection_report(const struct selection *s, const struct msg_val *end, usec_t began_usec);

/** Says which roots may differ from the disk, if any. */
bool report_stale(const struct msg_val *end);
/** Says how many directories are not counted, if any (du, top). */
bool report_unread(const struct msg_val *end);

/** `path` made absolute against the current directory, without "." and "..", appended. Symbolic
 *  links in the directory part are resolved, since the index holds none on the way to an entry. */
int absolute_path(const char *path, struct strbuf *out);
/** The same of a directory to look into: a symbolic link is where it leads. */
int directory_path(const char *path, struct strbuf *out);
