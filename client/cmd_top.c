#include "commands.h"

#include <stdio.h>

#include "cell.h"
#include "shown_path.h"

enum { COLUMN_PATH, COLUMN_TYPE, COLUMN_SIZE, COLUMN_BLOCKS, COLUMN_ENTRIES };

enum by { BY_SIZE, BY_DISK, BY_COUNT };
static const char *const by_words[] = {"size", "disk", "count", NULL};
static const char *const by_in_protocol[] = {"size", "blocks", "entries"};
static const char *const kind_words[] = {"any", "dirs", "files", NULL};
static const char *const kind_in_protocol[] = {"any", "dirs", "others"};

struct top {
	struct common common;
	uint64_t limit, depth;
	unsigned by, kind;
	bool bytes, every_link, one_device, null;

	/* From here on: while rows come. */
	struct out out;
	struct operands operands;
	struct strbuf scratch;
};

static const struct opt opts[] = {
	{0, OPT_WORD, "by", "WHAT", offsetof(struct top, by), 0, by_words,
		"size: bytes in files; disk: blocks; count: entries, itself among them"},
	{'n', OPT_NUMBER, "limit", "N", offsetof(struct top, limit), 0, NULL,
		"the N largest; 20 unless given, at most 10,000"},
	{'d', OPT_NUMBER, "depth", "N", offsetof(struct top, depth), 0, NULL,
		"down to N levels below DIR; 1, its children, unless given; 0: any"},
	{'t', OPT_WORD, "type", "WHICH", offsetof(struct top, kind), 0, kind_words,
		"any, dirs: directories alone, files: what is no directory"},
	{'b', OPT_SET, "bytes", NULL, offsetof(struct top, bytes), 1, NULL, "bytes, not 1.2K, 34M"},
	{'l', OPT_SET, "count-links", NULL, offsetof(struct top, every_link), 1, NULL,
		"count a file as often as it has hard links here"},
	{'x', OPT_SET, "one-file-system", NULL, offsetof(struct top, one_device), 1, NULL,
		"leave out what is on other file systems"},
	{'0', OPT_SET, "null", NULL, offsetof(struct top, null), 1, NULL, "end each line with NUL"},
	{0},
};

static void
put_value(struct top *t, uint64_t size, uint64_t blocks, uint64_t entries)
{
	uint64_t bytes = t->by == BY_DISK ? blocks * 512 : size;
	char buf[32];

	if (t->by == BY_COUNT)
		(void)strbuf_u64(&t->out.buf, entries);
	else if (t->bytes)
		(void)strbuf_u64(&t->out.buf, bytes);
	else
		out_puts(&t->out, size_text(bytes, buf));
	out_putc(&t->out, '\t');
}

static int
put_rows(void *ctx, const struct msg_val *rows)
{
	static const char *const keys[] = {"path", "type", "size", "blocks", "entries"};
	struct top *t = ctx;

	for (size_t i = 0; i < msg_len(rows); i++) {
		const struct msg_val *row = msg_at(rows, i);

		if (t->common.json) {
			out_json_row(&t->out, row, keys, ARRAY_LEN(keys));
			out_putc(&t->out, '\n');
			continue;
		}
		put_value(t, (uint64_t)row_number(row, COLUMN_SIZE),
			(uint64_t)row_number(row, COLUMN_BLOCKS),
			(uint64_t)row_number(row, COLUMN_ENTRIES));
		operands_show(&t->operands, row_text(row, COLUMN_PATH, &t->scratch), &t->out);
		if (span_eq(row_text(row, COLUMN_TYPE, &t->scratch), SPAN_LIT("d")))
			out_putc(&t->out, '/');
		out_putc(&t->out, t->null ? '\0' : '\n');
	}
	out_flush(&t->out);
	return t->out.error;
}

/* On a terminal: of how much. */
static void
put_total(struct top *t, const struct msg_val *end)
{
	const struct msg_val *total = msg_get(end, "total");
	int64_t size = 0, blocks = 0, entries = 0;
	uint64_t ranked = 0;
	char text[32];

	if (!t->out.terminal || t->common.json)
		return;
	(void)cell_number(msg_get(total, "size"), &size);
	(void)cell_number(msg_get(total, "blocks"), &blocks);
	(void)cell_number(msg_get(total, "entries"), &entries);
	(void)msg_u64(end, "ranked", &ranked);
	put_value(t, (uint64_t)size, (uint64_t)blocks, (uint64_t)entries);
	(void)strbuf_printf(&t->out.buf, "in all; %s were compared\n", count_text(ranked, text));
}

static int
top(struct top *t, struct question *q)
{
	AUTO(msg_freep) struct msg *end = NULL;
	const char *dir = t->common.operands.len ? t->common.operands.data[0] : ".";
	uint64_t n = 0;
	int exit_code;

	if (operands_add(&t->operands, dir) < 0) {
		complain("out of memory");
		return EXIT_USAGE;
	}
	question_begin(q, "top", &t->common);
	question_patient(q, &t->common);
	json_kv_str(&q->json, "path", span_of(t->operands.all.data[0].absolute));
	json_kv_cstr(&q->json, "by", by_in_protocol[t->by]);
	json_kv_cstr(&q->json, "type", kind_in_protocol[t->kind]);
	json_kv_u64(&q->json, "depth", t->depth);
	json_kv_u64(&q->json, "limit", t->limit);
	json_kv_bool(&q->json, "every_link", t->every_link);
	json_kv_bool(&q->json, "one_device", t->one_device);
	exit_code = ask_once(q, &t->common, put_rows, t, &end);
	if (exit_code)
		return exit_code;
	put_total(t, msg_root(end));
	(void)report_stale(msg_root(end));
	(void)report_unread(msg_root(end));
	(void)msg_u64(msg_root(end), "n", &n);
	return n ? EXIT_FOUND : EXIT_NOTHING;
}

static int
run(char **argv)
{
	struct top t = {.limit = 20, .depth = 1};
	AUTO(question_fini) struct question q = {0};
	int exit_code;

	if (!args_done(&cmd_top, argv, &t, &exit_code)) {
		t.out = out_open(t.common.color);
		if (t.common.operands.len > 1)
			exit_code = usage_error(&cmd_top, "one directory is expected");
		else
			exit_code = top(&t, &q);
		exit_code = out_close(&t.out, exit_code);
	}
	operands_fini(&t.operands);
	strbuf_fini(&t.scratch);
	common_fini(&t.common);
	return exit_code;
}

const struct command cmd_top = {
	.name = "top",
	.operands = "[OPTION]... [DIR]",
	.summary = "the largest entries below a directory, directories with all that is in them",
	.details = "Without a directory: the current one.\n\n"
		   "  trawl top /var                    trawl top --by=count --depth=0 -t dirs ~\n",
	.opts = opts,
	.run = run,
};
