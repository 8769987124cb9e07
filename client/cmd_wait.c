#include "commands.h"
#include "progress.h"

struct wait {
	struct common common;
	bool quiet;
};

static const struct opt opts[] = {
	{'q', OPT_SET, "quiet", NULL, offsetof(struct wait, quiet), 1, NULL, "no progress"},
	{0},
};

static int
wait_roots(const struct wait *wait)
{
	AUTO(wire_close) struct wire w;
	int exit_code = ask_open(&w, &wait->common);
	struct progress_opts how = {
		.common = &wait->common,
		.names = &wait->common.operands,
		.quiet = wait->quiet,
	};

	return exit_code ? exit_code : progress_wait(&w, &how);
}

static int
run(char **argv)
{
	struct wait wait = {0};
	int exit_code;

	if (!args_done(&cmd_wait, argv, &wait, &exit_code))
		exit_code = wait_roots(&wait);
	common_fini(&wait.common);
	return exit_code;
}

const struct command cmd_wait = {
	.name = "wait",
	.operands = "[OPTION]... [ROOT]...",
	.summary = "wait until the roots are indexed, with a progress bar on a terminal",
	.details =
		"Exits 0 when every root (or those named) is indexed, 3 when one could not be, or "
		"when\n--timeout ran out.\n",
	.opts = opts,
	.run = run,
};
