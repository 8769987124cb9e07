#include "cell.h"
#include "change_out.h"
#include "commands.h"

#include <stdio.h>

struct since {
	struct selection sel;
	bool null;

	struct out out;
	struct change_row row;
};

static const struct opt opts[] = {
	{'0', OPT_SET, "null", NULL, offsetof(struct since, null), 1, NULL,
		"end each answer with NUL; a move is then two of them"},
	SELECTION_OPTS,
	{0},
};

static int
print_rows(void *ctx, const struct msg_val *rows)
{
	struct since *s = ctx;

	for (size_t i = 0; i < msg_len(rows); i++) {
		int r = change_read(&s->row, msg_at(rows, i));

		if (r < 0) {
			complain("could not understand a row of the answer");
			return r;
		}
		change_print(&s->out, &s->row, msg_at(rows, i), s->sel.common.json, s->null);
	}
	out_flush(&s->out);
	return s->out.error;
}

static int
print_event(void *ctx, const struct msg_val *event)
{
	struct since *s = ctx;
	struct span ev;

	if (msg_str(event, "ev", &ev) > 0 && span_eq(ev, SPAN_LIT("gap")))
		change_print_gap(&s->out, event, s->sel.common.json);
	return 0;
}

/* From which to ask the next time. */
static void
print_clock(struct since *s, const struct msg_val *end)
{
	struct span clock = {"", 0};

	(void)msg_str(end, "clock", &clock);
	if (s->sel.common.json)
		out_json(&s->out, end);
	else
		(void)fprintf(stderr, "clock %.*s\n", (int)clock.len, clock.data);
}

static int
since(struct since *s, struct question *q)
{
	AUTO(msg_freep) struct msg *end = NULL;
	const struct texts *words = &s->sel.common.operands;
	usec_t began = clock_mono();
	int exit_code = selection_begin(&s->sel, q, "since", words, 1);

	if (exit_code)
		return exit_code;
	json_kv_cstr(&q->json, "clock", words->data[0]);
	change_ask_fields(&q->json, s->sel.common.json);
	q->on_event = print_event;
	exit_code = ask_once(q, &s->sel.common, print_rows, s, &end);
	if (exit_code)
		return exit_code;
	print_clock(s, msg_root(end));
	return selection_report(&s->sel, msg_root(end), began);
}

static int
run(char **argv)
{
	AUTO(question_fini) struct question q = {0};
	struct since s = {0};
	int exit_code;

	if (!args_done(&cmd_since, argv, &s, &exit_code)) {
		s.out = out_open(s.sel.common.color);
		if (s.sel.common.operands.len == 0)
			exit_code = usage_error(
				&cmd_since, "a clock is needed, as `trawl clock` prints");
		else
			exit_code = since(&s, &q);
		exit_code = out_close(&s.out, exit_code);
	}
	change_fini(&s.row);
	selection_fini(&s.sel);
	return exit_code;
}

const struct command cmd_since = {
	.name = "since",
	.operands = "[OPTION]... CLOCK [QUERY]...",
	.summary = "what has changed since a clock, and matches the query",
	.details =
		"A line for each path, by what became of it in the end:\n\n"
		"  + path   it came          > old -> new   it was moved\n"
		"  ~ path   it has changed   - path         it is gone\n\n"
		"What is gone is asked about by its name and what it was. The clock of the answer, "
		"for the\nnext time, is printed on stderr. Where the index does not remember so "
		"far "
		"back, it says so,\nand all that matches is printed as having come.\n",
	.opts = opts,
	.run = run,
};
