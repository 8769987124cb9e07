#include "cell.h"
#include "commands.h"
#include "each_path.h"

static const struct opt opts[] = {{0}};

static void
put_member(struct out *o, const char *before, const struct msg_val *object, const char *key,
	const char *after)
{
	AUTO(strbuf_fini) struct strbuf scratch = {0};
	const struct msg_val *v = msg_get(object, key);
	struct span s;

	if (!v || msg_text(v, &scratch, &s) <= 0 || s.len == 0)
		return;
	out_puts(o, before);
	out_name(o, s);
	out_puts(o, after);
}

/* The rule may be about a directory above the path: `at` bytes of the path below the root. */
static void
put_subject(struct out *o, const struct msg_val *end)
{
	AUTO(strbuf_fini) struct strbuf scratch = {0}, root_scratch = {0};
	const struct msg_val *v = msg_get(end, "path"), *root = msg_get(end, "root_path");
	struct span path, root_path;
	uint64_t at = 0;

	if (!v || !root || msg_text(v, &scratch, &path) <= 0 ||
		msg_text(root, &root_scratch, &root_path) <= 0)
		return;
	if (msg_u64(end, "at", &at) > 0 && at > 0) {
		size_t below = root_path.len + (root_path.len > 1);

		path.len = MIN(path.len, below + at);
	}
	out_puts(o, "  ");
	out_name(o, path);
	out_putc(o, ' ');
}

static void
show(struct out *o, const struct msg_val *end)
{
	bool indexed = false, exists = true;

	(void)msg_bool(end, "indexed", &indexed);
	(void)msg_bool(end, "exists", &exists);
	put_member(o, "", end, "path", indexed ? ": indexed\n" : ": not indexed\n");
	if (!exists) {
		out_puts(o, "  is not there\n");
	} else if (!indexed && msg_get(end, "text")) {
		put_subject(o, end);
		put_member(o, "", end, "text", "\n");
	}
	put_member(o, "  rule: ", end, "rule", "\n");
	put_member(o, "  said by: ", end, "source", "\n");
	if (indexed)
		put_member(o, "  contents: ", end, "content", "\n");
	put_member(o, "  root: ", end, "root", "");
	put_member(o, " (", end, "root_path", ")\n");
}

static int
run(char **argv)
{
	return each_path(&cmd_why, argv, "why", show);
}

const struct command cmd_why = {
	.name = "why",
	.operands = "[OPTION]... PATH...",
	.summary = "why a path is, or is not, in the index, and which rule says so",
	.opts = opts,
	.run = run,
};
