#include "commands.h"

#include <stdio.h>

#include "ask.h"
#include "cell.h"

enum {
	COLUMN_GROUP,
	COLUMN_FILE,
	COLUMN_PATH,
	COLUMN_SIZE,
	COLUMN_FILES,
	COLUMN_WASTE,
	COLUMN_NAMES
};

struct dupes {
	struct selection sel;
	bool links, omit_first, sizes, count, bytes, null;

	/* From here on: while rows come. */
	struct out out;
	struct json json; /* of the group being printed */
	int64_t group;    /* its number; 0: none yet */
	struct strbuf scratch;
};

static const struct opt opts[] = {
	{'n', OPT_NUMBER, "limit", "N", offsetof(struct selection, limit), 0, NULL,
		"only the N groups that waste most; 0, the default: all"},
	{'f', OPT_SET, "omit-first", NULL, offsetof(struct dupes, omit_first), 1, NULL,
		"without the first file of each group"},
	{'H', OPT_SET, "hard-links", NULL, offsetof(struct dupes, links), 1, NULL,
		"every name of a file with several hard links, not only its first"},
	{'S', OPT_SET, "size", NULL, offsetof(struct dupes, sizes), 1, NULL,
		"a line with the size above each group; on a terminal it is there anyway"},
	{'c', OPT_SET, "count", NULL, offsetof(struct dupes, count), 1, NULL,
		"only how many groups and files there are, and how much they waste"},
	{'b', OPT_SET, "bytes", NULL, offsetof(struct dupes, bytes), 1, NULL,
		"bytes, not 1.2K, 34M"},
	{'0', OPT_SET, "null", NULL, offsetof(struct dupes, null), 1, NULL,
		"end each path with NUL"},
	SELECTION_OPTS,
	{0},
};

static const char *
bytes_or_size(const struct dupes *d, int64_t n, char buf[32])
{
	if (!d->bytes)
		return size_text((uint64_t)n, buf);
	(void)snprintf(buf, 32, "%llu", (unsigned long long)n);
	return buf;
}

static void
end_group(struct dupes *d)
{
	if (d->group == 0 || d->count)
		return;
	if (d->sel.common.json) {
		json_close(&d->json, ']');
		json_close(&d->json, '}');
	}
	out_putc(&d->out, d->null && !d->sel.common.json ? '\0' : '\n');
}

static void
begin_group(struct dupes *d, const struct msg_val *row)
{
	int64_t size = row_number(row, COLUMN_SIZE), files = row_number(row, COLUMN_FILES);
	int64_t waste = row_number(row, COLUMN_WASTE);
	char a[32], b[32];

	end_group(d);
	d->group = row_number(row, COLUMN_GROUP);
	if (d->sel.common.json) {
		d->json = json_to(&d->out.buf);
		json_open(&d->json, '{');
		json_kv_i64(&d->json, "group", d->group);
		json_kv_u64(&d->json, "size", (uint64_t)size);
		json_kv_i64(&d->json, "files", files);
		json_kv_u64(&d->json, "waste", (uint64_t)waste);
		json_key(&d->json, "paths");
		json_open(&d->json, '[');
	} else if ((d->sizes || d->out.terminal) && !d->null) {
		out_color(&d->out, "1");
		(void)strbuf_printf(&d->out.buf, "%lld files of %s, %s wasted", (long long)files,
			bytes_or_size(d, size, a), bytes_or_size(d, waste, b));
		out_plain(&d->out);
		out_putc(&d->out, '\n');
	}
}

static void
put_path(struct dupes *d, const struct msg_val *row)
{
	strbuf_reset(&d->scratch);
	if (d->sel.common.json) {
		if (msg_at(row, COLUMN_PATH) &&
			msg_print(msg_at(row, COLUMN_PATH), &d->scratch) == 0)
			json_raw(&d->json, strbuf_view(&d->scratch));
		return;
	}
	out_name(&d->out, row_text(row, COLUMN_PATH, &d->scratch));
	if (!d->links && d->out.terminal && row_number(row, COLUMN_NAMES) > 1)
		(void)strbuf_printf(&d->out.buf, "  (of %lld hard links)",
			(long long)row_number(row, COLUMN_NAMES));
	out_putc(&d->out, d->null ? '\0' : '\n');
}

static int
put_rows(void *ctx, const struct msg_val *rows)
{
	struct dupes *d = ctx;

	for (size_t i = 0; !d->count && i < msg_len(rows); i++) {
		const struct msg_val *row = msg_at(rows, i);

		if (row_number(row, COLUMN_GROUP) != d->group)
			begin_group(d, row);
		if (!d->omit_first || row_number(row, COLUMN_FILE) > 1)
			put_path(d, row);
	}
	out_flush(&d->out);
	return d->out.error;
}

static void
put_total(struct dupes *d, const struct msg_val *end)
{
	const struct msg_val *total = msg_get(end, "total");
	int64_t groups = 0, files = 0, waste = 0;
	char a[32], b[32], c[32];

	if (!total || !(d->count || (d->out.terminal && !d->sel.common.json)))
		return;
	if (d->sel.common.json) {
		out_json(&d->out, total);
		return;
	}
	(void)cell_number(msg_get(total, "groups"), &groups);
	(void)cell_number(msg_get(total, "files"), &files);
	(void)cell_number(msg_get(total, "waste"), &waste);
	(void)strbuf_printf(&d->out.buf, "%s groups, %s files, %s wasted\n",
		count_text((uint64_t)groups, a), count_text((uint64_t)files, b),
		bytes_or_size(d, waste, c));
}

static int
dupes(struct dupes *d, struct question *q)
{
	AUTO(msg_freep) struct msg *end = NULL;
	usec_t began = clock_mono();
	uint64_t groups = 0;
	int exit_code;

	if (d->count)
		d->sel.limit = 1;
	exit_code = selection_begin(&d->sel, q, "dupes", &d->sel.common.operands, 0);
	if (exit_code)
		return exit_code;
	json_kv_bool(&q->json, "links", d->links);
	exit_code = ask_once(q, &d->sel.common, put_rows, d, &end);
	end_group(d);
	if (exit_code)
		return exit_code;
	put_total(d, msg_root(end));
	exit_code = selection_report(&d->sel, msg_root(end), began);
	(void)msg_u64(msg_get(msg_root(end), "total"), "groups", &groups);
	if (exit_code == EXIT_INCOMPLETE)
		return exit_code;
	return groups ? EXIT_FOUND : EXIT_NOTHING;
}

static int
run(char **argv)
{
	struct dupes d = {0};
	AUTO(question_fini) struct question q = {0};
	int exit_code;

	if (!args_done(&cmd_dupes, argv, &d, &exit_code)) {
		d.out = out_open(d.sel.common.color);
		exit_code = out_close(&d.out, dupes(&d, &q));
	}
	strbuf_fini(&d.scratch);
	selection_fini(&d.sel);
	return exit_code;
}

const struct command cmd_dupes = {
	.name = "dupes",
	.operands = "[OPTION]... [QUERY]...",
	.summary = "files with equal contents, those that waste most first",
	.details = "Among the files that the query selects, or all: groups of paths with an empty "
		   "line between.\nNames of one file (hard links) are no duplicates of each other. "
		   "Files that share their size\nwith another are read, unless the daemon knows "
		   "their hash.\n\n"
		   "  trawl dupes --in ~ 'size:>1m'     trawl dupes -c ext:jpg\n",
	.opts = opts,
	.run = run,
};
