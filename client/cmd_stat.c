#include "cell.h"
#include "commands.h"
#include "each_path.h"

static const struct opt opts[] = {{0}};

static void
show(struct out *o, const struct msg_val *end)
{
	const struct msg_val *v;
	const char *key = NULL;

	for (size_t i = 0; (v = msg_member(end, i, &key)); i++) {
		if (cell_is_frame(key))
			continue;
		(void)strbuf_printf(&o->buf, "%8s: ", key);
		out_cell(o, key, v);
		out_putc(o, '\n');
	}
}

static int
run(char **argv)
{
	return each_path(&cmd_stat, argv, "stat", show);
}

const struct command cmd_stat = {
	.name = "stat",
	.operands = "[OPTION]... PATH...",
	.summary = "what the index knows of a path",
	.opts = opts,
	.run = run,
};
