#include "commands.h"
#include "progress.h"

struct rescan {
	struct common common;
	bool wait, quiet;
};

static const struct opt opts[] = {
	{'w', OPT_SET, "wait", NULL, offsetof(struct rescan, wait), 1, NULL,
		"wait until it is done, as `trawl wait` does"},
	{'q', OPT_SET, "quiet", NULL, offsetof(struct rescan, quiet), 1, NULL, "no progress"},
	{0},
};

/* NULL: every root. */
static int
rescan_root(struct wire *w, const struct common *c, const char *name)
{
	AUTO(question_fini) struct question q = {0};
	AUTO(msg_freep) struct msg *end = NULL;

	question_begin(&q, "rescan", c);
	if (name)
		json_kv_cstr(&q.json, "root", name);
	return ask(w, &q, c, NULL, NULL, &end);
}

static int
rescan_roots(struct wire *w, const struct common *c)
{
	int exit_code = EXIT_FOUND;

	if (c->operands.len == 0)
		return rescan_root(w, c, NULL);
	for (size_t i = 0; i < c->operands.len && !exit_code; i++)
		exit_code = rescan_root(w, c, c->operands.data[i]);
	return exit_code;
}

static int
rescan(const struct rescan *r)
{
	AUTO(wire_close) struct wire w;
	AUTO(msg_freep) struct msg *answer = NULL;
	struct progress_opts how = {
		.common = &r->common,
		.names = &r->common.operands,
		.quiet = r->quiet,
	};
	int exit_code = ask_open(&w, &r->common);

	if (!exit_code && r->wait)
		exit_code = progress_roots(&w, &r->common, &answer, &how.before);
	if (!exit_code)
		exit_code = rescan_roots(&w, &r->common);
	return exit_code || !r->wait ? exit_code : progress_wait(&w, &how);
}

static int
run(char **argv)
{
	struct rescan r = {0};
	int exit_code;

	if (!args_done(&cmd_rescan, argv, &r, &exit_code))
		exit_code = rescan(&r);
	common_fini(&r.common);
	return exit_code;
}

const struct command cmd_rescan = {
	.name = "rescan",
	.operands = "[OPTION]... [ROOT]...",
	.summary = "walk roots again: all of them, or those named",
	.details = "For the daemon's own user, root, and the users named by `admin =` in its "
		   "configuration.\n",
	.opts = opts,
	.run = run,
};
