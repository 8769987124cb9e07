#include "args.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/str.h"

static const char *const color_words[] = {"auto", "always", "never", NULL};

static const struct opt common_opts[] = {
	{0, OPT_WORD, "color", "WHEN", offsetof(struct common, color), 0, color_words,
		"colour the output: auto (on a terminal), always, never"},
	{0, OPT_TEXT, "address", "ADDR", offsetof(struct common, address), 0, NULL,
		"the daemon's host:port or the path of its socket"},
	{0, OPT_SECONDS, "timeout", "SECONDS", offsetof(struct common, timeout_usec), 0, NULL,
		"give up after so long"},
	{0, OPT_SET, "sync", NULL, offsetof(struct common, sync), 1, NULL,
		"wait, 2 s at most, until the index has all that happened before"},
	{0, OPT_SET, "json", NULL, offsetof(struct common, json), 1, NULL,
		"one JSON object a line"},
	{'h', OPT_SET, "help", NULL, offsetof(struct common, help), 1, NULL, "show this help"},
	{0},
};

void
complain(const char *fmt, ...)
{
	va_list ap;

	(void)fputs("trawl: ", stderr);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
}

int
usage_error(const struct command *cmd, const char *fmt, ...)
{
	va_list ap;

	(void)fputs("trawl: ", stderr);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fprintf(stderr, "; see `trawl help %s`\n", cmd->name);
	return EXIT_USAGE;
}

static int
parse_seconds(const char *text, usec_t *ret)
{
	char *end;
	double seconds;

	errno = 0;
	seconds = strtod(text, &end);
	if (end == text || *end || errno || !isfinite(seconds) || seconds <= 0 || seconds > 1e9)
		return -EINVAL;
	*ret = (usec_t)(seconds * (double)USEC_PER_SEC);
	return 0;
}

static int
parse_word(const struct opt *o, const char *text, unsigned *ret)
{
	for (unsigned i = 0; o->words[i]; i++) {
		if (strcmp(o->words[i], text) == 0) {
			*ret = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int
opt_apply(const struct opt *o, const char *value, void *settings)
{
	void *field = (char *)settings + o->offset;

	switch (o->kind) {
	case OPT_SET:
		*(bool *)field = o->set != 0;
		return 0;
	case OPT_CHOICE:
		*(unsigned *)field = o->set;
		return 0;
	case OPT_WORD:
		return parse_word(o, value, field);
	case OPT_NUMBER:
		return parse_u64(span_of(value), field);
	case OPT_SECONDS:
		return parse_seconds(value, field);
	case OPT_TEXT:
		*(const char **)field = value;
		return 0;
	case OPT_TEXTS:
		return VEC_PUSH((struct texts *)field, value);
	}
	return -EINVAL;
}

static const struct opt *
find_letter(const struct opt *table, char letter)
{
	for (; table && table->word; table++)
		if (table->letter == letter)
			return table;
	return NULL;
}

static const struct opt *
opt_by_letter(const struct command *cmd, char letter)
{
	const struct opt *o = find_letter(cmd->opts, letter);

	return o ? o : find_letter(common_opts, letter);
}

/* The option called `word`, or the only one that begins so; *n counts the latter. */
static const struct opt *
find_word(const struct opt *table, struct span word, const struct opt *found, unsigned *n)
{
	for (; table && table->word; table++) {
		struct span name = span_of(table->word);

		if (span_eq(name, word)) {
			*n = 1;
			return table;
		}
		if (span_starts(name, word)) {
			found = table;
			++*n;
		}
	}
	return found;
}

static const struct opt *
opt_by_word(const struct command *cmd, struct span word, unsigned *ret_n)
{
	const struct opt *tables[] = {cmd->opts, common_opts};
	const struct opt *found = NULL;

	*ret_n = 0;
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		found = find_word(tables[i], word, found, ret_n);
		if (found && strlen(found->word) == word.len)
			return found;
	}
	return found;
}

static int
opt_refused(const struct command *cmd, const struct opt *o, const char *value)
{
	const char *expected = o->kind == OPT_NUMBER    ? "a whole number"
	                       : o->kind == OPT_SECONDS ? "a number of seconds"
	                                                : "another word";
	char choices[128] = "";

	for (size_t i = 0; o->kind == OPT_WORD && o->words[i]; i++) {
		size_t len = strlen(choices);

		(void)snprintf(choices + len, sizeof(choices) - len, "%s%s", i ? ", " : "one of ",
			o->words[i]);
	}
	(void)usage_error(cmd, "--%s cannot be '%s': %s is expected", o->word, value,
		*choices ? choices : expected);
	return -EINVAL;
}

static int
opt_use(const struct command *cmd, const struct opt *o, const char *value, void *settings)
{
	return opt_apply(o, value, settings) < 0 ? opt_refused(cmd, o, value) : 0;
}

static int
parse_long(const struct command *cmd, char ***argv, void *settings)
{
	const char *text = **argv + 2, *equals = strchr(text, '=');
	struct span word = {text, equals ? (size_t)(equals - text) : strlen(text)};
	unsigned n;
	const struct opt *o = opt_by_word(cmd, word, &n);
	const char *value = equals ? equals + 1 : NULL;

	if (n != 1) {
		(void)usage_error(cmd, "%s option --%.*s",
			n ? "more than one meaning for" : "unknown", (int)word.len, word.data);
		return -EINVAL;
	}
	if (!o->value && value) {
		(void)usage_error(cmd, "--%s takes no value", o->word);
		return -EINVAL;
	}
	if (o->value && !value && !(value = *++*argv)) {
		--*argv;
		(void)usage_error(cmd, "--%s needs a value (%s)", o->word, o->value);
		return -EINVAL;
	}
	return opt_use(cmd, o, value, settings);
}

/* A bundle: -li5 is -l -i5 when i takes a value. */
static int
parse_letters(const struct command *cmd, char ***argv, void *settings)
{
	for (const char *p = **argv + 1; *p; p++) {
		const struct opt *o = opt_by_letter(cmd, *p);
		const char *value = NULL;

		if (!o) {
			(void)usage_error(cmd,
				"unknown option -%c (a query that begins with - goes after --)",
				*p);
			return -EINVAL;
		}
		if (o->value) {
			value = p[1] ? p + 1 : *++*argv;
			if (!value) {
				--*argv;
				(void)usage_error(cmd, "-%c needs a value (%s)", *p, o->value);
				return -EINVAL;
			}
			return opt_use(cmd, o, value, settings);
		}
		if (opt_use(cmd, o, NULL, settings) < 0)
			return -EINVAL;
	}
	return 0;
}

int
args_parse(const struct command *cmd, char **argv, void *settings)
{
	struct common *common = settings;
	bool only_operands = false;
	int r = 0;

	for (; *argv && r == 0; argv++) {
		if (only_operands || (*argv)[0] != '-' || !(*argv)[1])
			r = VEC_PUSH(&common->operands, *argv);
		else if (strcmp(*argv, "--") == 0)
			only_operands = true;
		else if ((*argv)[1] == '-')
			r = parse_long(cmd, &argv, settings);
		else
			r = parse_letters(cmd, &argv, settings);
	}
	if (r < 0)
		return r;
	if (common->help)
		args_help(cmd);
	return common->help;
}

bool
args_done(const struct command *cmd, char **argv, void *settings, int *ret_exit)
{
	int r = args_parse(cmd, argv, settings);

	*ret_exit = r < 0 ? EXIT_USAGE : EXIT_FOUND;
	return r != 0;
}

void
common_fini(struct common *c)
{
	VEC_FINI(&c->operands);
}

/* A letter that the command has taken for itself is not that of an option of every command. */
static void
help_options(const struct command *cmd, const struct opt *o)
{
	for (; o && o->word; o++) {
		bool letter = o->letter && opt_by_letter(cmd, o->letter) == o;
		char left[64];

		(void)snprintf(left, sizeof(left), "%c%c%s --%s%s%s", letter ? '-' : ' ',
			letter ? o->letter : ' ', letter ? "," : " ", o->word, o->value ? "=" : "",
			o->value ? o->value : "");
		printf("  %-26s %s\n", left, o->help);
	}
}

void
args_help(const struct command *cmd)
{
	printf("usage: trawl %s %s\n\n%s\n\noptions:\n", cmd->name, cmd->operands, cmd->summary);
	help_options(cmd, cmd->opts);
	help_options(cmd, common_opts);
	if (cmd->details)
		printf("\n%s", cmd->details);
}
