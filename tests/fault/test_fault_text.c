/* Text segments: built, opened, asked and merged; after any failure nothing is left of what was
 * begun, and what was there before is whole. */
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "index/text_eval.h"
#include "index/text_merge.h"
#include "text/mapfile.h"

#define N_DOCS 400u

static void
files_are_gone(int dirfd, const char *name)
{
	char temp[32];

	(void)snprintf(temp, sizeof(temp), "%s.tmp", name);
	FAULT_CHECK(faccessat(dirfd, name, F_OK, 0) < 0);
	FAULT_CHECK(faccessat(dirfd, temp, F_OK, 0) < 0);
}

static int
add_doc(struct text_adder *a, uint32_t i)
{
	uint32_t grams[] = {i % 7, 5000 + i % 3, 6000 + i * 7919 % 200000}, id;
	struct text_unit_in unit = {.grams = grams, .n_grams = ARRAY_LEN(grams)};
	struct text_doc_in doc = {.order = i + 1, .hash.low = i};
	int r = text_add_unit(a, &unit);

	if (r == 0)
		r = text_add_doc(a, &doc, &id);
	return r < 0 ? r : text_add_file(a, i, id);
}

static int
build(int dirfd, const char *name, uint32_t base, struct pool *pool)
{
	struct text_builder_opts opts = {.n_symbols = 3, .n_adders = 2, .pool = pool};
	struct text_written written;
	struct text_builder *b;
	struct err err = {0};
	int r = text_builder_create(&opts, &b);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < N_DOCS && r >= 0; i++)
		r = add_doc(text_builder_adder(b, i % 2), base + i);
	if (r >= 0) {
		r = text_builder_write(b, dirfd, name, base, NULL, &written, &err);
		FAULT_CHECK(r == 0 || (err.code == r && err.what[0] != '\0'));
	}
	text_builder_destroy(b);
	if (r < 0)
		files_are_gone(dirfd, name);
	return r;
}

static int
with_dir(int (*run)(int dirfd, struct pool *pool))
{
	AUTO(closep) int dirfd = open(fault_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct pool *pool = NULL;
	int r = dirfd < 0 ? -errno : pool_create("text", 2, &pool);

	if (r < 0)
		return r;
	r = run(dirfd, pool);
	pool_destroy(pool);
	return r;
}

static int
build_one(int dirfd, struct pool *pool)
{
	return build(dirfd, "t", 0, pool);
}

static int
run_build(void *arg)
{
	(void)arg;
	return with_dir(build_one);
}

static void
write_and_check(struct text_builder *b)
{
	struct text_open_opts deep = {.flags = TEXT_OPEN_DEEP};
	AUTO(closep) int dirfd = open(fault_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct text_written written;
	struct text *t;
	int r = text_builder_write(b, dirfd, "t", 0, NULL, &written, NULL);

	FAULT_CHECK(r == 0 || r == -ENODATA);
	if (r < 0)
		return;
	FAULT_CHECK(text_open(dirfd, "t", &deep, &t, NULL) == 0);
	text_unref(t);
}

/* What an adder could not take is not there, and the rest is as if nothing had been. */
static int
run_retry(void *arg)
{
	struct text_builder_opts opts = {.n_symbols = 3, .n_adders = 1};
	struct text_builder *b;
	int r = text_builder_create(&opts, &b), lost = 0;

	(void)arg;
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < N_DOCS; i++) {
		r = add_doc(text_builder_adder(b, 0), i);
		if (r < 0) {
			FAULT_CHECK(r == -ENOMEM);
			lost = r;
		}
	}
	(void)fault_off();
	write_and_check(b);
	text_builder_destroy(b);
	return lost;
}

static int sources_fd = -1;

static void
make_sources(void *arg)
{
	(void)arg;
	sources_fd = open(fault_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FAULT_CHECK(sources_fd >= 0 && mapfile_setup() == 0);
	FAULT_CHECK(build(sources_fd, "a", 0, NULL) == 0);
	FAULT_CHECK(build(sources_fd, "b", N_DOCS, NULL) == 0);
}

static void
close_sources(void *arg)
{
	(void)arg;
	closep(&sources_fd);
}

static int
merge_two(int dirfd, struct pool *pool, struct text *const t[2])
{
	uint64_t dropped[N_DOCS / 64 + 1] = {1};
	struct text_merge_source s[] = {{t[0], dropped}, {t[1], NULL}};
	struct text_merge_opts opts = {.pool = pool};
	struct text_written written;
	struct err err = {0};
	int r = text_merge(s, 2, &opts, dirfd, "m", NULL, &written, &err);

	FAULT_CHECK(r == 0 || (err.code == r && err.what[0] != '\0'));
	if (r < 0)
		files_are_gone(dirfd, "m");
	return r;
}

static int
ask(const struct text *t)
{
	struct gram_node one = {GRAM_RANGE, .first = 3, .last = 3};
	struct gram_node more = {GRAM_RANGE, .first = 5000, .last = 5002};
	const struct gram_node *kids[] = {&one, &more};
	struct gram_node both = {.op = GRAM_AND, .n_kids = 2, .kids = kids};
	struct text_eval_opts opts = {0};
	struct text_found found;
	int r = text_eval(text_cols(t), &both, &opts, &found);

	FAULT_CHECK(r < 0 || found.n > N_DOCS / 8);
	text_found_fini(&found);
	return r;
}

static int
open_and_merge(int dirfd, struct pool *pool)
{
	struct text_open_opts opts = {.flags = TEXT_OPEN_DEEP, .pool = pool};
	struct text *t[2] = {NULL, NULL};
	struct err err = {0};
	int r = text_open(dirfd, "a", &opts, &t[0], &err);

	FAULT_CHECK(r == 0 || (err.code == r && err.what[0] != '\0'));
	if (r == 0)
		r = text_open(dirfd, "b", &opts, &t[1], NULL);
	if (r == 0)
		r = ask(t[0]);
	if (r == 0)
		r = merge_two(dirfd, pool, t);
	text_unref(t[0]);
	text_unref(t[1]);
	return r;
}

static int
run_merge(void *arg)
{
	(void)arg;
	return with_dir(open_and_merge);
}

static const struct fault_case cases[] = {
	{.name = "build", .run = run_build, .flags = FAULT_NEEDS_DIR, .min_calls = 30},
	{.name = "retry",
		.run = run_retry,
		.flags = FAULT_NEEDS_DIR,
		.kinds = FAULT_MEMORY,
		.min_calls = 20},
	{.name = "merge",
		.run = run_merge,
		.flags = FAULT_NEEDS_DIR,
		.setup = make_sources,
		.teardown = close_sources,
		.min_calls = 30},
};
FAULT_MAIN(cases)
