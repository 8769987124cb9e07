/*
 * Contents from files to text segments: what is in a file is found by its grams, whatever its size
 * and encoding, and what has changed is read again, by a rescan as by a start.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "engine/engine.h"
#include "gram/regex_grams.h"
#include "index/text_eval.h"
#include "root_status.h"
#include "text/mapfile.h"
#include "text/text_need.h"
#include "text/window.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LONG_BYTES (3 * WINDOW_BYTES + 12345)

TestSuite(contents_flow, .timeout = 120);

static char root_name[] = "main";

struct flow {
	char *dir;
	char tree[512], state[512];
	struct pool *io;
	struct engine *engine;
	struct engine_root root;
	struct engine_config cfg;
	unsigned n_troubles;
};

static void
on_event(void *ctx, bool trouble, const char *text)
{
	struct flow *f = ctx;

	(void)text;
	f->n_troubles += trouble;
}

/* Until contents are as wanted, and the last walk asked for is over. */
static struct engine_root_status
wait_phase(struct flow *f, enum contents_phase phase)
{
	usec_t deadline = clock_deadline(60 * USEC_PER_SEC);
	struct engine_root_status s;

	do {
		CHECK_SAY(clock_mono() < deadline, "contents are never in phase %d", (int)phase);
		test_pause();
		s = root_status(f->engine);
	} while (s.state != ROOT_READY || s.contents.phase != phase);
	return s;
}

static struct engine_root_status
rescan(struct flow *f)
{
	uint64_t walked = root_status(f->engine).walked_usec;
	usec_t deadline = clock_deadline(60 * USEC_PER_SEC);

	CHECK_INT(engine_rescan(f->engine, NULL, NULL), 0);
	while (root_status(f->engine).walked_usec == walked) {
		CHECK(clock_mono() < deadline);
		test_pause();
	}
	return wait_phase(f, CONTENTS_DONE);
}

static void
start(struct flow *f)
{
	struct err err = {0};

	CHECK_SAY(engine_create(&f->cfg, &f->engine, &err) == 0, "%s", err.what);
	CHECK_SAY(engine_start(f->engine, &err) == 0, "%s", err.what);
}

static void
stop(struct flow *f)
{
	engine_destroy(f->engine);
	f->engine = NULL;
}

static void
setup(struct flow *f)
{
	*f = (struct flow){.dir = test_dir()};
	(void)snprintf(f->tree, sizeof(f->tree), "%s/tree", f->dir);
	(void)snprintf(f->state, sizeof(f->state), "%s/state", f->dir);
	CHECK_INT(mapfile_setup(), 0);
	CHECK_INT(pool_create("io", 3, &f->io), 0);
	CHECK_INT(mkdir(f->tree, 0755), 0);
	f->root = (struct engine_root){
		.name = root_name, .path = f->tree, .content = SNAP_CONTENT_INDEX};
	f->cfg = (struct engine_config){
		.state_dir = f->state,
		.roots = &f->root,
		.n_roots = 1,
		.io = f->io,
		.walk_width = 2,
		.on_event = on_event,
		.ctx = f,
	};
}

static void
teardown(struct flow *f)
{
	stop(f);
	pool_destroy(f->io);
	test_dir_remove(f->dir);
}

static void
write_bytes(struct flow *f, const char *name, const void *data, size_t len)
{
	char path[1024];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", f->tree, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	CHECK(fd >= 0);
	CHECK_INT(fd_write_full(fd, data, len), 0);
	CHECK_INT(close(fd), 0);
}

static void
write_text(struct flow *f, const char *name, const char *text)
{
	write_bytes(f, name, text, strlen(text));
}

/* What the index says of one file. */
struct known {
	struct snapshot *s;
	uint32_t layer, entry, content;
	const struct text_set *set;
};

static struct known
look(struct flow *f, const char *name)
{
	struct known k = {.s = engine_snapshot(f->engine)};
	char path[1024];

	(void)snprintf(path, sizeof(path), "%s/%s", f->tree, name);
	CHECK_INT(snapshot_lookup(k.s, span_of(path), &k.layer, &k.entry), 0);
	k.content = k.s->layers[k.layer].map->content[k.entry];
	k.set = snapshot_root(k.s, k.layer)->view->set;
	return k;
}

static void
unlook(struct known *k)
{
	snapshot_unref(k->s);
}

static uint32_t
content_of(struct flow *f, const char *name)
{
	AUTO(unlook) struct known k = look(f, name);

	return k.content;
}

static struct text_doc
doc_of(struct flow *f, const char *name)
{
	AUTO(unlook) struct known k = look(f, name);
	const struct text_doc *d = k.set ? text_set_doc(k.set, k.content) : NULL;

	CHECK_SAY(d != NULL, "%s has no document", name);
	return *d;
}

static uint64_t
marks_of(struct flow *f, const char *name)
{
	AUTO(unlook) struct known k = look(f, name);
	const struct text_cols *c = text_cols(k.set->text[text_set_of(k.set, k.content)]);

	return c->marks[k.content - c->base];
}

static uint32_t
n_units_of(struct flow *f, const char *name)
{
	AUTO(unlook) struct known k = look(f, name);
	const struct text_cols *c = text_cols(k.set->text[text_set_of(k.set, k.content)]);
	uint32_t doc = k.content - c->base;
	uint32_t end = doc + 1 < c->n_docs ? c->docs[doc + 1].first_unit : c->n_units;

	return end - c->docs[doc].first_unit;
}

/* Is the file among those that can hold the literal? */
static bool
finds(struct flow *f, const char *name, struct span literal)
{
	AUTO(unlook) struct known k = look(f, name);
	struct text_eval_opts opts = {.flags = TEXT_EVAL_IN_UNIT};
	const struct text_cols *c = text_cols(k.set->text[text_set_of(k.set, k.content)]);
	struct text_found found;
	struct gram_query q;
	bool is_there = false;

	gram_query_init(&q, c->n_symbols);
	CHECK_INT(grams_of_pattern(literal, PATTERN_FOLD, &q), 0);
	CHECK_INT(text_eval(c, q.root, &opts, &found), 0);
	for (uint32_t i = 0; i < found.n; i++)
		is_there = is_there || c->base + found.docs[i] == k.content;
	text_found_fini(&found);
	gram_query_fini(&q);
	return is_there;
}

static uint64_t
next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return *seed >> 33;
}

/* Words in lines; `line` is about how long a line is. */
static char *
make_text(size_t len, size_t line, uint64_t seed)
{
	static const char letters[] = "etaoinshrdlucmfwypvbgkqjxz0123456789UQ";
	char *text = malloc(len + 1);

	CHECK(text != NULL);
	for (size_t i = 0; i < len; i++) {
		uint64_t n = next(&seed);

		text[i] = letters[n % (sizeof(letters) - 1)];
		if (n / 64 % line == 0)
			text[i] = '\n';
		else if (n / 64 % 7 == 0)
			text[i] = ' ';
	}
	text[len] = '\0';
	return text;
}

/* Where a window of the text ends. */
static size_t
some_end(struct span text, uint64_t n)
{
	struct window w = {0};

	for (n %= text.len / WINDOW_BYTES; window_next(text, SNIFF_TEXT, &w) && n > 0;)
		n--;
	return w.to;
}

/* Pieces of the text, of one line each, across the ends of windows above all. */
static void
check_pieces(struct flow *f, const char *name, struct span text, uint64_t seed)
{
	for (unsigned i = 0; i < 40 + test_scale(400); i++) {
		size_t len = 3 + next(&seed) % 40, at = next(&seed) % (text.len - len);
		struct span piece;
		const char *end;

		if (i % 2 && text.len > 2 * WINDOW_BYTES)
			at = some_end(text, next(&seed)) - next(&seed) % len;
		at = MIN(at, text.len - len);
		piece = (struct span){text.data + at, len};
		end = memchr(piece.data, '\n', piece.len);
		piece.len = end ? (size_t)(end - piece.data) : len;
		if (piece.len < 3)
			continue;
		CHECK_SAY(finds(f, name, piece), "%s: \"%.*s\" at %zu is lost", name,
			(int)piece.len, piece.data, at);
	}
}

static void
write_wide(struct flow *f, const char *name, const char *text, size_t len, bool big)
{
	unsigned char *wide = malloc(2 * len + 2);

	CHECK(wide != NULL);
	wide[0] = big ? 0xfe : 0xff;
	wide[1] = big ? 0xff : 0xfe;
	for (size_t i = 0; i < len; i++) {
		wide[2 + 2 * i + !big] = 0;
		wide[2 + 2 * i + big] = (unsigned char)text[i];
	}
	write_bytes(f, name, wide, 2 * len + 2);
	free(wide);
}

static uint64_t
lines_of(const char *text)
{
	uint64_t n = 0;

	for (const char *p = text; *p; p++)
		n += *p == '\n' || !p[1];
	return n;
}

static void
check_marks(struct flow *f, const char *name, const char *text, uint64_t marks)
{
	for (const char *p = text; *p; p++)
		marks |= text_mark_of((unsigned char)*p, (unsigned char)p[1]);
	CHECK_SAY((marks & ~TEXT_MARKS_BEYOND) && marks_of(f, name) == marks, "marks of %s", name);
}

static void
check_kind(struct flow *f, const char *name, uint32_t flags, uint64_t n_lines, uint64_t size)
{
	struct text_doc d = doc_of(f, name);

	CHECK_SAY(d.flags == flags, "%s has the flags %u", name, d.flags);
	CHECK_INT(d.n_lines, n_lines);
	CHECK_INT(d.size_bytes, size);
}

/* Files of every kind, with either length of grams. */
static void
check_every_kind(struct flow *f)
{
	AUTO(freep) char *lines = make_text(LONG_BYTES, 60, 1);
	AUTO(freep) char *one = make_text(LONG_BYTES, 1u << 30, 2);
	AUTO(freep) char *small = make_text(9000, 60, 3);

	write_text(f, "small", small);
	write_text(f, "long", lines);
	write_text(f, "one_line", one);
	write_text(f, "empty", "");
	write_text(f, "utf8",
		"Stra\xc3\x9f"
		"e \xd0\xbc\xd0\xb8\xd1\x80\nmore\n");
	write_text(f, "kelvin", "300 \xe2\x84\xaa of it");
	write_text(f, "latin",
		"Stra\xdf"
		"e\n");
	write_bytes(f, "binary", "text\0more", 9);
	write_bytes(f, "other_binary", "\0", 1);
	write_wide(f, "little", small, 9000, false);
	write_wide(f, "big_long", lines, LONG_BYTES, true);
	start(f);
	CHECK_INT(wait_phase(f, CONTENTS_DONE).contents.n_binary, 2);
	CHECK_INT(root_status(f->engine).contents.done_files, 11);
	check_kind(f, "small", TEXT_ASCII, lines_of(small), 9000);
	check_kind(f, "long", TEXT_ASCII, lines_of(lines), LONG_BYTES);
	check_kind(f, "one_line", TEXT_ASCII, lines_of(one), LONG_BYTES);
	check_kind(f, "empty", TEXT_ASCII, 0, 0);
	check_kind(f, "utf8", TEXT_UTF8, 2, 20);
	check_kind(f, "kelvin", TEXT_UTF8 | TEXT_FOLDS, 1, 13);
	check_kind(f, "latin", TEXT_BYTES, 1, 7);
	check_kind(f, "binary", TEXT_BINARY, 0, 0);
	check_kind(f, "little", TEXT_UTF16LE, lines_of(small), 2 * 9000 + 2);
	check_kind(f, "big_long", TEXT_UTF16BE, lines_of(lines), 2 * LONG_BYTES + 2);
	check_marks(f, "small", small, 0);
	check_marks(f, "long", lines, 0);
	check_marks(f, "one_line", one, 0);
	check_marks(f, "little", small, TEXT_MARKS_BEYOND);
	check_marks(f, "big_long", lines, TEXT_MARKS_BEYOND);
	CHECK_INT(marks_of(f, "binary"), 0);
	CHECK_INT(marks_of(f, "empty"), 0);
	CHECK_INT(marks_of(f, "latin"), TEXT_MARKS_BEYOND);
	CHECK_INT(content_of(f, "binary"), content_of(f, "other_binary"));
	check_pieces(f, "small", span_of(small), 4);
	check_pieces(f, "long", span_of(lines), 5);
	check_pieces(f, "one_line", span_of(one), 6);
	check_pieces(f, "little", span_of(small), 7);
	check_pieces(f, "big_long", span_of(lines), 8);
	CHECK(finds(f, "utf8", SPAN_LIT("\xd0\xbc\xd0\xb8\xd1\x80")));
	CHECK(finds(f, "kelvin", SPAN_LIT("300 k")));
	CHECK(!finds(f, "small", SPAN_LIT("qqqzzzxxx")));
}

TEST(contents_flow, whatever_a_file_is_its_words_are_found)
{
	struct flow f;

	setup(&f);
	check_every_kind(&f);
	CHECK_INT(f.n_troubles, 0);
	teardown(&f);
}

TEST(contents_flow, grams_of_three_find_them_too)
{
	struct flow f;

	setup(&f);
	f.root.n_symbols = 3;
	check_every_kind(&f);
	CHECK_INT(root_status(f.engine).contents.n_symbols, 3);
	teardown(&f);
}

TEST(contents_flow, what_has_changed_is_read_again_and_equal_contents_are_kept_once)
{
	struct flow f;
	char a[1024], b[1024];
	uint32_t old;

	setup(&f);
	write_text(&f, "a", "alpha alpha\n");
	write_text(&f, "same1", "the same words\n");
	write_text(&f, "same2", "the same words\n");
	(void)snprintf(a, sizeof(a), "%s/a", f.tree);
	(void)snprintf(b, sizeof(b), "%s/link", f.tree);
	CHECK_INT(link(a, b), 0);
	start(&f);
	(void)wait_phase(&f, CONTENTS_DONE);
	old = content_of(&f, "a");
	CHECK_INT(content_of(&f, "link"), old);
	CHECK_INT(content_of(&f, "same1"), content_of(&f, "same2"));
	CHECK(finds(&f, "a", SPAN_LIT("alpha")));
	write_text(&f, "a", "omega omega\n"); /* of the same length */
	write_text(&f, "new", "the same words\n");
	(void)rescan(&f);
	CHECK(content_of(&f, "a") != old);
	CHECK(finds(&f, "a", SPAN_LIT("omega")) && !finds(&f, "a", SPAN_LIT("alpha")));
	CHECK_INT(doc_of(&f, "new").hash_low, doc_of(&f, "same1").hash_low);
	CHECK(finds(&f, "new", SPAN_LIT("same words")));
	CHECK_INT(unlink(a), 0);
	(void)rescan(&f);
	CHECK_INT(
		root_status(f.engine).contents.done_files, root_status(f.engine).contents.n_files);
	CHECK(finds(&f, "link", SPAN_LIT("omega")));
	teardown(&f);
}

TEST(contents_flow, a_start_goes_on_with_what_is_there)
{
	struct flow f;
	uint32_t old;

	setup(&f);
	for (unsigned i = 0; i < 300; i++) {
		char name[32], text[64];

		(void)snprintf(name, sizeof(name), "f%u", i);
		(void)snprintf(text, sizeof(text), "number%u of many\n", i);
		write_text(&f, name, text);
	}
	start(&f);
	(void)wait_phase(&f, CONTENTS_DONE);
	old = content_of(&f, "f7");
	stop(&f);
	write_text(&f, "f9", "something else\n");
	start(&f);
	(void)wait_phase(&f, CONTENTS_DONE);
	CHECK_INT(content_of(&f, "f7"), old);
	CHECK(finds(&f, "f7", SPAN_LIT("number7")) && finds(&f, "f9", SPAN_LIT("something")));
	CHECK_INT(f.n_troubles, 0);
	stop(&f);
	f.root.n_symbols = 3; /* another kind of grams: all is read again */
	start(&f);
	(void)wait_phase(&f, CONTENTS_DONE);
	CHECK(finds(&f, "f299", SPAN_LIT("number299")));
	CHECK_INT(root_status(f.engine).contents.n_segments, 1);
	teardown(&f);
}

TEST(contents_flow, a_reload_changes_how_contents_are_kept)
{
	struct flow f;
	struct engine_root_status s;

	setup(&f);
	write_text(&f, "small", "little words\n");
	write_text(&f, "large", "many more words than in the other file\n");
	start(&f);
	(void)wait_phase(&f, CONTENTS_DONE);
	f.root.content_max_bytes = 20;
	CHECK_INT(engine_reload(f.engine, &f.cfg, NULL), 0);
	s = wait_phase(&f, CONTENTS_DONE);
	CHECK_INT(s.contents.n_too_large, 1);
	CHECK_INT(content_of(&f, "large"), TEXT_TOO_LARGE);
	f.root.content_max_bytes = 0;
	f.root.n_symbols = 3;
	CHECK_INT(engine_reload(f.engine, &f.cfg, NULL), 0);
	s = wait_phase(&f, CONTENTS_DONE);
	CHECK_INT(s.contents.done_files, 2);
	CHECK(finds(&f, "large", SPAN_LIT("other")));
	f.root.content = SNAP_CONTENT_OFF;
	CHECK_INT(engine_reload(f.engine, &f.cfg, NULL), 0);
	(void)wait_phase(&f, CONTENTS_OFF);
	while (root_status(f.engine).contents.n_segments > 0)
		test_pause();
	f.root.content = SNAP_CONTENT_INDEX;
	CHECK_INT(engine_reload(f.engine, &f.cfg, NULL), 0);
	(void)wait_phase(&f, CONTENTS_DONE);
	CHECK(finds(&f, "small", SPAN_LIT("little")));
	teardown(&f);
}

/* A budget of nothing makes a segment of every run; those merge, and nothing is lost. */
TEST(contents_flow, many_small_segments_become_few)
{
	struct flow f;
	struct engine_root_status s;

	setup(&f);
	f.cfg.index_bytes = 1;
	for (unsigned i = 0; i < 1500; i++) {
		char name[32], text[64];

		(void)snprintf(name, sizeof(name), "f%u", i);
		(void)snprintf(text, sizeof(text), "word%u and word%u\n", i, i * 7);
		write_text(&f, name, text);
	}
	start(&f);
	s = wait_phase(&f, CONTENTS_DONE);
	CHECK_INT(s.contents.done_files, 1500);
	for (unsigned i = 0; i < 1500; i += 97) {
		char name[32], word[32];

		(void)snprintf(name, sizeof(name), "f%u", i);
		(void)snprintf(word, sizeof(word), "word%u", i * 7);
		CHECK(finds(&f, name, span_of(word)));
	}
	while (root_status(f.engine).contents.n_segments > 1)
		test_pause();
	CHECK(finds(&f, "f1499", SPAN_LIT("word10493")));
	CHECK_INT(f.n_troubles, 0);
	teardown(&f);
}

/* What the kernel would say of waiting for disks; never half of it. */
static void
press(struct flow *f, const char *avg10, uint64_t total_usec)
{
	char text[128], from[600], to[600];

	(void)snprintf(text, sizeof(text), "some avg10=%s avg60=0.00 avg300=0.00 total=%llu\n",
		avg10, (unsigned long long)total_usec);
	test_write(f->dir, "pressure/next", text);
	(void)snprintf(from, sizeof(from), "%s/pressure/next", f->dir);
	(void)snprintf(to, sizeof(to), "%s/pressure/io", f->dir);
	CHECK_INT(rename(from, to), 0);
}

TEST(contents_flow, reading_rests_while_others_wait_for_disks_and_changes_and_walks_go_on)
{
	struct engine_root_status s;
	char pressure[600];
	uint64_t total = 0;
	struct flow f;

	setup(&f);
	(void)snprintf(pressure, sizeof(pressure), "%s/pressure", f.dir);
	f.cfg.pressure_dir = pressure;
	f.cfg.pressure_percent = 20;
	write_text(&f, "one", "some words\n");
	press(&f, "90.00", 0);
	start(&f);
	while (!(s = root_status(f.engine)).paused)
		test_pause();
	CHECK_STR(s.paused, "io");
	write_text(&f, "two", "other words\n");
	CHECK_INT(engine_rescan(f.engine, NULL, NULL), 0);
	while (root_status(f.engine).n_entries == s.n_entries) {
		press(&f, "90.00", total += USEC_PER_SEC);
		test_pause();
	}
	CHECK_INT(root_status(f.engine).contents.done_files, 0);
	press(&f, "0.00", 0);
	s = wait_phase(&f, CONTENTS_DONE);
	CHECK(!s.paused);
	CHECK_INT(s.contents.done_files, 2);
	CHECK(finds(&f, "two", SPAN_LIT("other")));
	CHECK_INT(f.n_troubles, 0);
	teardown(&f);
}

TEST(contents_flow, a_rest_ends_with_the_engine)
{
	char pressure[600];
	struct flow f;
	usec_t began;

	setup(&f);
	(void)snprintf(pressure, sizeof(pressure), "%s/pressure", f.dir);
	f.cfg.pressure_dir = pressure;
	f.cfg.pressure_percent = 20;
	write_text(&f, "one", "some words\n");
	press(&f, "90.00", 0);
	start(&f);
	while (!root_status(f.engine).paused)
		test_pause();
	press(&f, "90.00", 3600 * USEC_PER_SEC);
	began = clock_mono();
	stop(&f);
	CHECK(clock_mono() - began < 10 * USEC_PER_SEC); /* a rest is 30 s */
	teardown(&f);
}

static void
check_why(struct flow *f, const char *name, const char *begins)
{
	struct engine_why w;
	struct err err = {0};
	char path[1024];

	(void)snprintf(path, sizeof(path), "%s/%s", f->tree, name);
	CHECK_SAY(engine_why(f->engine, span_of(path), &w, &err) == 0, "%s", err.what);
	CHECK_SAY(strncmp(w.content, begins, strlen(begins)) == 0, "%s: %s", name, w.content);
	engine_why_fini(&w);
}

TEST(contents_flow, why_tells_what_is_known_of_a_file)
{
	struct flow f;

	setup(&f);
	write_text(&f, "text", "some words\n");
	write_text(&f, "changes", "some words\n");
	write_bytes(&f, "binary", "a\0b", 3);
	write_text(&f, "large", "words and words and words and words\n");
	f.root.content_max_bytes = 20;
	start(&f);
	(void)wait_phase(&f, CONTENTS_DONE);
	check_why(&f, "text", "searched, by the index");
	check_why(&f, "binary", "not searched: it is binary");
	check_why(&f, "large", "not searched: it is larger");
	write_text(&f, "changes", "other words\n");
	check_why(&f, "changes", "searched as it was");
	(void)rescan(&f);
	check_why(&f, "changes", "searched, by the index");
	teardown(&f);
}

TEST(contents_flow, a_file_that_needs_more_memory_than_there_is_is_indexed_all_the_same)
{
	/* What there is to be filled and emptied by threads is as often too little for half as
	 * much. */
	size_t n_windows = TEST_WATCHES_THREADS ? 6 : 12, len = n_windows * WINDOW_BYTES;
	AUTO(freep) char *text = make_text(len, 60, 9);
	struct engine_root_status s;
	struct flow f;

	setup(&f);
	f.cfg.index_bytes = len / 4 * 3;
	write_text(&f, "large", text);
	write_bytes(&f, "large too", text + 100, len - 100);
	for (unsigned i = 0; i < 100; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "small%u", i);
		write_bytes(&f, name, text + 1000 * (size_t)i, 900);
	}
	start(&f);
	s = wait_phase(&f, CONTENTS_DONE);
	CHECK_INT(s.contents.done_files, 102);
	CHECK_INT(s.contents.n_unreadable, 0);
	check_pieces(&f, "small77", (struct span){text + 77000, 900}, 3);
	check_pieces(&f, "large", (struct span){text, len}, 4);
	check_pieces(&f, "large too", (struct span){text + 100, len - 100}, 5);
	CHECK(n_units_of(&f, "large") < len / WINDOW_BYTES); /* it was too much */
	teardown(&f);
}

TEST(contents_flow, a_tebibyte_of_nothing_costs_nothing)
{
	struct flow f;
	char path[1024];
	usec_t began;

	setup(&f);
	write_text(&f, "sparse", "a beginning\n");
	write_bytes(&f, "wide",
		"\xff\xfe"
		"a",
		4);
	(void)snprintf(path, sizeof(path), "%s/sparse", f.tree);
	if (truncate(path, (off_t)1 << 40) < 0) {
		teardown(&f);
		return; /* this file system has no such files */
	}
	(void)snprintf(path, sizeof(path), "%s/wide", f.tree);
	CHECK_INT(truncate(path, (off_t)1 << 40), 0);
	began = clock_mono();
	start(&f);
	(void)wait_phase(&f, CONTENTS_DONE);
	CHECK(clock_mono() - began < 20 * USEC_PER_SEC);
	CHECK_INT(doc_of(&f, "sparse").flags, TEXT_BINARY);
	CHECK_INT(content_of(&f, "wide"), TEXT_PENDING); /* who asks may try */
	CHECK_INT(root_status(f.engine).contents.n_unreadable, 1);
	teardown(&f);
}
