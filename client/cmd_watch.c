#include "change_out.h"
#include "commands.h"
#include "each_run.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

/* Between two tries to reach a daemon that went away. */
#define RETRY_FIRST_MSEC 100
#define RETRY_LAST_MSEC 2000

struct watch {
	struct selection sel;
	bool null, glued; /* -x in a bundle of letters, where it cannot be */
	const char *since;
	char **command; /* NULL: print */

	struct out out;
	struct change_row row;
	struct strbuf clock; /* what was told goes up to it */
	bool in_gap;         /* rows are everything, until the next clock */
	int failed;          /* exit code that ends it */
};

static const struct opt opts[] = {
	{'0', OPT_SET, "null", NULL, offsetof(struct watch, null), 1, NULL,
		"end each answer with NUL; a move is then two of them"},
	{0, OPT_TEXT, "since", "CLOCK", offsetof(struct watch, since), 0, NULL,
		"begin with what has changed since then"},
	{0, OPT_TEXT, "in", "DIR", offsetof(struct selection, in), 0, NULL,
		"only below DIR, which may be relative (as the term in:DIR)"},
	{0, OPT_WORD, "case", "WHEN", offsetof(struct selection, letter_case), 0, case_words,
		"do capitals matter: smart (when there is one), yes, no"},
	{'x', OPT_SET, "exec", NULL, offsetof(struct watch, glued), 1, NULL,
		"run COMMAND, the rest of the line, for each change: {} in it is the path"},
	{0},
};

static int
take_row(struct watch *w, const struct msg_val *row)
{
	int r = change_read(&w->row, row);

	if (r < 0) {
		complain("could not understand a row of the answer");
		return r;
	}
	if (!w->command) {
		change_print(&w->out, &w->row, row, w->sel.common.json, w->null);
		return 0;
	}
	return w->in_gap ? 0 : run_for(w->command, &w->row);
}

static int
take_rows(void *ctx, const struct msg_val *rows)
{
	struct watch *w = ctx;
	int r = 0;

	for (size_t i = 0; i < msg_len(rows) && r == 0; i++)
		r = take_row(w, msg_at(rows, i));
	out_flush(&w->out);
	return r < 0 ? r : w->out.error;
}

static int
take_event(void *ctx, const struct msg_val *event)
{
	struct watch *w = ctx;
	struct span ev = {"", 0}, clock;

	(void)msg_str(event, "ev", &ev);
	if (span_eq(ev, SPAN_LIT("gap"))) {
		w->in_gap = true;
		if (w->command)
			complain("what has changed meanwhile cannot be told, and nothing is run "
				 "for it");
		else
			change_print_gap(&w->out, event, w->sel.common.json);
		return 0;
	}
	if (!span_eq(ev, SPAN_LIT("clock")) || msg_str(event, "clock", &clock) <= 0)
		return 0;
	w->in_gap = false;
	strbuf_reset(&w->clock);
	return strbuf_span(&w->clock, clock);
}

/* One connection, until it is lost or what is asked is refused. */
static int
follow(struct watch *w, struct wire *wire)
{
	AUTO(question_fini) struct question q = {0};
	AUTO(msg_freep) struct msg *end = NULL;
	int exit_code;

	free(TAKE_PTR(w->sel.query));
	exit_code = selection_begin(&w->sel, &q, "subscribe", &w->sel.common.operands, 0);
	if (exit_code)
		return exit_code;
	if (w->clock.len > 0)
		json_kv_str(&q.json, "clock", strbuf_view(&w->clock));
	change_ask_fields(&q.json, w->sel.common.json);
	q.on_event = take_event;
	q.endless = true;
	return ask(wire, &q, &w->sel.common, take_rows, w, &end);
}

/* Until there is a daemon again. */
static void
reconnect(const struct watch *w, struct wire *wire)
{
	int msec = RETRY_FIRST_MSEC;
	struct err err = {0};

	complain("trying again");
	for (;;) {
		(void)poll(NULL, 0, msec);
		*wire = (struct wire){0};
		if (wire_open(wire, w->sel.common.address, &err) >= 0)
			return;
		msec = MIN(msec * 2, RETRY_LAST_MSEC);
	}
}

static int
watch(struct watch *w)
{
	AUTO(wire_close) struct wire wire;
	int exit_code = ask_open(&wire, &w->sel.common);

	if (!exit_code && w->since && strbuf_puts(&w->clock, w->since) < 0)
		exit_code = EXIT_USAGE;
	while (!exit_code) {
		exit_code = follow(w, &wire);
		if (exit_code != EXIT_UNREACHABLE)
			break;
		wire_close(&wire);
		reconnect(w, &wire);
		exit_code = 0;
	}
	return exit_code;
}

/* What follows -x is the command's, whatever it looks like. */
static char **
split_command(char **argv)
{
	for (; *argv && strcmp(*argv, "--") != 0; argv++) {
		if (strcmp(*argv, "-x") != 0 && strcmp(*argv, "--exec") != 0)
			continue;
		*argv = NULL;
		return argv + 1;
	}
	return NULL;
}

static int
run(char **argv)
{
	struct watch w = {.command = split_command(argv)};
	int exit_code;

	if (!args_done(&cmd_watch, argv, &w, &exit_code)) {
		w.out = out_open(w.sel.common.color);
		if (w.sel.common.operands.len == 0 && !w.sel.in)
			exit_code = usage_error(&cmd_watch, "a query is needed; '*' is everything");
		else if (w.glued || (w.command && !w.command[0]))
			exit_code =
				usage_error(&cmd_watch, "-x stands by itself, before the command");
		else
			exit_code = watch(&w);
		exit_code = out_close(&w.out, exit_code);
	}
	change_fini(&w.row);
	strbuf_fini(&w.clock);
	selection_fini(&w.sel);
	return exit_code;
}

const struct command cmd_watch = {
	.name = "watch",
	.operands = "[OPTION]... QUERY... [-x COMMAND [ARG]...]",
	.summary = "what changes and matches the query, as it happens",
	.details =
		"Lines are as those of `trawl since`. With -x the command is run for each, one "
		"after the\nother, the path in place of {} or after its last argument; "
		"TRAWL_CHANGE "
		"(add, modify, move,\ndelete), TRAWL_PATH and TRAWL_FROM are in its "
		"environment.\n\n"
		"  trawl watch 'ext:c in:.' -x make\n"
		"  trawl watch --json '*' | jq .path\n\n"
		"When the daemon goes away, it is waited for, and nothing in between is lost. What "
		"it cannot\ntell any more is said to be a gap: all that matches follows, but "
		"nothing "
		"is run for it.\n",
	.opts = opts,
	.run = run,
};
