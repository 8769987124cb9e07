/* With grams and without: the same answers, whatever is indexed, pending, changed or gone. */
#include "grown_layer.h"

#include "gram/gram.h"
#include "index/text_builder.h"
#include "query/content.h"
#include "query/explain.h"
#include "query/sift.h"
#include "text/census.h"
#include "text/mapfile.h"
#include "text/scan.h"

#define N_FILES 60u
#define MAX_LAYERS 3u
#define MAX_FILE_BYTES 3000u /* larger ones are not searched */

static struct pool *pool;
static uint64_t seed;

static void
begin(void)
{
	CHECK_INT(mapfile_setup(), 0);
	CHECK_INT(pool_create("sift", test_threads(2), &pool), 0);
}

static void
finish(void)
{
	pool_destroy(pool);
}

TestSuite(sift, .init = begin, .fini = finish);

static uint32_t
roll(uint32_t sides)
{
	seed++;
	return (uint32_t)(hash64(&seed, sizeof(seed), 9) % sides);
}

/* A root in a directory of its own, and what is known of its contents. */
struct world {
	char *dir, *store;
	unsigned n_symbols;
	struct tree_stack *stack;
	struct text *text[MAX_LAYERS + 1];
	uint32_t n_text, end, clock;
	bool is_there[N_FILES];
	struct text_view *view;
	struct snapshot *scan, *index;
};

static const char *const words[] = {"alpha", "Beta", "gam", "x", "for (i = 0; i < n; i++)",
	"\xc3\xa9t\xc3\xa9", "\xc3\x89T", "needle", "NEEDLE", "foo_bar", "-->", "\xe2\x84\xaa",
	"kilo", "aa", "aaaa", "\xff\xfd raw", "tail", "fooBar", "0x9eUL", "0x9EUL", "\xc3\xa9",
	"9U"};

static void
file_name(uint32_t i, char name[32])
{
	static const char *const exts[] = {"c", "h", "txt"};

	(void)snprintf(name, 32, "f%02u.%s", i, exts[i % 3]);
}

static void
random_text(struct strbuf *out)
{
	uint32_t n = roll(6) == 0 ? roll(600) : roll(8);

	strbuf_reset(out);
	CHECK_INT(strbuf_puts(out, ""), 0);
	for (; n > 0; n--) {
		CHECK_INT(strbuf_puts(out, words[roll(ARRAY_LEN(words))]), 0);
		CHECK_INT(strbuf_puts(out, roll(3) == 0 ? "\n" : roll(5) ? " " : ""), 0);
	}
	if (roll(12) == 0)
		CHECK_INT(strbuf_span(out, (struct span){"\0", 1}), 0);
}

/* Times of its own: what is written in one tick of the clock has the same. */
static void
write_file(struct world *w, uint32_t i)
{
	AUTO(strbuf_fini) struct strbuf text = {0};
	struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1000 + w->clock++}};
	char name[32], path[4096];
	FILE *f;

	file_name(i, name);
	random_text(&text);
	(void)snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	f = fopen(path, "w");
	CHECK(f && fwrite(text.data, 1, text.len, f) == text.len && fclose(f) == 0);
	CHECK_INT(utimensat(AT_FDCWD, path, times, 0), 0);
	w->is_there[i] = true;
}

/* Whole lines, `len` bytes and what is left of the last one. */
static size_t
window_end(struct span text, size_t from, size_t len)
{
	const char *lf = NULL;

	if (text.len - from > len)
		lf = memchr(text.data + from + len, '\n', text.len - from - len);
	return lf ? (size_t)(lf - text.data) + 1 : text.len;
}

static void
add_text(struct text_adder *a, struct gram_maker *m, struct span text)
{
	size_t at = 0, end;
	uint64_t n_lf = 0;

	do {
		/* It begins a line; that this is not told of all does no harm. */
		struct text_unit_in unit = {
			.offset_bytes = at, .lines_before = n_lf, .at_line = roll(4) > 0};

		end = window_end(text, at, 700);
		CHECK_INT(gram_maker_add(m, (struct span){text.data + at, end - at}), 0);
		CHECK_INT(gram_maker_end(m, &unit.grams, &unit.n_grams), 0);
		CHECK_INT(text_add_unit(a, &unit), 0);
		n_lf += scan_count(text.data + at, end - at, '\n');
		at = end;
	} while (at < text.len);
}

static uint64_t
key_of(const struct stat *st)
{
	struct text_stamp stamp = {st->st_dev, st->st_ino, (uint64_t)st->st_size,
		clock_ns(st->st_mtim.tv_sec, (uint32_t)st->st_mtim.tv_nsec),
		clock_ns(st->st_ctim.tv_sec, (uint32_t)st->st_ctim.tv_nsec)};

	return text_file_key(&stamp);
}

static void
index_file(struct world *w, struct text_adder *a, struct gram_maker *m, const char *name)
{
	AUTO(closep) int dirfd = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(strbuf_fini) struct strbuf text = {0};
	struct text_doc_in doc = {.order = ++w->clock};
	struct census census = CENSUS_NONE;
	struct stat st;
	uint32_t id;

	CHECK_INT(fstatat(dirfd, name, &st, 0), 0);
	CHECK_INT(fd_slurp(dirfd, name, 4u << 20, &text), 0);
	doc.hash = hash128(text.data, text.len);
	doc.flags = TEXT_BINARY;
	if (!memchr(text.data, 0, text.len)) {
		census_add(&census, strbuf_view(&text));
		doc.flags = census.ascii ? TEXT_ASCII : census.utf8 ? TEXT_UTF8 : TEXT_BYTES;
		doc.marks = census.marks;
		add_text(a, m, strbuf_view(&text));
	}
	CHECK(text_add_doc(a, &doc, &id) >= 0);
	CHECK_INT(text_add_file(a, key_of(&st), id), 0);
}

/* Two thirds of the files as a segment. */
static void
index_some(struct world *w)
{
	struct text_builder_opts opts = {
		.n_symbols = w->n_symbols, .n_adders = 1, .overlap_bytes = roll(2) * 64};
	AUTO(closep) int dirfd = open(w->store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct text_open_opts open_opts = {0};
	struct text_written written;
	struct text_builder *b;
	struct gram_maker *m;
	char name[32];
	int r;

	CHECK_INT(text_builder_create(&opts, &b), 0);
	CHECK_INT(gram_maker_create(w->n_symbols, &m), 0);
	for (uint32_t i = 0; i < N_FILES; i++) {
		file_name(i, name);
		if (w->is_there[i] && roll(3))
			index_file(w, text_builder_adder(b, 0), m, name);
	}
	(void)snprintf(name, sizeof(name), "text%u", w->n_text);
	r = text_builder_write(b, dirfd, name, w->end, NULL, &written, NULL);
	text_builder_destroy(b);
	gram_maker_destroy(m);
	if (r == -ENODATA)
		return;
	CHECK_INT(r, 0);
	CHECK_INT(text_open(dirfd, name, &open_opts, &w->text[w->n_text++], NULL), 0);
	w->end += written.n_docs + 3; /* and a gap */
}

static void
change_file(struct world *w, struct tree_change *c, uint32_t i)
{
	char name[32], path[4096];

	file_name(i, name);
	(void)snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	if (w->is_there[i] && roll(4) == 0) {
		CHECK_INT(unlink(path), 0);
		CHECK_INT(tree_change_kill(c, TREE_CHANGE_ROOT, span_of(name)), 0);
		w->is_there[i] = false;
		return;
	}
	write_file(w, i);
	(void)grown_put(c, TREE_CHANGE_ROOT, path, name);
}

/* Some files change, come and go; then what is so now is a layer. */
static void
change_some(struct world *w)
{
	struct tree_stack *next;
	struct tree_change *c;

	CHECK_INT(tree_change_create(w->stack, &c), 0);
	for (uint32_t i = roll(20); i < N_FILES; i += 1 + roll(12))
		change_file(w, c, i);
	next = grown_upon(w->stack, c);
	tree_change_destroy(c);
	tree_stack_unref(w->stack);
	w->stack = next;
}

static struct snapshot *
snapshot_of(const struct world *w, enum snap_content content, uint64_t max_bytes)
{
	struct snapshot *s = snapshot_create(1);

	s->roots[0] = (struct snap_root){.name = strdup("grown"),
		.path = strdup(w->dir),
		.stack = tree_stack_ref(w->stack),
		.content = content,
		.content_max_bytes = max_bytes};
	if (content == SNAP_CONTENT_INDEX && w->view)
		s->roots[0].view = text_view_ref(w->view);
	snapshot_seal(s);
	return s;
}

static void
make_view_of(struct world *w, uint64_t max_bytes)
{
	struct text_view_opts opts = {.max_bytes = max_bytes, .before = w->view, .pool = pool};
	struct text_set *set = NULL;
	struct text_view *v;

	if (w->n_text > 0)
		CHECK_INT(text_set_create(w->text, w->n_text, &set, NULL), 0);
	CHECK_INT(text_view_create(w->stack, set, &opts, &v), 0);
	text_set_unref(set);
	text_view_unref(w->view);
	w->view = v;
}

static void
make_view(struct world *w)
{
	make_view_of(w, MAX_FILE_BYTES);
}

static void
grow_stack(struct world *w)
{
	struct snapshot *s = grown_snapshot(w->dir, w->store);

	w->stack = tree_stack_ref(s->roots[0].stack);
	snapshot_unref(s);
}

static void
world_create(struct world *w)
{
	*w = (struct world){.dir = test_dir(), .store = test_dir(), .n_symbols = 3 + roll(2)};
	for (uint32_t i = 0; i < N_FILES; i++) {
		if (roll(4))
			write_file(w, i);
	}
	grow_stack(w);
	if (roll(8))
		index_some(w);
	make_view(w);
	for (uint32_t n = roll(MAX_LAYERS + 1); n > 0; n--) {
		change_some(w);
		if (roll(3))
			index_some(w);
		make_view(w);
	}
	w->scan = snapshot_of(w, SNAP_CONTENT_SCAN, MAX_FILE_BYTES);
	w->index = snapshot_of(w, SNAP_CONTENT_INDEX, MAX_FILE_BYTES);
}

static void
world_destroy(struct world *w)
{
	snapshot_unref(w->scan);
	snapshot_unref(w->index);
	text_view_unref(w->view);
	tree_stack_unref(w->stack);
	for (uint32_t i = 0; i < w->n_text; i++)
		text_unref(w->text[i]);
	test_dir_remove(w->store);
	test_dir_remove(w->dir);
}

/* What is searched for, and how. */
struct question {
	char text[512], pattern[128];
	enum pattern_flags flags;
	enum grep_answer answer;
	bool grep, invert, sorted, ranked;
	uint32_t before, after;
	uint64_t limit;
	size_t part_bytes;
};

static const char *const regexes[] = {"alpha|beta", "^needle", "tail$", "n..dle", "[ab]+", "a{3,}",
	"(foo|gam)_?bar", "\\bx\\b", "i < .", "e+dle (alpha|x)", "\xc3\xa9.\xc3\xa9", "kilo.*tail",
	"^$", "needle\\s+alpha", "[^a]lpha", "0x[0-9a-f]+U?L", "[a-z]+B[a-z]", "[aeo]B|\xc3\xa9$"};

static void
append(struct question *q, const char *before, const char *text, const char *behind)
{
	size_t at = strlen(q->text);

	(void)snprintf(q->text + at, sizeof(q->text) - at, "%s%s%s", before, text, behind);
}

static void
add_term(struct question *q, unsigned depth)
{
	static const char *const names[] = {"ext:c", "f0", "name:*.h", "size:>50", "type:f"};
	uint32_t what = roll(depth < 3 ? 10 : 7);

	if (what == 0)
		append(q, "", names[roll(ARRAY_LEN(names))], "");
	else if (what < 4)
		append(q, "content:\"", words[roll(ARRAY_LEN(words))], "\"");
	else if (what < 6)
		append(q, "content:/", regexes[roll(ARRAY_LEN(regexes))], "/");
	else if (what == 6)
		append(q, "case:yes", "", "");
	if (what < 7)
		return;
	append(q, what == 7 ? "-" : "", "(", "");
	add_term(q, depth + 1);
	for (uint32_t n = roll(3); n > 0 && strlen(q->text) < 300; n--) {
		append(q, "", roll(2) ? " | " : " ", "");
		add_term(q, depth + 1);
	}
	append(q, "", ")", "");
}

static struct question
random_question(void)
{
	struct question q = {
		.grep = roll(2), .sorted = roll(4) == 0, .limit = roll(3) ? 0 : roll(9)};

	q.ranked = !q.sorted && !q.limit && roll(2);

	if (!q.grep || roll(2))
		add_term(&q, 0);
	append(&q, "", " ", "");
	if (roll(2))
		add_term(&q, 0);
	q.flags = roll(2) ? PATTERN_REGEX : 0;
	(void)snprintf(q.pattern, sizeof(q.pattern), "%s",
		q.flags ? regexes[roll(ARRAY_LEN(regexes))] : words[roll(ARRAY_LEN(words))]);
	q.flags |= roll(3) == 0 ? PATTERN_FOLD : roll(2) ? PATTERN_SMART : 0;
	q.flags |= roll(6) == 0 ? PATTERN_WORD : roll(6) == 0 ? PATTERN_LINE : 0;
	q.flags |= roll(6) == 0 ? PATTERN_MULTI : 0;
	q.answer = roll(3) ? GREP_LINES : (enum grep_answer)roll(6);
	q.invert = roll(8) == 0 && q.answer == GREP_LINES;
	q.before = roll(5) ? 0 : roll(4);
	q.after = roll(5) ? 0 : roll(4);
	q.part_bytes = roll(2) ? 1 + roll(2000) : 0;
	return q;
}

static void
collect(const struct world *w, struct cursor *c, const struct question *q, struct strbuf *out)
{
	bool counts = q->grep && q->answer >= GREP_COUNT_LINES;
	char place[64];
	struct hit hit = {0};
	int r;

	CHECK_INT(strbuf_puts(out, ""), 0);
	while ((r = cursor_next(c, &hit)) == 1) {
		const struct tree_cols *cols = tree_stack_cols(w->stack, hit.layer);

		CHECK_INT(tree_path(cols, hit.entry, out), 0);
		(void)snprintf(place, sizeof(place), ":%u:%u:%u:", (unsigned)hit.line,
			(unsigned)hit.offset, (unsigned)(counts ? hit.count : hit.column));
		CHECK_INT(strbuf_puts(out, place), 0);
		if (q->grep)
			CHECK_INT(strbuf_span(out, hit.text), 0);
		CHECK_INT(strbuf_putc(out, '\n'), 0);
	}
	CHECK_INT(r, 0);
}

static bool
ask(const struct world *w, struct snapshot *s, const struct question *q, struct strbuf *out,
	struct cursor_stats *stats)
{
	struct cursor_opts opts = {.deadline = USEC_NEVER,
		.io = pool,
		.compute = pool,
		.answer = q->answer,
		.invert = q->invert,
		.before = q->before,
		.after = q->after,
		.rank = q->ranked ? RANK_CONTENTS : RANK_OFF,
		.limit = q->limit,
		.max_part_bytes = q->part_bytes};
	struct query_env env = {0};
	struct pattern *grep = NULL;
	struct query *query;
	struct cursor *c;
	struct err err = {0};

	if (query_parse(span_of(q->text), &env, &query, &err) < 0)
		return false;
	if (q->grep)
		CHECK_INT(pattern_create(span_of(q->pattern), q->flags, &grep, &err), 0);
	opts.grep = grep;
	if (q->sorted)
		opts.n_sort = (uint32_t)query_sort_parse(SPAN_LIT("size:desc"), opts.sort, &err);
	CHECK_INT(cursor_open(query, s, &opts, &c, &err), 0);
	collect(w, c, q, out);
	cursor_get_stats(c, stats);
	cursor_close(c);
	query_unref(query);
	pattern_destroy(grep);
	return true;
}

static int
compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What is ranked comes in an order that hangs on which files were read together. */
static void
sort_lines(struct strbuf *text)
{
	struct strbuf sorted = {0};
	char *lines[10000], *rest = text->data, *line;
	size_t n = 0;

	while ((line = strsep(&rest, "\n")) != NULL && n < ARRAY_LEN(lines))
		lines[n++] = line;
	qsort(lines, n, sizeof(lines[0]), compare_lines);
	for (size_t i = 0; i < n; i++)
		CHECK_INT(strbuf_puts(&sorted, lines[i]) | strbuf_putc(&sorted, '\n'), 0);
	strbuf_fini(text);
	*text = sorted;
}

/* true: fewer files were read. */
static bool
check(const struct world *w, const struct question *q)
{
	AUTO(strbuf_fini) struct strbuf all = {0}, some = {0};
	struct cursor_stats a, b;

	if (!ask(w, w->scan, q, &all, &a))
		return false;
	CHECK(ask(w, w->index, q, &some, &b));
	if (q->ranked) {
		sort_lines(&all);
		sort_lines(&some);
	}
	CHECK_SAY(strcmp(all.data, some.data) == 0,
		"%s [%s] flags %u answer %u, %u symbols: read:\n%sby grams:\n%s", q->text,
		q->grep ? q->pattern : "", (unsigned)q->flags, (unsigned)q->answer, w->n_symbols,
		all.data, some.data);
	CHECK_INT(b.skipped.pending, 0);
	CHECK(q->limit > 0 || b.n_verified <= a.n_verified);
	CHECK(q->limit > 0 || a.skipped.too_large == b.skipped.too_large);
	CHECK_SAY(q->limit > 0 || a.skipped.binary == b.skipped.binary,
		"%s [%s] flags %u answer %u: %llu binary files, %llu by the index", q->text,
		q->grep ? q->pattern : "", (unsigned)q->flags, (unsigned)q->answer,
		(unsigned long long)a.skipped.binary, (unsigned long long)b.skipped.binary);
	return b.n_verified < a.n_verified;
}

TEST(sift, grams_change_no_answer)
{
	unsigned long n_worlds = 4 + test_scale(200), n_fewer = 0, n = 0;

	for (uint64_t i = 0; i < n_worlds; i++) {
		struct world w;

		seed = i << 32;
		world_create(&w);
		for (unsigned k = 0; k < 150; k++, n++) {
			struct question q = random_question();

			n_fewer += check(&w, &q);
		}
		world_destroy(&w);
	}
	CHECK_SAY(n_fewer > n / 4, "only %lu of %lu questions read fewer files", n_fewer, n);
}

static struct cursor_stats
stats_of(const struct world *w, const char *text, const char *pattern)
{
	AUTO(strbuf_fini) struct strbuf out = {0};
	struct question q = {.grep = pattern != NULL};
	struct cursor_stats stats;

	(void)snprintf(q.text, sizeof(q.text), "%s", text);
	(void)snprintf(q.pattern, sizeof(q.pattern), "%s", pattern ? pattern : "");
	CHECK(ask(w, w->index, &q, &out, &stats));
	return stats;
}

static void
check_left_out(const struct world *w, uint64_t n_left_out)
{
	struct cursor_stats st = stats_of(w, "content:needle", NULL);

	CHECK_INT(st.skipped.pending, n_left_out);
	CHECK_INT(st.n, n_left_out == 1 ? 2 : 0);
	CHECK_INT(st.n_verified, st.n);
	st = stats_of(w, "", "needle");
	CHECK_INT(st.skipped.pending, n_left_out);
	/* What the rest of the question leaves is little. */
	st = stats_of(w, "-ext:bin content:needle", NULL);
	CHECK_INT(st.skipped.pending, 0);
	CHECK_INT(st.n, 2);
	st = stats_of(w, "small", "needle");
	CHECK_INT(st.skipped.pending, 0);
	CHECK_INT(st.n, 1);
	/* Nothing that grams could leave out: all is read. */
	st = stats_of(w, "type:f -ext:bin -content:needle", NULL);
	CHECK_INT(st.skipped.pending, 0);
	CHECK_INT(st.n_verified, 2);
}

static void
write_bytes(const char *dir, const char *name, const char *data, size_t len)
{
	char path[4096];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	CHECK(f && fwrite(data, 1, len, f) == len && fclose(f) == 0);
}

#define N_LARGE 24u
#define LARGE_BYTES 60000u

/* A needle somewhere; in some a first line that is longer than what is read at first. */
static void
write_large(struct world *w, uint32_t i)
{
	static char text[LARGE_BYTES];
	size_t at = i < 8 ? CONTENT_HEAD_BYTES - 16 + 2 * i : roll(LARGE_BYTES - 8);
	char name[32];

	for (uint32_t k = 0; k < LARGE_BYTES; k++)
		text[k] = k % 61 == 60 && (i % 5 || k > 20000) ? '\n' : 'a' + (char)(k % 23);
	if (i % 6)
		memcpy(text + at, i % 2 ? "\nneedle" : "needle\n", 7);
	file_name(i, name);
	write_bytes(w->dir, name, text, i % 7 == 3 ? at + 7 : LARGE_BYTES);
	w->is_there[i] = true;
}

TEST(sift, large_files_are_read_as_far_as_the_match)
{
	static const char *const asked[] = {
		"needle", "^needle", "needle$", "^[^n]*needle", "nee.*x$"};
	struct world w = {.dir = test_dir(), .store = test_dir(), .n_symbols = 4};
	uint64_t all = 0, some = 0;

	seed = 17;
	for (uint32_t i = 0; i < N_LARGE; i++)
		write_large(&w, i);
	grow_stack(&w);
	for (unsigned i = 0; i < MAX_LAYERS; i++)
		index_some(&w);
	make_view_of(&w, UINT64_MAX);
	w.scan = snapshot_of(&w, SNAP_CONTENT_SCAN, UINT64_MAX);
	w.index = snapshot_of(&w, SNAP_CONTENT_INDEX, UINT64_MAX);
	for (uint32_t i = 0; i < 2 * ARRAY_LEN(asked); i++) {
		struct question q = {.grep = i % 2, .flags = PATTERN_REGEX, .answer = GREP_FILES};
		AUTO(strbuf_fini) struct strbuf a = {0}, b = {0};
		struct cursor_stats stats;

		(void)snprintf(q.pattern, sizeof(q.pattern), "%s", asked[i / 2]);
		if (!q.grep)
			append(&q, "content:/", asked[i / 2], "/");
		CHECK(ask(&w, w.scan, &q, &a, &stats));
		all += stats.n_bytes_read;
		CHECK(ask(&w, w.index, &q, &b, &stats));
		some += stats.n_bytes_read;
		CHECK_STR(b.data, a.data);
		CHECK(i / 2 > 2 || a.len > 0);
	}
	CHECK(some < all * 3 / 4);
	world_destroy(&w);
}

/* Files with names by their number, all of them indexed, each with its text. */
static void
world_of(struct world *w, const char *const *texts, uint32_t n)
{
	*w = (struct world){.dir = test_dir(), .store = test_dir(), .n_symbols = 4};
	for (uint32_t i = 0; i < n; i++) {
		char name[32];

		file_name(i, name);
		write_bytes(w->dir, name, texts[i], strlen(texts[i]));
		w->is_there[i] = true;
	}
	grow_stack(w);
	while (w->n_text == 0 || text_cols(w->text[0])->n_files < n) { /* all, by chance */
		if (w->n_text > 0)
			text_unref(w->text[--w->n_text]);
		index_some(w);
	}
	make_view(w);
	w->scan = snapshot_of(w, SNAP_CONTENT_SCAN, MAX_FILE_BYTES);
	w->index = snapshot_of(w, SNAP_CONTENT_INDEX, MAX_FILE_BYTES);
}

static void
check_read(const struct world *w, const char *text, const char *pattern, enum pattern_flags flags,
	uint64_t n_verified)
{
	AUTO(strbuf_fini) struct strbuf all = {0}, some = {0};
	struct question q = {.grep = pattern != NULL, .flags = flags};
	struct cursor_stats a, b;

	for (unsigned i = 0; i < 2; i++) { /* in the order of the index, then ranked */
		q.ranked = i;
		(void)snprintf(q.text, sizeof(q.text), "%s", text);
		(void)snprintf(q.pattern, sizeof(q.pattern), "%s", pattern ? pattern : "");
		strbuf_reset(&all);
		strbuf_reset(&some);
		CHECK(ask(w, w->scan, &q, &all, &a));
		CHECK(ask(w, w->index, &q, &some, &b));
		sort_lines(&all);
		sort_lines(&some);
		CHECK_STR(some.data, all.data);
		CHECK_SAY(b.n_verified == n_verified, "%s [%s] reads %llu", q.text, q.pattern,
			(unsigned long long)b.n_verified);
	}
}

TEST(sift, what_lacks_marks_is_not_read)
{
	static const char *const texts[] = {"plain", "\xc3\xa9", "caf\xc3\xa9 fooBar", "fooBar",
		"foobar 0x12ul", "0x12UL", "a \xff"};
	struct world w;

	seed = 5;
	world_of(&w, texts, ARRAY_LEN(texts));
	check_read(&w, "", "\xc3\xa9", 0, 3);
	check_read(&w, "", "\xc3\xa9", PATTERN_FOLD, 3);
	check_read(&w, "", "\xe2\x84\xaa", PATTERN_FOLD, 7);
	check_read(&w, "", "fooBar", 0, 2);
	check_read(&w, "", "fooBar", PATTERN_FOLD, 3);
	check_read(&w, "", "0x[0-9a-f]+UL", PATTERN_REGEX, 1);
	check_read(&w, "case:yes content:fooBar", "\xc3\xa9", 0, 1);
	check_read(&w, "case:yes content:\xc3\xa9", NULL, 0, 3);
	check_read(&w, "case:yes (content:\xc3\xa9 content:fooBar)", NULL, 0, 1);
	check_read(&w, "case:yes (content:\xc3\xa9 | content:\xc3\xa8)", NULL, 0, 3);
	check_read(&w, "case:yes (content:/[a-z]Bar/ | content:/[0-9]UL/)", NULL, 0, 3);
	check_read(&w, "case:yes (content:\xc3\xa9 | content:a)", NULL, 0, 7);
	/* What it does not hold says nothing. */
	check_read(&w, "type:f -content:\xc3\xa9", NULL, 0, 7);
	world_destroy(&w);
}

/* What the index knows is believed of files that are as it knows them. */
TEST(sift, a_file_that_is_binary_by_now_is_none_of_the_answers)
{
	struct world w = {.dir = test_dir(), .store = test_dir(), .n_symbols = 4};
	struct cursor_stats st;

	test_write(w.dir, "f00.c", "a needle\n");
	w.is_there[0] = true;
	grow_stack(&w);
	while (w.n_text == 0)
		index_some(&w);
	make_view(&w);
	w.index = snapshot_of(&w, SNAP_CONTENT_INDEX, MAX_FILE_BYTES);
	w.scan = snapshot_of(&w, SNAP_CONTENT_SCAN, MAX_FILE_BYTES);
	st = stats_of(&w, "content:needle", NULL);
	CHECK_INT(st.n, 1);
	write_bytes(w.dir, "f00.c", "a needle\0\n", 10);
	st = stats_of(&w, "content:needle", NULL);
	CHECK_INT(st.n, 0);
	CHECK_INT(st.skipped.binary, 1);
	write_bytes(w.dir, "f00.c", "\xff\xfen\0e\0e\0d\0l\0e\0", 14);
	CHECK_INT(stats_of(&w, "content:needle", NULL).n, 1);
	world_destroy(&w);
}

/* So many parts that they are not all read at first. */
#define N_LINES 10000u

static void
write_lines(struct world *w, unsigned n)
{
	AUTO(strbuf_fini) struct strbuf text = {0};

	for (unsigned i = 1; i <= n; i++)
		CHECK_INT(strbuf_printf(&text, "%u needle\n", i), 0);
	write_bytes(w->dir, "f00.c", text.data, text.len);
	w->is_there[0] = true;
}

/* Rows that are left, which must go on from line `from`: their number. */
static unsigned
count_lines_from(struct cursor *c, unsigned from)
{
	struct hit hit = {0};
	unsigned n = 0;
	int r;

	for (; (r = cursor_next(c, &hit)) == 1; n++)
		CHECK_INT(hit.line, from + n);
	CHECK_INT(r, 0);
	return n;
}

/* A file of so many lines, searched in parts of a window each. */
struct parts {
	struct world w;
	struct pattern *needle;
	struct cursor *c;
};

static void
open_parts(struct parts *t)
{
	struct cursor_opts opts = {
		.deadline = USEC_NEVER, .io = pool, .grep = t->needle, .max_part_bytes = 700};
	struct query_env env = {0};
	struct query *query;
	struct err err = {0};

	CHECK_INT(query_parse(SPAN_LIT("f00"), &env, &query, &err), 0);
	CHECK_INT(cursor_open(query, t->w.index, &opts, &t->c, &err), 0);
	query_unref(query);
}

static void
begin_parts(struct parts *t, unsigned n_lines)
{
	struct world *w = &t->w;
	struct hit hit = {0};
	struct err err = {0};

	*w = (struct world){.dir = test_dir(), .store = test_dir(), .n_symbols = 4};
	write_lines(w, n_lines);
	grow_stack(w);
	while (w->n_text == 0)
		index_some(w);
	make_view_of(w, UINT64_MAX);
	w->index = snapshot_of(w, SNAP_CONTENT_INDEX, UINT64_MAX);
	w->scan = snapshot_of(w, SNAP_CONTENT_SCAN, UINT64_MAX);
	CHECK_INT(pattern_create(SPAN_LIT("needle"), 0, &t->needle, &err), 0);
	open_parts(t);
	CHECK_INT(cursor_next(t->c, &hit), 1);
}

static struct cursor_stats
close_parts(struct parts *t)
{
	struct cursor_stats st;

	cursor_get_stats(t->c, &st);
	cursor_close(t->c);
	return st;
}

static void
end_parts(struct parts *t)
{
	pattern_destroy(t->needle);
	world_destroy(&t->w);
}

TEST(sift, a_large_file_is_searched_in_parts_as_it_was_when_it_was_opened)
{
	struct cursor_stats st;
	struct parts t;

	begin_parts(&t, N_LINES);
	write_lines(&t.w, N_LINES + 1);
	CHECK_INT(count_lines_from(t.c, 2), N_LINES - 1);
	st = close_parts(&t);
	CHECK_INT(st.n_files, 1);
	CHECK_INT(st.n_verified, 1);
	CHECK_INT(st.skipped.changed, 0);

	/* By now it is not what the index knows: its panes say nothing. */
	open_parts(&t);
	CHECK_INT(count_lines_from(t.c, 1), N_LINES + 1);
	CHECK_INT(close_parts(&t).skipped.changed, 0);
	end_parts(&t);
}

TEST(sift, a_large_file_that_is_cut_between_its_parts_is_counted_once)
{
	struct parts t;
	char path[4096];
	unsigned n;

	begin_parts(&t, 10 * N_LINES); /* so large that it is mapped */
	(void)snprintf(path, sizeof(path), "%s/f00.c", t.w.dir);
	CHECK_INT(truncate(path, 4096), 0);
	n = 1 + count_lines_from(t.c, 2);
	CHECK_SAY(n > 1 && n < 10 * N_LINES, "%u lines of before", n);
	CHECK_INT(close_parts(&t).skipped.unreadable, 1);
	end_parts(&t);
}

TEST(sift, is_explained)
{
	struct world w = {.dir = test_dir(), .store = test_dir(), .n_symbols = 4};
	struct cursor_opts opts = {.deadline = USEC_NEVER};
	struct query_env env = {0};
	struct query *query;
	struct explain *x;

	test_write(w.dir, "f00.c", "a needle\n");
	test_write(w.dir, "f01.h", "a needle\n");
	test_write(w.dir, "f02.txt", "an eel\n");
	test_write(w.dir, "f03.c", "needles, pending\n");
	for (unsigned i = 0; i < 3; i++)
		w.is_there[i] = true;
	grow_stack(&w);
	while (w.n_text == 0 || text_cols(w.text[0])->n_files < 3) { /* all three, by chance */
		if (w.n_text > 0)
			text_unref(w.text[--w.n_text]);
		index_some(&w);
	}
	make_view(&w);
	w.index = snapshot_of(&w, SNAP_CONTENT_INDEX, MAX_FILE_BYTES);
	w.scan = snapshot_of(&w, SNAP_CONTENT_SCAN, MAX_FILE_BYTES);
	CHECK_INT(query_parse(SPAN_LIT("content:needle"), &env, &query, NULL), 0);
	CHECK_INT(explain_create(query, w.index, &opts, true, &x, NULL), 0);
	CHECK_STR(x->step[0].text, "(content needle)");
	CHECK_STR(x->step[0].grams, "\"edle\" & \"eedl\" & \"need\"");
	CHECK_INT(x->step[0].n_docs, 1); /* one text, two files */
	CHECK_INT(x->step[0].estimate, 3);
	CHECK_INT(x->stats.n_verified, 3);
	CHECK_INT(x->stats.n, 3);
	explain_destroy(x);
	query_unref(query);
	CHECK_INT(query_parse(SPAN_LIT("case:yes content:/ee[dl]Le/"), &env, &query, NULL), 0);
	CHECK_INT(explain_create(query, w.index, &opts, true, &x, NULL), 0);
	CHECK_STR(x->step[0].grams, "((\"edle\" & \"eedl\") | (\"eell\" & \"elle\")) & [a-z]L");
	explain_destroy(x);
	CHECK_INT(explain_create(query, w.scan, &opts, false, &x, NULL), 0);
	CHECK(x->step[0].grams == NULL);
	CHECK_INT(x->step[0].estimate, 4);
	explain_destroy(x);
	query_unref(query);
	world_destroy(&w);
}

/* Blocks that nothing was written to. */
static void
write_allocated(const char *dir, const char *name, uint64_t bytes)
{
	char path[4096];
	int fd;

	test_write(dir, name, "needle\n");
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	CHECK_INT(posix_fallocate(fd, 0, (off_t)bytes), 0);
	CHECK_INT(close(fd), 0);
}

static void
check_pending(struct world *w, uint64_t n_left_out)
{
	struct text_view_opts opts = {.max_bytes = UINT64_MAX};

	grow_stack(w);
	w->index = snapshot_of(w, SNAP_CONTENT_INDEX, UINT64_MAX);
	check_left_out(w, n_left_out);
	snapshot_unref(w->index);
	CHECK_INT(text_view_create(w->stack, NULL, &opts, &w->view), 0);
	w->index = snapshot_of(w, SNAP_CONTENT_INDEX, UINT64_MAX);
	check_left_out(w, n_left_out);
	snapshot_unref(w->index);
	w->index = snapshot_of(w, SNAP_CONTENT_SCAN, UINT64_MAX);
	CHECK_INT(stats_of(w, "content:needle", NULL).skipped.pending, 0);
	w->scan = NULL;
	world_destroy(w);
}

TEST(sift, what_is_pending_and_too_much_is_left_out_and_counted)
{
	struct world w = {.dir = test_dir(), .store = test_dir(), .n_symbols = 4};
	char name[32];

	test_write(w.dir, "other", "needle\n");
	test_write(w.dir, "small", "needle\n");
	for (int i = 0; i < 17; i++) {
		(void)snprintf(name, sizeof(name), "%d.bin", i);
		write_allocated(w.dir, name, SIFT_PENDING_LARGE);
	}
	check_pending(&w, 19);
}

TEST(sift, a_large_pending_file_keeps_no_other_from_being_read)
{
	struct world w = {.dir = test_dir(), .store = test_dir(), .n_symbols = 4};

	test_write(w.dir, "other", "needle\n");
	test_write(w.dir, "small", "needle\n");
	write_allocated(w.dir, "large.bin", SIFT_PENDING_BYTES);
	check_pending(&w, 1);
}

TEST(sift, holes_of_pending_files_are_no_reason_to_leave_them_out)
{
	struct world w = {.dir = test_dir(), .store = test_dir(), .n_symbols = 4};
	struct cursor_stats st;
	char path[4096];

	test_write(w.dir, "small", "needle\n");
	test_write(w.dir, "sparse.bin", "needle\n");
	(void)snprintf(path, sizeof(path), "%s/sparse.bin", w.dir);
	CHECK_INT(truncate(path, (off_t)SIFT_PENDING_BYTES + 1), 0);
	grow_stack(&w);
	w.index = snapshot_of(&w, SNAP_CONTENT_INDEX, UINT64_MAX);
	st = stats_of(&w, "content:needle", NULL);
	CHECK_INT(st.skipped.pending, 0);
	CHECK_INT(st.skipped.binary, 1);
	CHECK_INT(st.n, 1);
	w.scan = NULL;
	world_destroy(&w);
}
