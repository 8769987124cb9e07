#include "commands.h"

#include <stdio.h>

#include "ask.h"
#include "cell.h"

enum { COLUMN_KEY, COLUMN_N, COLUMN_SIZE, COLUMN_BLOCKS };

static const char *const by_words[] = {
	"none", "ext", "type", "user", "group", "age", "size", "root", "dir", NULL};
static const char *const sort_words[] = {"size", "disk", "count", "key", NULL};
static const char *const sort_in_protocol[] = {"size", "blocks", "count", "key"};

struct stats {
	struct selection sel;
	unsigned by, sort;
	bool bytes, null;
	const char *depth;
	uint64_t max_depth;

	/* From here on: while rows come. */
	struct out out;
	struct strbuf scratch;
};

static const struct opt opts[] = {
	{'g', OPT_WORD, "by", "WHAT", offsetof(struct stats, by), 0, by_words,
		"a group for each ext, type, user, group, age, size, root or dir"},
	{0, OPT_WORD, "sort", "KEY", offsetof(struct stats, sort), 0, sort_words,
		"the largest size, disk or count first, or by key; size unless given"},
	{'n', OPT_NUMBER, "limit", "N", offsetof(struct selection, limit), 0, NULL,
		"only the first N groups, the others as one; 0, the default: all"},
	{'d', OPT_TEXT, "depth", "N", offsetof(struct stats, depth), 0, NULL,
		"--by=dir: cut directories to N levels below the root, or below --in"},
	{'b', OPT_SET, "bytes", NULL, offsetof(struct stats, bytes), 1, NULL,
		"bytes, not 1.2K, 34M"},
	{'0', OPT_SET, "null", NULL, offsetof(struct stats, null), 1, NULL,
		"end each line with NUL"},
	SELECTION_OPTS,
	{0},
};

static const char *
bytes_or_size(const struct stats *s, uint64_t n, char buf[32])
{
	if (!s->bytes)
		return size_text(n, buf);
	(void)snprintf(buf, 32, "%llu", (unsigned long long)n);
	return buf;
}

static void
put_line(struct stats *s, uint64_t n, uint64_t size, uint64_t blocks, struct span key)
{
	char a[32], b[32];

	(void)strbuf_printf(&s->out.buf, "%12llu\t%12s\t%12s\t", (unsigned long long)n,
		bytes_or_size(s, size, a), bytes_or_size(s, blocks * 512, b));
	out_name(&s->out, key);
	out_putc(&s->out, s->null ? '\0' : '\n');
}

static int
put_rows(void *ctx, const struct msg_val *rows)
{
	static const char *const keys[] = {"key", "n", "size", "blocks"};
	struct stats *s = ctx;

	for (size_t i = 0; s->by != 0 && i < msg_len(rows); i++) {
		const struct msg_val *row = msg_at(rows, i);

		if (s->sel.common.json) {
			out_json_row(&s->out, row, keys, ARRAY_LEN(keys));
			out_putc(&s->out, '\n');
			continue;
		}
		put_line(s, (uint64_t)row_number(row, COLUMN_N),
			(uint64_t)row_number(row, COLUMN_SIZE),
			(uint64_t)row_number(row, COLUMN_BLOCKS),
			row_text(row, COLUMN_KEY, &s->scratch));
	}
	out_flush(&s->out);
	return s->out.error;
}

/* "total" or "other" of the end. */
static void
put_sum(struct stats *s, const struct msg_val *end, const char *which, const char *shown)
{
	const struct msg_val *sum = msg_get(end, which);
	int64_t n = 0, size = 0, blocks = 0;

	(void)cell_number(msg_get(sum, "n"), &n);
	(void)cell_number(msg_get(sum, "size"), &size);
	(void)cell_number(msg_get(sum, "blocks"), &blocks);
	if (s->sel.common.json) {
		struct json j = json_to(&s->out.buf);

		json_open(&j, '{');
		json_kv_cstr(&j, "sum", which);
		json_kv_u64(&j, "n", (uint64_t)n);
		json_kv_u64(&j, "size", (uint64_t)size);
		json_kv_u64(&j, "blocks", (uint64_t)blocks);
		json_close(&j, '}');
		out_putc(&s->out, '\n');
		return;
	}
	put_line(s, (uint64_t)n, (uint64_t)size, (uint64_t)blocks, span_of(shown));
}

static void
put_end(struct stats *s, const struct msg_val *end)
{
	bool more = false, complete = true;
	uint64_t n = 0, groups = 0;
	char shown[64], text[32];

	(void)msg_bool(end, "more", &more);
	(void)msg_bool(end, "complete", &complete);
	(void)msg_u64(end, "n", &n);
	(void)msg_u64(end, "groups", &groups);
	(void)snprintf(shown, sizeof(shown), "other: %s%s groups", complete ? "" : "more than ",
		count_text(groups - MIN(n, groups), text));
	if (more)
		put_sum(s, end, "other", shown);
	put_sum(s, end, "total", "total");
}

static int
ask_stats(struct stats *s, struct question *q, struct msg **ret)
{
	AUTO(strbuf_fini) struct strbuf base = {0};
	int exit_code = selection_begin(&s->sel, q, "stats", &s->sel.common.operands, 0);

	if (exit_code)
		return exit_code;
	json_kv_cstr(&q->json, "by", by_words[s->by]);
	json_kv_cstr(&q->json, "sort", sort_in_protocol[s->sort]);
	if (s->depth)
		json_kv_u64(&q->json, "depth", s->max_depth);
	if (s->depth && s->sel.in) {
		if (directory_path(s->sel.in, &base) < 0) {
			complain("out of memory");
			return EXIT_USAGE;
		}
		json_kv_str(&q->json, "path", strbuf_view(&base));
	}
	return ask_once(q, &s->sel.common, put_rows, s, ret);
}

static int
stats(struct stats *s, struct question *q)
{
	AUTO(msg_freep) struct msg *end = NULL;
	usec_t began = clock_mono();
	uint64_t n = 0;
	int exit_code;

	if (s->depth && parse_u64(span_of(s->depth), &s->max_depth) < 0)
		return usage_error(
			&cmd_stats, "--depth cannot be '%s': a whole number is expected", s->depth);
	if (s->out.terminal && !s->sel.common.json)
		(void)strbuf_printf(&s->out.buf, "%12s\t%12s\t%12s\t%s\n", "entries", "bytes",
			"on disk", s->by ? by_words[s->by] : "");
	exit_code = ask_stats(s, q, &end);
	if (exit_code)
		return exit_code;
	put_end(s, msg_root(end));
	exit_code = selection_report(&s->sel, msg_root(end), began);
	(void)msg_u64(msg_get(msg_root(end), "total"), "n", &n);
	if (exit_code == EXIT_INCOMPLETE)
		return exit_code;
	return n ? EXIT_FOUND : EXIT_NOTHING;
}

static int
run(char **argv)
{
	struct stats s = {0};
	AUTO(question_fini) struct question q = {0};
	int exit_code;

	if (!args_done(&cmd_stats, argv, &s, &exit_code)) {
		s.out = out_open(s.sel.common.color);
		exit_code = out_close(&s.out, stats(&s, &q));
	}
	strbuf_fini(&s.scratch);
	selection_fini(&s.sel);
	return exit_code;
}

const struct command cmd_stats = {
	.name = "stats",
	.operands = "[OPTION]... [QUERY]...",
	.summary = "how many entries match a query and how large they are, in groups",
	.details = "Without a query: of everything. Columns: entries, bytes, bytes on the disk, "
		   "group. A file\nwith several hard links counts as often as it matches.\n\n"
		   "  trawl stats --by=ext -n 10        trawl stats -g age user:root 'size:>1m'\n"
		   "  trawl stats -g dir -d 1 --in ~ ext:o\n",
	.opts = opts,
	.run = run,
};
