#include "each_path.h"

#include "cell.h"

static int
ask_path(struct wire *w, const struct common *c, const char *op, const char *path, struct msg **ret)
{
	AUTO(question_fini) struct question q = {0};
	AUTO(strbuf_fini) struct strbuf absolute = {0};

	if (absolute_path(path, &absolute) < 0) {
		complain("could not make '%s' absolute: out of memory", path);
		return EXIT_USAGE;
	}
	question_begin(&q, op, c);
	json_kv_str(&q.json, "path", strbuf_view(&absolute));
	return ask(w, &q, c, NULL, NULL, ret);
}

static int
ask_all(const struct common *c, const char *op, struct out *o,
	void (*show)(struct out *o, const struct msg_val *end))
{
	AUTO(wire_close) struct wire w;
	int worst = ask_open(&w, c);

	if (worst)
		return worst;
	for (size_t i = 0; i < c->operands.len; i++) {
		AUTO(msg_freep) struct msg *end = NULL;
		int exit_code = ask_path(&w, c, op, c->operands.data[i], &end);

		worst = MAX(worst, exit_code);
		if (exit_code == EXIT_UNREACHABLE || exit_code == EXIT_DENIED)
			break;
		if (exit_code)
			continue;
		if (c->json)
			out_json(o, msg_root(end));
		else
			show(o, msg_root(end));
		out_flush(o);
	}
	return worst;
}

int
each_path(const struct command *cmd, char **argv, const char *op,
	void (*show)(struct out *o, const struct msg_val *end))
{
	AUTO(common_fini) struct common c = {0};
	struct out o;
	int exit_code;

	if (args_done(cmd, argv, &c, &exit_code))
		return exit_code;
	if (c.operands.len == 0)
		return usage_error(cmd, "a path is needed");
	o = out_open(c.color);
	return out_close(&o, ask_all(&c, op, &o, show));
}
