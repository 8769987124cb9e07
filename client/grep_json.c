#include "grep_json.h"

#include "proto/json.h"

/* {"text": ...} or {"bytes": ...}. */
static void
put_bytes(struct json *j, struct span s)
{
	AUTO(strbuf_fini) struct strbuf b64 = {0};

	json_open(j, '{');
	if (utf8_valid(s.data, s.len)) {
		json_kv_str(j, "text", s);
	} else {
		(void)base64_encode(&b64, s);
		json_kv_str(j, "bytes", strbuf_view(&b64));
	}
	json_close(j, '}');
}

static struct json
message_open(struct grep_json *g, const char *type)
{
	struct json j = json_to(&g->out->buf);

	json_open(&j, '{');
	json_kv_cstr(&j, "type", type);
	json_key(&j, "data");
	json_open(&j, '{');
	return j;
}

static void
message_close(struct grep_json *g, struct json *j)
{
	json_close(j, '}');
	json_close(j, '}');
	out_putc(g->out, '\n');
}

static void
put_stats(struct json *j, const struct grep_json_stats *s)
{
	json_key(j, "stats");
	json_open(j, '{');
	json_kv_u64(j, "searches_with_match", s->searches_with_match);
	json_kv_u64(j, "bytes_printed", s->bytes_printed);
	json_kv_u64(j, "matched_lines", s->matched_lines);
	json_kv_u64(j, "matches", s->matches);
	json_close(j, '}');
}

static void
begin_file(struct grep_json *g, struct span path)
{
	struct json j = message_open(g, "begin");

	strbuf_reset(&g->path);
	(void)strbuf_span(&g->path, path);
	json_key(&j, "path");
	put_bytes(&j, path);
	message_close(g, &j);
	g->open = true;
	g->file = (struct grep_json_stats){.searches_with_match = 1};
}

static void
end_file(struct grep_json *g)
{
	struct json j;

	if (!g->open)
		return;
	j = message_open(g, "end");
	json_key(&j, "path");
	put_bytes(&j, strbuf_view(&g->path));
	json_key(&j, "binary_offset");
	json_null(&j);
	put_stats(&j, &g->file);
	message_close(g, &j);
	g->open = false;
	g->all.matched_lines += g->file.matched_lines;
	g->all.matches += g->file.matches;
	g->all.bytes_printed += g->file.bytes_printed;
	g->all.searches_with_match++;
}

static void
put_submatches(struct json *j, const struct grep_row *row)
{
	json_key(j, "submatches");
	json_open(j, '[');
	for (size_t i = 0; i < row->n_spans; i++) {
		struct grep_span s = row->spans[i];

		json_open(j, '{');
		json_key(j, "match");
		put_bytes(j, (struct span){row->text.data + s.start, s.end - s.start});
		json_kv_u64(j, "start", s.start);
		json_kv_u64(j, "end", s.end);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void
put_line(struct grep_json *g, const struct grep_row *row)
{
	struct json j = message_open(g, row->column ? "match" : "context");
	AUTO(strbuf_fini) struct strbuf lines = {0};

	(void)strbuf_span(&lines, row->text);
	if (!row->cut_end && !row->last)
		(void)strbuf_putc(&lines, '\n');
	json_key(&j, "path");
	put_bytes(&j, row->path);
	json_key(&j, "lines");
	put_bytes(&j, strbuf_view(&lines));
	json_kv_u64(&j, "line_number", row->line);
	json_kv_u64(&j, "absolute_offset", row->offset);
	put_submatches(&j, row);
	if (row->cut || row->cut_end) {
		json_kv_u64(&j, "cut", row->cut);
		json_kv_bool(&j, "cut_end", row->cut_end);
	}
	message_close(g, &j);
}

static uint64_t
lines_of(const struct grep_row *row)
{
	uint64_t n = 1;

	for (size_t i = 0; i < row->text.len; i++)
		n += row->text.data[i] == '\n';
	return n;
}

void
grep_json_row(struct grep_json *g, const struct grep_row *row)
{
	size_t before = g->out->buf.len;

	if (!g->open || !span_eq(strbuf_view(&g->path), row->path)) {
		end_file(g);
		before = g->out->buf.len;
		begin_file(g, row->path);
	}
	put_line(g, row);
	g->file.bytes_printed += g->out->buf.len - before;
	if (row->column) {
		g->file.matched_lines += lines_of(row);
		g->file.matches += row->n_spans;
	}
}

void
grep_json_end(struct grep_json *g, const struct msg_val *end, usec_t took_usec)
{
	static const char *const members[] = {"n", "more", "why", "files", "skipped", "stale"};
	AUTO(strbuf_fini) struct strbuf value = {0};
	struct json j;
	char text[32];

	end_file(g);
	j = message_open(g, "summary");
	json_key(&j, "elapsed_total");
	json_open(&j, '{');
	json_kv_u64(&j, "secs", took_usec / USEC_PER_SEC);
	json_kv_u64(&j, "nanos", took_usec % USEC_PER_SEC * 1000);
	json_kv_cstr(&j, "human", duration_text(took_usec, text));
	json_close(&j, '}');
	put_stats(&j, &g->all);
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		strbuf_reset(&value);
		if (!msg_get(end, members[i]) || msg_print(msg_get(end, members[i]), &value) < 0)
			continue;
		json_key(&j, members[i]);
		json_raw(&j, strbuf_view(&value));
	}
	message_close(g, &j);
}

void
grep_json_fini(struct grep_json *g)
{
	strbuf_fini(&g->path);
}
