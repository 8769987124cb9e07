#include "base/clock.h"
#include "engine/engine.h"
#include "engine/text_reader.h"
#include "gram/gram.h"
#include "sync/thread.h"
#include "test.h"
#include "text/mapfile.h"
#include "text/window.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char root_name[] = "main";

/* A tree that was walked, and a reader of it; files may change in between. */
struct reader {
	char *dir;
	char tree[512], state[512];
	struct pool *io;
	struct engine *engine;
	struct snapshot *snapshot;
	struct text_builder *builder;
	struct counter n_docs;
	struct text_reader *reader;
	struct text_reader_job job;
	int root_fd;
	uint64_t order;
};

static void
setup(struct reader *r)
{
	*r = (struct reader){.dir = test_dir()};
	(void)snprintf(r->tree, sizeof(r->tree), "%s/tree", r->dir);
	(void)snprintf(r->state, sizeof(r->state), "%s/state", r->dir);
	CHECK_INT(mapfile_setup(), 0);
	CHECK_INT(mkdir(r->tree, 0755), 0);
	CHECK_INT(pool_create("io", 2, &r->io), 0);
}

static void
walk(struct reader *r)
{
	struct engine_root root = {
		.name = root_name, .path = r->tree, .content = SNAP_CONTENT_SCAN};
	struct engine_config cfg = {
		.state_dir = r->state, .roots = &root, .n_roots = 1, .io = r->io};
	usec_t deadline = clock_deadline(60 * USEC_PER_SEC);

	CHECK_INT(engine_create(&cfg, &r->engine, NULL), 0);
	CHECK_INT(engine_start(r->engine, NULL), 0);
	for (;;) {
		CHECK(clock_mono() < deadline);
		r->snapshot = engine_snapshot(r->engine);
		if (r->snapshot->roots[0].stack)
			break;
		snapshot_unref(r->snapshot);
		test_pause();
	}
}

static void
begin(struct reader *r, uint64_t max_bytes)
{
	struct text_builder_opts b = {
		.n_symbols = 4, .n_adders = 1, .overlap_bytes = WINDOW_OVERLAP};
	struct text_reader_opts opts = {.n_symbols = 4, .max_bytes = max_bytes};

	walk(r);
	CHECK_INT(text_builder_create(&b, &r->builder), 0);
	CHECK_INT(text_reader_create(&opts, &r->reader), 0);
	r->root_fd = open(r->tree, O_PATH | O_DIRECTORY | O_CLOEXEC);
	r->job = (struct text_reader_job){
		.root_fd = r->root_fd,
		.stack = r->snapshot->roots[0].stack,
		.builder = r->builder,
		.adder = text_builder_adder(r->builder, 0),
		.n_docs = &r->n_docs,
		.budget_bytes = TEXT_BUDGET_BYTES,
	};
	text_reader_use(r->reader, &r->job);
}

static void
teardown(struct reader *r)
{
	text_reader_destroy(r->reader);
	text_builder_destroy(r->builder);
	(void)close(r->root_fd);
	snapshot_unref(r->snapshot);
	engine_destroy(r->engine);
	pool_destroy(r->io);
	test_dir_remove(r->dir);
}

static char *
path_of(const struct reader *r, const char *name)
{
	static char path[1024];

	(void)snprintf(path, sizeof(path), "%s/%s", r->tree, name);
	return path;
}

static void
write_file(struct reader *r, const char *name, const char *text)
{
	test_write(r->tree, name, text);
}

/* What becomes of a file that the walk has found, once what it was changed by lies back. */
static int
fate(struct reader *r, const char *name)
{
	struct tree_at at;
	uint64_t n;

	CHECK_INT(tree_stack_lookup(r->snapshot->roots[0].stack, span_of(name), &at), 0);
	return text_reader_add(r->reader, at, r->order++, &n);
}

static int
settled_fate(struct reader *r, const char *name)
{
	usec_t deadline = clock_deadline(20 * USEC_PER_SEC);
	int got;

	while ((got = fate(r, name)) == READ_FRESH) {
		CHECK(text_reader_settled_at(r->reader) > 0);
		CHECK(clock_mono() < deadline);
		test_pause();
	}
	return got;
}

TEST(text_reader, a_file_that_was_just_written_is_believed_later)
{
	struct reader r;

	setup(&r);
	write_file(&r, "a", "words\n");
	write_file(&r, "b", "before\n");
	begin(&r, UINT64_MAX);
	write_file(&r, "b", "after\n"); /* now: nobody can say when it changes again */
	CHECK_INT(fate(&r, "b"), READ_FRESH);
	CHECK(text_reader_settled_at(r.reader) > clock_real() - USEC_PER_SEC);
	CHECK_INT(counter_get(&r.n_docs), 0);
	CHECK_INT(settled_fate(&r, "b"), READ_TEXT);
	CHECK_INT(settled_fate(&r, "a"), READ_TEXT);
	CHECK_INT(counter_get(&r.n_docs), 2);
	teardown(&r);
}

TEST(text_reader, what_a_file_has_become_is_seen)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct reader r;
	int fd;

	setup(&r);
	for (unsigned i = 0; i < 7; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "d/f%u", i);
		write_file(&r, name, "some words\n");
	}
	write_file(&r, "gone/deep/file", "some words\n");
	begin(&r, 100);
	for (unsigned i = 0; i < 6; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "d/f%u", i);
		CHECK_INT(unlink(path_of(&r, name)), 0);
	}
	CHECK_INT(mkfifo(path_of(&r, "d/f1"), 0600), 0);
	CHECK_INT(symlink("f6", path_of(&r, "d/f2")), 0);
	CHECK_INT(mkdir(path_of(&r, "d/f3"), 0700), 0);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%.100s", path_of(&r, "d/f4"));
	if (strlen(path_of(&r, "d/f4")) <= 100)
		CHECK_INT(bind(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	write_file(&r, "d/f5",
		"more than a hundred bytes, more than a hundred bytes, more than a hundred bytes, "
		"more than a hundred bytes");
	test_dir_remove(strdup(path_of(&r, "gone")));
	CHECK_INT(symlink("d", path_of(&r, "gone")), 0);
	for (unsigned i = 0; i < 5; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "d/f%u", i);
		CHECK_SAY(fate(&r, name) == READ_GONE, "%s", name);
	}
	CHECK_INT(settled_fate(&r, "d/f5"), READ_TOO_LARGE);
	CHECK_INT(settled_fate(&r, "d/f6"), READ_TEXT);
	CHECK_INT(fate(&r, "gone/deep/file"), READ_GONE);
	CHECK_INT(counter_get(&r.n_docs), 1);
	(void)close(fd);
	teardown(&r);
}

TEST(text_reader, equal_contents_and_all_binaries_are_one_document)
{
	struct reader r;
	int fd;

	setup(&r);
	write_file(&r, "a", "some words\n");
	write_file(&r, "b", "some words\n");
	write_file(&r, "c", "other words\n");
	for (unsigned i = 0; i < 2; i++) {
		fd = open(path_of(&r, i ? "bin1" : "bin2"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		CHECK_INT(write(fd, &"x\0y\0z"[i], 4), 4);
		CHECK_INT(close(fd), 0);
	}
	begin(&r, UINT64_MAX);
	CHECK_INT(settled_fate(&r, "a"), READ_TEXT);
	CHECK_INT(settled_fate(&r, "b"), READ_TEXT);
	CHECK_INT(counter_get(&r.n_docs), 1);
	CHECK_INT(settled_fate(&r, "c"), READ_TEXT);
	CHECK_INT(settled_fate(&r, "bin1"), READ_BINARY);
	CHECK_INT(settled_fate(&r, "bin2"), READ_BINARY);
	CHECK_INT(counter_get(&r.n_docs), 3);
	teardown(&r);
}

/* A NUL at the very end of many windows: what was added of it before is forgotten. */
TEST(text_reader, the_last_byte_makes_a_large_file_binary)
{
	size_t len = 2 * WINDOW_BYTES + 77;
	AUTO(freep) char *text = malloc(len + 1);
	struct reader r;

	CHECK(text != NULL);
	memset(text, 'x', len);
	text[len] = '\0';
	setup(&r);
	write_file(&r, "large", text);
	write_file(&r, "small", "some words\n");
	CHECK_INT(truncate(path_of(&r, "large"), (off_t)len - 1), 0);
	CHECK_INT(truncate(path_of(&r, "large"), (off_t)len), 0);
	begin(&r, UINT64_MAX);
	CHECK_INT(settled_fate(&r, "large"), READ_BINARY);
	CHECK_INT(settled_fate(&r, "small"), READ_TEXT);
	CHECK_INT(counter_get(&r.n_docs), 2);
	teardown(&r);
}

static size_t
n_grams(const char *text)
{
	struct gram_maker *m;
	const uint32_t *grams;
	size_t n;

	CHECK_INT(gram_maker_create(4, &m), 0);
	CHECK_INT(gram_maker_add(m, span_of(text)), 0);
	CHECK_INT(gram_maker_end(m, &grams, &n), 0);
	gram_maker_destroy(m);
	return n;
}

static struct text_written
write_segment(struct reader *r)
{
	int dir = open(r->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct text_written w = {0};

	CHECK_INT(text_builder_write(r->builder, dir, "new.seg", 0, NULL, &w, NULL), 0);
	(void)close(dir);
	return w;
}

/* A window of the file as always, then one unit. It turns out to be binary, once with all of that
 * made: nothing of it is in the next one. */
TEST(text_reader, past_the_builders_memory_the_rest_of_a_file_is_one_unit)
{
	size_t len = 5 * WINDOW_BYTES;
	AUTO(freep) char *text = malloc(len + 1);
	struct text_written w;
	struct reader r;

	CHECK(text != NULL);
	for (size_t i = 0; i < len; i++)
		text[i] = i % 64 == 63 ? '\n' : (char)('a' + (i * i / 7 + i / 4096) % 26);
	text[len] = '\0';
	setup(&r);
	write_file(&r, "text", text);
	write_file(&r, "binary", text);
	write_file(&r, "small", "some words\n");
	CHECK_INT(truncate(path_of(&r, "binary"), (off_t)len - 1), 0);
	CHECK_INT(truncate(path_of(&r, "binary"), (off_t)len), 0);
	begin(&r, UINT64_MAX);
	r.job.budget_bytes = 1;
	text_reader_use(r.reader, &r.job);
	CHECK_INT(settled_fate(&r, "text"), READ_CROWDED);
	CHECK_INT(counter_get(&r.n_docs), 0);
	r.job.squeeze = true;
	text_reader_use(r.reader, &r.job);
	CHECK_INT(settled_fate(&r, "binary"), READ_BINARY);
	CHECK_INT(settled_fate(&r, "small"), READ_TEXT);
	CHECK_INT(settled_fate(&r, "text"), READ_TEXT);
	w = write_segment(&r);
	CHECK_INT(w.n_docs, 3);
	CHECK_INT(w.n_units, 1 + 2);
	CHECK(w.n_postings > n_grams("some words\n"));
	CHECK(w.n_postings <= n_grams("some words\n") + 2 * n_grams(text) + 40);
	teardown(&r);
}

struct writer {
	const char *path;
	_Atomic bool stop;
};

static int
keep_writing(void *arg)
{
	struct writer *w = arg;

	for (unsigned i = 0; !load_acq(&w->stop); i++) {
		int fd = open(w->path, O_WRONLY | O_CLOEXEC | (i % 8 ? O_APPEND : O_TRUNC));

		if (fd >= 0) {
			(void)!write(fd, "another line of it\n", 19);
			(void)close(fd);
		}
	}
	return 0;
}

/* Cut and grown all the time, it never gets a document; mapped and read. */
TEST(text_reader, a_file_that_never_rests_is_never_believed)
{
	struct writer w = {0};
	struct thread thread = {0};
	struct reader r;

	setup(&r);
	write_file(&r, "log", "a line\n");
	begin(&r, UINT64_MAX);
	w.path = strdup(path_of(&r, "log"));
	CHECK_INT(thread_start(&thread, "writer", keep_writing, &w), 0);
	for (unsigned i = 0; i < 50 + test_scale(20000); i++) {
		int got = fate(&r, "log");

		/* The writer may have been kept waiting: then it is what it is. */
		CHECK(got == READ_FRESH || got == READ_CHANGED || got == READ_TEXT);
	}
	store_rel(&w.stop, true);
	CHECK_INT(thread_join(&thread), 0);
	CHECK_INT(settled_fate(&r, "log"), READ_TEXT);
	free((void *)(uintptr_t)w.path);
	teardown(&r);
}
