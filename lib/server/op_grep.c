#include <errno.h>

#include "base/vec.h"
#include "server/search.h"

#define MAX_CONTEXT 10000u
#define MAX_LINE_BYTES (1u << 20)

static const char *const answer_words[] = {
	[GREP_LINES] = "lines",
	[GREP_MATCHES] = "matches",
	[GREP_FILES] = "files",
	[GREP_FILES_WITHOUT] = "files_without",
	[GREP_COUNT_LINES] = "count",
	[GREP_COUNT_MATCHES] = "count_matches",
	[GREP_COUNT_MATCHES + 1] = NULL,
};

struct texts {
	struct strbuf bytes; /* of all */
	VEC(size_t) ends;
};

static void
texts_fini(struct texts *t)
{
	strbuf_fini(&t->bytes);
	VEC_FINI(&t->ends);
}

static int
add_text(struct job *j, const struct msg_val *v, struct texts *t)
{
	AUTO(strbuf_fini) struct strbuf scratch = {0};
	struct span text;
	int r = v ? msg_text(v, &scratch, &text) : 0;

	if (r == -ENOMEM)
		return job_fail_code(j, r);
	if (r != 1)
		return bad_request(j, "\"pattern\" must be a string or {\"b64\"}, \"patterns\" an "
				      "array of them");
	(void)strbuf_span(&t->bytes, text);
	if (t->bytes.failed || VEC_PUSH(&t->ends, t->bytes.len) < 0)
		return job_fail_code(j, -ENOMEM);
	return 0;
}

/* "patterns", or the one in "pattern". */
static int
read_texts(struct job *j, struct texts *t)
{
	const struct msg_val *list = msg_get(msg_root(j->msg), "patterns");
	size_t n = msg_len(list);
	int r = 0;

	if (!list)
		return add_text(j, msg_get(msg_root(j->msg), "pattern"), t);
	if (n == 0 || n > PATTERN_MAX_TEXTS)
		return bad_request(j, "\"patterns\" must be an array of 1 to 1000 texts");
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_text(j, msg_at(list, i), t);
	return r;
}

static int
make_pattern(struct job *j, struct search *s, enum pattern_flags flags)
{
	AUTO(texts_fini) struct texts t = {0};
	AUTO(freep) struct span *texts = NULL;
	struct err err = {0};
	int r = read_texts(j, &t);

	if (r < 0)
		return r;
	texts = calloc(t.ends.len, sizeof(*texts));
	if (!texts)
		return job_fail_code(j, -ENOMEM);
	for (size_t i = 0, at = 0; i < t.ends.len; at = t.ends.data[i++])
		texts[i] = (struct span){strbuf_view(&t.bytes).data + at, t.ends.data[i] - at};
	r = pattern_create_any(texts, t.ends.len, flags, &s->pattern, &err);
	if (r == -EINVAL || r == -EOVERFLOW)
		return job_fail(j, CODE_BAD_PATTERN, &err);
	s->opts.grep = s->pattern;
	return r < 0 ? job_fail_code(j, r) : 0;
}

static int
read_pattern(struct job *j, struct search *s)
{
	static const struct {
		const char *key;
		enum pattern_flags flag;
	} keys[] = {
		{"regex", PATTERN_REGEX},
		{"word", PATTERN_WORD},
		{"line", PATTERN_LINE},
		{"multiline", PATTERN_MULTI},
		{"dotall", PATTERN_DOTALL},
	};
	struct span cas = SPAN_LIT("smart");
	enum pattern_flags flags = 0;
	int r = param_str(j, "case", &cas);

	for (size_t i = 0; i < ARRAY_LEN(keys) && r == 0; i++) {
		bool on = false;

		r = param_bool(j, keys[i].key, &on);
		flags |= on ? keys[i].flag : 0;
	}
	if (r < 0)
		return r;
	flags |= span_eq(cas, SPAN_LIT("smart")) ? PATTERN_SMART : 0;
	flags |= span_eq(cas, SPAN_LIT("fold")) ? PATTERN_FOLD : 0;
	return make_pattern(j, s, flags);
}

int
grep_read(struct job *j, struct search *s)
{
	uint64_t context = 0, before, after, max_line = 0;
	unsigned answer = GREP_LINES;
	int r = param_u64(j, "context", MAX_CONTEXT, &context);

	before = after = context;
	(void)(r < 0 || (r = param_u64(j, "before", MAX_CONTEXT, &before)) < 0 ||
		(r = param_u64(j, "after", MAX_CONTEXT, &after)) < 0 ||
		(r = param_u64(j, "max_per_file", INT64_MAX, &s->opts.max_per_file)) < 0 ||
		(r = param_u64(j, "max_line", MAX_LINE_BYTES, &max_line)) < 0 ||
		(r = param_word(j, "answer", answer_words, &answer)) < 0 ||
		(r = param_bool(j, "invert", &s->opts.invert)) < 0 ||
		(r = param_bool(j, "offsets", &s->offsets)) < 0 ||
		(r = param_bool(j, "terse", &s->opts.first_span_only)) < 0 ||
		(r = param_bool(j, "blocks", &s->opts.blocks)) < 0 || (r = read_pattern(j, s)) < 0);
	s->opts.before = (uint32_t)before;
	s->opts.after = (uint32_t)after;
	s->opts.max_line_bytes = (uint32_t)max_line;
	s->opts.answer = (enum grep_answer)answer;
	s->opts.first_span_only = s->opts.first_span_only || s->opts.blocks;
	s->opts.blocks = s->opts.blocks && !s->offsets;
	return r;
}

bool
grep_is_new(const struct search *s, const struct hit *hit)
{
	return s->path.len == 0 || hit->layer != s->path_layer || hit->entry != s->path_entry;
}

/* Once for all rows of a file. */
static int
make_path(struct search *s, const struct hit *hit)
{
	struct json json = json_to(&s->path);

	strbuf_reset(&s->path);
	s->path_layer = hit->layer;
	s->path_entry = hit->entry;
	return search_put(s, &json, hit, FIELD_PATH);
}

static void
put_spans(struct json *out, const struct hit *hit)
{
	json_open(out, '[');
	for (uint32_t i = 0; i < hit->n_spans; i++) {
		json_open(out, '[');
		json_u64(out, hit->spans[i].start);
		json_u64(out, hit->spans[i].end);
		json_close(out, ']');
	}
	json_close(out, ']');
}

static void
put_part(struct search *s, struct json *out, const struct hit *hit)
{
	if (!s->offsets && hit->cut == 0 && !hit->cut_end)
		return;
	json_open(out, '{');
	if (hit->cut > 0 || hit->cut_end) {
		json_kv_u64(out, "cut", hit->cut);
		json_kv_bool(out, "cut_end", hit->cut_end);
	}
	if (s->offsets)
		json_kv_u64(out, "offset", hit->offset);
	if (s->offsets && hit->last)
		json_kv_bool(out, "last", true);
	json_close(out, '}');
}

/* [path, line, column, text, spans], and an object when there is more to say of it. A terse one has
 * no spans, and no path but after a row of another file; of a block there is the text alone. */
int
grep_put(struct search *s, struct json *out, const struct hit *hit)
{
	bool new_file = grep_is_new(s, hit), terse = s->opts.first_span_only;
	int r = new_file ? make_path(s, hit) : 0;

	if (new_file || !terse)
		json_raw(out, strbuf_view(&s->path));
	else
		json_null(out);
	if (s->opts.answer == GREP_COUNT_LINES || s->opts.answer == GREP_COUNT_MATCHES)
		json_u64(out, hit->count);
	if (r < 0 || (s->opts.answer != GREP_LINES && s->opts.answer != GREP_MATCHES))
		return r;
	if (hit->n_lines > 0) {
		json_str(out, hit->text);
		return 0;
	}
	json_u64(out, hit->line);
	json_u64(out, hit->column);
	json_str(out, hit->text);
	if (terse)
		json_null(out);
	else
		put_spans(out, hit);
	put_part(s, out, hit);
	return 0;
}
