#include "commands.h"

#include <errno.h>
#include <stdio.h>

#include "cell.h"
#include "shown_path.h"

/* Of one request: the daemon takes a line of 64 KiB and 1,000 paths. */
#define MAX_PATHS 1000u
#define MAX_LINE_BYTES (48u << 10)
#define ANY_DEPTH (1ull << 53)

enum { COLUMN_PATH, COLUMN_SIZE, COLUMN_BLOCKS };

enum unit { UNIT_KIB, UNIT_BYTE, UNIT_MIB, UNIT_HUMAN };

struct du {
	struct common common;
	bool files, apparent, summarize, total, every_link, one_device, null, strict;
	unsigned unit;
	const char *depth;

	/* From here on: while rows come. */
	struct out out;
	struct operands operands;
	uint64_t max_depth;
	struct strbuf scratch;
};

static const struct opt opts[] = {
	{'a', OPT_SET, "all", NULL, offsetof(struct du, files), 1, NULL,
		"files too, not only directories"},
	{'A', OPT_SET, "apparent-size", NULL, offsetof(struct du, apparent), 1, NULL,
		"bytes in files rather than blocks on the disk"},
	{'b', OPT_CHOICE, "bytes", NULL, offsetof(struct du, unit), UNIT_BYTE, NULL,
		"apparent sizes in bytes"},
	{'c', OPT_SET, "total", NULL, offsetof(struct du, total), 1, NULL,
		"a last line for all paths together"},
	{'d', OPT_TEXT, "max-depth", "N", offsetof(struct du, depth), 0, NULL,
		"directories down to N levels below each path"},
	{'h', OPT_CHOICE, "human-readable", NULL, offsetof(struct du, unit), UNIT_HUMAN, NULL,
		"sizes as 1.2K, 34M, 5.6G"},
	{'k', OPT_CHOICE, "kib", NULL, offsetof(struct du, unit), UNIT_KIB, NULL,
		"in KiB (the default)"},
	{'l', OPT_SET, "count-links", NULL, offsetof(struct du, every_link), 1, NULL,
		"count a file as often as it has hard links here"},
	{'m', OPT_CHOICE, "mib", NULL, offsetof(struct du, unit), UNIT_MIB, NULL, "in MiB"},
	{'s', OPT_SET, "summarize", NULL, offsetof(struct du, summarize), 1, NULL,
		"only the paths themselves"},
	{'x', OPT_SET, "one-file-system", NULL, offsetof(struct du, one_device), 1, NULL,
		"leave out what is on other file systems"},
	{'0', OPT_SET, "null", NULL, offsetof(struct du, null), 1, NULL, "end each line with NUL"},
	{0, OPT_SET, "strict", NULL, offsetof(struct du, strict), 1, NULL,
		"exit 3 when something below could not be counted"},
	{0},
};

static void
put_size(struct du *d, uint64_t size, uint64_t blocks)
{
	uint64_t bytes = d->apparent || d->unit == UNIT_BYTE ? size : blocks * 512;
	char buf[32];

	switch ((enum unit)d->unit) {
	case UNIT_HUMAN:
		out_puts(&d->out, size_text(bytes, buf));
		break;
	case UNIT_BYTE:
		(void)strbuf_u64(&d->out.buf, bytes);
		break;
	case UNIT_KIB:
		(void)strbuf_u64(&d->out.buf, bytes / 1024 + (bytes % 1024 != 0));
		break;
	case UNIT_MIB:
		(void)strbuf_u64(&d->out.buf, (bytes >> 20) + ((bytes & ((1u << 20) - 1)) != 0));
		break;
	}
	out_putc(&d->out, '\t');
}

static int
put_rows(void *ctx, const struct msg_val *rows)
{
	static const char *const keys[] = {"path", "size", "blocks", "entries"};
	struct du *d = ctx;

	for (size_t i = 0; i < msg_len(rows); i++) {
		const struct msg_val *row = msg_at(rows, i);

		if (d->common.json) {
			out_json_row(&d->out, row, keys, ARRAY_LEN(keys));
		} else {
			put_size(d, (uint64_t)row_number(row, COLUMN_SIZE),
				(uint64_t)row_number(row, COLUMN_BLOCKS));
			operands_show(
				&d->operands, row_text(row, COLUMN_PATH, &d->scratch), &d->out);
		}
		out_putc(&d->out, d->null ? '\0' : '\n');
	}
	out_flush(&d->out);
	return d->out.error;
}

static void
begin(const struct du *d, struct question *q)
{
	question_begin(q, "du", &d->common);
	question_patient(q, &d->common);
	json_kv_u64(&q->json, "limit", 0);
	json_kv_u64(&q->json, "depth", d->max_depth);
	json_kv_bool(&q->json, "files", d->files);
	json_kv_bool(&q->json, "every_link", d->every_link);
	json_kv_bool(&q->json, "one_device", d->one_device);
	json_kv_bool(&q->json, "total", d->total);
	json_key(&q->json, "paths");
	json_open(&q->json, '[');
}

/* What is not in the index, one line each; their number. */
static size_t
say_missing(const struct msg_val *end)
{
	AUTO(strbuf_fini) struct strbuf scratch = {0}, shown = {0};
	const struct msg_val *missing = msg_get(end, "missing");
	struct span path;

	for (size_t i = 0; i < msg_len(missing); i++) {
		strbuf_reset(&scratch);
		strbuf_reset(&shown);
		if (msg_text(msg_at(missing, i), &scratch, &path) > 0)
			escape_into(&shown, path, "");
		complain("'%s' is not in the index (`trawl why` says why)",
			shown.data ? shown.data : "");
	}
	return msg_len(missing);
}

static void
put_total(struct du *d, const struct msg_val *end)
{
	const struct msg_val *total = msg_get(end, "total");
	int64_t size = 0, blocks = 0;

	if (!d->total || !total)
		return;
	(void)cell_number(msg_get(total, "size"), &size);
	(void)cell_number(msg_get(total, "blocks"), &blocks);
	if (d->common.json) {
		out_json(&d->out, total);
		return;
	}
	put_size(d, (uint64_t)size, (uint64_t)blocks);
	out_puts(&d->out, d->null ? "total" : "total\n");
	if (d->null)
		out_putc(&d->out, '\0');
}

/* The worst of what an answer says about itself. */
static int
report(struct du *d, const struct msg_val *end)
{
	size_t missing = say_missing(end);
	bool stale = report_stale(end), unread = report_unread(end);

	if (d->strict && (unread || stale || missing > 0))
		return EXIT_INCOMPLETE;
	return missing > 0 ? EXIT_NOTHING : EXIT_FOUND;
}

/* One request for as many paths from `from` on as fit; *ret_to is where the next one begins. */
static int
ask_some(struct du *d, struct wire *w, size_t from, size_t *ret_to)
{
	AUTO(question_fini) struct question q = {0};
	AUTO(msg_freep) struct msg *end = NULL;
	size_t i = from;
	int exit_code;

	begin(d, &q);
	for (; i < d->operands.all.len && i - from < MAX_PATHS; i++) {
		const char *path = d->operands.all.data[i].absolute;

		if (i > from && q.line.len + 2 * strlen(path) > MAX_LINE_BYTES)
			break;
		json_str(&q.json, span_of(path));
	}
	json_close(&q.json, ']');
	*ret_to = i;
	if (d->total && (from > 0 || i < d->operands.all.len)) {
		complain(
			"--total takes at most 1,000 paths and 48 KiB of them; ask for a directory "
			"above");
		return EXIT_USAGE;
	}
	exit_code = ask(w, &q, &d->common, put_rows, d, &end);
	if (exit_code)
		return exit_code;
	put_total(d, msg_root(end));
	return report(d, msg_root(end));
}

static int
ask_all(struct du *d)
{
	AUTO(wire_close) struct wire w;
	int worst = ask_open(&w, &d->common);

	if (worst)
		return worst;
	for (size_t at = 0; at < d->operands.all.len;) {
		int exit_code = ask_some(d, &w, at, &at);

		worst = MAX(worst, exit_code);
		if (exit_code == EXIT_UNREACHABLE || exit_code == EXIT_DENIED ||
			exit_code == EXIT_USAGE)
			break;
	}
	return worst;
}

static int
choose_depth(struct du *d)
{
	d->max_depth = d->summarize ? 0 : ANY_DEPTH;
	if (d->depth &&
		(parse_u64(span_of(d->depth), &d->max_depth) < 0 || d->max_depth > ANY_DEPTH))
		return usage_error(&cmd_du,
			"--max-depth cannot be '%s': a whole number is expected", d->depth);
	if (d->summarize && d->files)
		return usage_error(&cmd_du, "--summarize and --all exclude each other");
	if (d->summarize && d->max_depth > 0)
		return usage_error(&cmd_du, "--summarize is --max-depth=0");
	return EXIT_FOUND;
}

static int
du(struct du *d)
{
	const struct texts *paths = &d->common.operands;
	int exit_code = choose_depth(d), r = 0;

	if (exit_code)
		return exit_code;
	for (size_t i = 0; r == 0 && i < paths->len; i++)
		r = operands_add(&d->operands, paths->data[i]);
	if (r == 0 && paths->len == 0)
		r = operands_add(&d->operands, ".");
	if (r < 0) {
		complain("out of memory");
		return EXIT_USAGE;
	}
	return ask_all(d);
}

static int
run(char **argv)
{
	struct du d = {0};
	int exit_code;

	if (!args_done(&cmd_du, argv, &d, &exit_code)) {
		d.out = out_open(d.common.color);
		exit_code = out_close(&d.out, du(&d));
	}
	operands_fini(&d.operands);
	strbuf_fini(&d.scratch);
	common_fini(&d.common);
	return exit_code;
}

const struct command cmd_du = {
	.name = "du",
	.operands = "[OPTION]... [PATH]...",
	.summary = "how much is below paths, as du prints it, from the index",
	.details =
		"Without a path: the current directory. Every line says what is at and below its "
		"path:\nblocks on the disk, in KiB, unless told otherwise; a file with several "
		"hard "
		"links there\ncounts once in each line.\n\n"
		"  trawl du -sh ~                    trawl du -hd1 /var | sort -h\n",
	.opts = opts,
	.run = run,
};
