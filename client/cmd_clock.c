#include "ask.h"
#include "cell.h"
#include "commands.h"
#include "out.h"

static const struct opt opts[] = {{0}};

static int
ask_clock(const struct common *c, struct out *o)
{
	AUTO(question_fini) struct question q = {0};
	AUTO(msg_freep) struct msg *end = NULL;
	struct span clock = {"", 0};
	int exit_code;

	question_begin(&q, "clock", c);
	exit_code = ask_once(&q, c, NULL, NULL, &end);
	if (exit_code)
		return exit_code;
	(void)msg_str(msg_root(end), "clock", &clock);
	if (c->json) {
		out_json(o, msg_root(end));
	} else {
		out_name(o, clock);
		out_putc(o, '\n');
	}
	return EXIT_FOUND;
}

static int
run(char **argv)
{
	struct common c = {0};
	struct out o;
	int exit_code;

	if (!args_done(&cmd_clock, argv, &c, &exit_code)) {
		o = out_open(c.color);
		exit_code = c.operands.len ? usage_error(&cmd_clock, "no operands are expected")
		                           : ask_clock(&c, &o);
		exit_code = out_close(&o, exit_code);
	}
	common_fini(&c);
	return exit_code;
}

const struct command cmd_clock = {
	.name = "clock",
	.operands = "[OPTION]...",
	.summary = "the clock of now, from which `trawl since` tells what has changed",
	.details = "With --sync it counts everything that happened in the file system until now.\n",
	.opts = opts,
	.run = run,
};
