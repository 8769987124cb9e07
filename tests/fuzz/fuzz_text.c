/*
 * A text segment file: as it is, and once more with its sums put right, so that what stands behind
 * the checksums is reached too. What opens is read in every way, and merged with itself dropped in
 * part; what a deep check lets through must come out of a merge as it went in.
 */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "index/text_eval.h"
#include "index/text_list.h"
#include "index/text_merge.h"
#include "text_sums.h"

static uint32_t
n_grams(const struct text_cols *c)
{
	return 1u << (6 * c->n_symbols);
}

static void
look_at_list(const struct text_cols *c, uint32_t gram, bool deep)
{
	static struct text_list l, leaps;
	uint32_t unit, n = 0, last = 0, far;

	if (text_list_find(c, gram, &l) == 0)
		return;
	leaps = l;
	while (text_list_next(&l, &unit) > 0) {
		assert(unit < c->n_units);
		assert(!deep || n == 0 || unit > last);
		last = unit;
		assert(++n <= c->n_units);
	}
	assert(!deep || n == l.n);
	for (uint32_t to = 0; text_list_leap(&leaps, to, &far) > 0; to = far + 1 + far % 7)
		assert(far >= to && far < c->n_units);
}

static void
look_at_docs(const struct text_cols *c)
{
	for (uint32_t i = 0; i < c->n_docs; i++) {
		struct hash128 hash = {c->docs[i].hash_low, c->docs[i].hash_high};
		uint32_t lo, hi, found;

		text_units(c, i, &lo, &hi);
		assert(lo <= hi && hi <= c->n_units);
		if (c->docs[i].flags == TEXT_DROPPED)
			continue;
		assert(text_find_hash(c, &hash, &found) == 1 && found <= i);
	}
	for (uint32_t u = 0; u < c->n_units; u++) {
		uint64_t offset, lines;

		assert(c->unit_doc[u] < c->n_docs);
		text_unit_place(c, u, &offset, &lines);
	}
	for (uint64_t i = 0; i < c->n_files; i++) {
		uint32_t content;

		assert(text_find_file(c, c->file_keys[i], &content) == 1);
		assert(content == c->file_contents[i]);
	}
}

static void
look_at_queries(const struct text_cols *c)
{
	uint32_t gram = n_grams(c) / 3;
	struct gram_node range = {GRAM_RANGE, .first = 0, .last = n_grams(c) - 1};
	struct gram_node one = {GRAM_RANGE, .first = gram, .last = gram};
	const struct gram_node *kids[] = {&one, &range};
	struct gram_node both = {.op = GRAM_AND, .n_kids = 2, .kids = kids};
	struct text_eval_opts opts = {0};
	struct text_found found;

	for (int i = 0; i < 2; i++) {
		opts.flags = i ? TEXT_EVAL_IN_UNIT : 0;
		if (text_eval(c, &both, &opts, &found) == 0 && found.n > 0)
			assert(found.docs[found.n - 1] < c->n_docs);
		text_found_fini(&found);
	}
}

static void
merge_it(struct text *t, bool deep)
{
	struct text_merge_source s = {.text = t};
	struct text_open_opts opts = {.flags = TEXT_OPEN_DEEP};
	struct text_merge_opts none = {0};
	struct text_written written;
	struct text *merged = NULL;
	AUTO(closep) int dirfd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[64];
	struct err err;

	(void)snprintf(name, sizeof(name), "fuzz_text.%d", (int)getpid());
	if (text_merge(&s, 1, &none, dirfd, name, NULL, &written, &err) < 0)
		abort();
	if (text_open(dirfd, name, &opts, &merged, &err) < 0)
		abort();
	for (uint32_t g = 0; g < n_grams(text_cols(t)) && deep; g++)
		assert(text_list_count(text_cols(t), g, g) ==
			text_list_count(text_cols(merged), g, g));
	text_unref(merged);
	(void)unlinkat(dirfd, name, 0);
}

static unsigned n_reached;

unsigned
fuzz_n_reached(void)
{
	return n_reached;
}

static void
try_segment(const uint8_t *data, size_t size, enum text_open_flags flags)
{
	int fd = memfd_create("segment", MFD_CLOEXEC);
	struct text_open_opts opts = {.flags = flags};
	bool deep = flags & TEXT_OPEN_DEEP;
	struct text *t = NULL;
	struct err err = {0};
	int r;

	if (fd < 0 || fd_write_full(fd, data, size) < 0)
		abort();
	r = text_open_fd(fd, "segment", &opts, &t, &err);
	closep(&fd);
	assert(r == 0 || r == -EBADMSG || r == -EOPNOTSUPP || r == -ENOMEM);
	if (r < 0) {
		assert(err.what[0]);
		return;
	}
	n_reached++;
	look_at_docs(text_cols(t));
	for (uint32_t g = 0; g < n_grams(text_cols(t)); g++)
		look_at_list(text_cols(t), g, deep);
	look_at_queries(text_cols(t));
	merge_it(t, deep);
	assert(!text_faulted(t));
	text_unref(t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy || mapfile_setup() < 0)
		abort();
	if (size > 0)
		memcpy(copy, data, size);
	try_segment(copy, size, 0);
	text_sums_put_right(copy, size);
	try_segment(copy, size, 0);
	try_segment(copy, size, TEXT_OPEN_DEEP);
	free(copy);
	return 0;
}
