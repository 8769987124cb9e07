#include "ask.h"
#include "cell.h"
#include "commands.h"
#include "roots_table.h"

static const struct opt opts[] = {{0}};

static int
roots(const struct common *c, struct question *q, struct out *o)
{
	AUTO(msg_freep) struct msg *end = NULL;
	const struct msg_val *list;
	int exit_code;

	question_begin(q, "roots", c);
	exit_code = ask_once(q, c, NULL, NULL, &end);
	if (exit_code)
		return exit_code;
	list = msg_get(msg_root(end), "roots");
	for (size_t i = 0; c->json && i < msg_len(list); i++)
		out_json(o, msg_at(list, i));
	if (!c->json)
		roots_print(o, list);
	return msg_len(list) ? EXIT_FOUND : EXIT_NOTHING;
}

static int
run(char **argv)
{
	AUTO(common_fini) struct common c = {0};
	AUTO(question_fini) struct question q = {0};
	struct out o;
	int exit_code;

	if (args_done(&cmd_roots, argv, &c, &exit_code))
		return exit_code;
	if (c.operands.len)
		return usage_error(&cmd_roots, "no operands are expected");
	o = out_open(c.color);
	return out_close(&o, roots(&c, &q, &o));
}

const struct command cmd_roots = {
	.name = "roots",
	.operands = "[OPTION]...",
	.summary = "list the trees that are indexed, with their state",
	.opts = opts,
	.run = run,
};
