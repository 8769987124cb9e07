#include "ask.h"
#include "commands.h"

struct reload {
	struct common common;
	bool wait;
};

static const struct opt opts[] = {
	{'w', OPT_SET, "wait", NULL, offsetof(struct reload, wait), 1, NULL,
		"until it has been taken over, or say why it was not"},
	{0},
};

static int
run(char **argv)
{
	struct reload reload = {0};
	AUTO(common_fini) struct common c = {0};
	AUTO(question_fini) struct question q = {0};
	AUTO(msg_freep) struct msg *end = NULL;
	int exit_code;

	if (args_done(&cmd_reload, argv, &reload, &exit_code)) {
		common_fini(&reload.common);
		return exit_code;
	}
	c = reload.common;
	if (c.operands.len)
		return usage_error(&cmd_reload, "no operands are expected");
	question_begin(&q, "reload", &c);
	if (reload.wait)
		json_kv_bool(&q.json, "wait", true);
	return ask_once(&q, &c, NULL, NULL, &end);
}

const struct command cmd_reload = {
	.name = "reload",
	.operands = "[OPTION]...",
	.summary = "make the daemon read its configuration again",
	.details =
		"A configuration with a mistake changes nothing. With --wait the mistake is told "
		"and the exit\ncode is 2; the daemon's log says it in any case.\n",
	.opts = opts,
	.run = run,
};
