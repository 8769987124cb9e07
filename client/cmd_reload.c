#include "ask.h"
#include "commands.h"

static const struct opt opts[] = {{0}};

static int
run(char **argv)
{
	AUTO(common_fini) struct common c = {0};
	AUTO(question_fini) struct question q = {0};
	AUTO(msg_freep) struct msg *end = NULL;
	int exit_code;

	if (args_done(&cmd_reload, argv, &c, &exit_code))
		return exit_code;
	if (c.operands.len)
		return usage_error(&cmd_reload, "no operands are expected");
	question_begin(&q, "reload", &c);
	return ask_once(&q, &c, NULL, NULL, &end);
}

const struct command cmd_reload = {
	.name = "reload",
	.operands = "[OPTION]...",
	.summary = "make the daemon read its configuration again",
	.details =
		"A configuration with a mistake changes nothing; the daemon's log says where the "
		"mistake is.\n",
	.opts = opts,
	.run = run,
};
