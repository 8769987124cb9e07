/**
 * args: the options of a sub-command as a table, from which they are parsed and their help printed.
 *
 *     struct wait { struct common common; uint64_t n; bool quiet; };
 *     static const struct opt wait_opts[] = {
 *             {'q', OPT_SET, "quiet", NULL, offsetof(struct wait, quiet), 1, NULL, "say nothing"},
 *             {0}, // ends the table
 *     };
 *
 * Options and operands may be mixed; after `--` everything is an operand. `-n5`, `-n 5`,
 * `--limit=5`, `--limit 5` and bundles such as `-li` are understood, and a long option by any
 * beginning that only it has.
 *
 * Every command's settings begin with struct common, which the options of every command fill.
 *
 * Ownership: texts are borrowed from argv.
 */
#pragma once

#include "base/clock.h"
#include "base/vec.h"

enum exit_code {
	EXIT_FOUND = 0,
	EXIT_NOTHING = 1,     /* nothing matched */
	EXIT_USAGE = 2,       /* usage or query error, or the answer could not be written */
	EXIT_INCOMPLETE = 3,  /* with --strict; a wait that ran out */
	EXIT_UNREACHABLE = 4, /* no daemon, or it went away */
	EXIT_DENIED = 5,
};

enum opt_kind {
	OPT_SET,     /* bool := true; `set` 0 makes it false */
	OPT_CHOICE,  /* unsigned := set */
	OPT_WORD,    /* unsigned := index of the value in `words` */
	OPT_NUMBER,  /* uint64_t */
	OPT_SECONDS, /* usec_t, from seconds with an optional fraction */
	OPT_TEXT,    /* const char * */
	OPT_TEXTS,   /* struct texts, each use adds one */
};

struct texts {
	const char **data;
	size_t len, cap;
};

struct opt {
	char letter; /* 0: none */
	enum opt_kind kind;
	const char *word;  /* without the dashes; NULL ends a table */
	const char *value; /* what the help calls its value; NULL: it takes none */
	size_t offset;     /* of the field in the command's settings */
	unsigned set;
	const char *const *words; /* OPT_WORD: NULL-terminated */
	const char *help;
};

enum color_when { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

struct common {
	const char *address;
	enum color_when color;
	usec_t timeout_usec; /* 0: not given */
	bool json, help, sync;
	struct texts operands;
};

struct command {
	const char *name;
	const char *operands; /* for the help: "[OPTION]... PATTERN [QUERY]..." */
	const char *summary;  /* one line, lower case */
	const char *details;  /* paragraphs after the options; may be NULL */
	const struct opt *opts;
	int (*run)(char **argv); /* argv without the command's name; returns an enum exit_code */
};

/** Parse argv into the settings at `settings` (zeroed or with defaults; begins with struct common).
 *  0, or -EINVAL after a line on stderr, or 1: --help was given and has been printed. */
int args_parse(const struct command *cmd, char **argv, void *settings);
/** args_parse() as the first lines of a command see it: true when the command is over with
 *  *ret_exit. */
bool args_done(const struct command *cmd, char **argv, void *settings, int *ret_exit);
void common_fini(struct common *c);

/** Usage, options and details on stdout. */
void args_help(const struct command *cmd);

/** "trawl: <sentence>" on stderr; returns EXIT_USAGE. */
int usage_error(const struct command *cmd, const char *fmt, ...) PRINTF_LIKE(2, 3);
/** "trawl: <sentence>" on stderr. */
void complain(const char *fmt, ...) PRINTF_LIKE(1, 2);
