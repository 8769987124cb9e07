/*
 * A tree segment file: as it is, and once more with its sums put right, so that what stands behind
 * the checksums is reached too.
 */
#include "fuzz.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "base/hash.h"
#include "index/tree.h"
#include "index/tree_format.h"

static void
look_at_everything(const struct tree_cols *c)
{
	struct strbuf path = {0};

	for (uint32_t e = 0; e < c->n_entries; e++) {
		uint32_t found, lo, hi;

		assert(tree_name(c, e).len <= TREE_NAME_MAX_BYTES);
		(void)tree_type(c, e);
		(void)tree_depth(c, e);
		strbuf_reset(&path);
		assert(tree_path(c, e, &path) == 0);
		assert(tree_lookup(c, strbuf_view(&path), &found) == 0 && found == e);
		if (tree_dir(c, e) == TREE_NO_DIR)
			continue;
		tree_subtree(c, tree_dir(c, e), &lo, &hi);
		assert(lo <= hi && hi <= c->n_entries);
	}
	for (uint64_t at = 0; at < c->names_bytes; at++)
		assert(tree_entry_at(c, at) < c->n_entries);
	strbuf_fini(&path);
}

static void
try_segment(const uint8_t *data, size_t size)
{
	int fd = memfd_create("segment", MFD_CLOEXEC);
	struct tree *t = NULL;
	struct err err = {0};
	int r;

	if (fd < 0 || fd_write_full(fd, data, size) < 0)
		abort();
	r = tree_open_fd(fd, "segment", &t, &err);
	closep(&fd);
	assert(r == 0 || r == -EBADMSG || r == -EOPNOTSUPP || r == -ENOMEM);
	if (r < 0) {
		assert(err.what[0]);
		return;
	}
	look_at_everything(tree_cols(t));
	assert(!tree_faulted(t));
	tree_unref(t);
}

/* FORMAT.md 2 */
static void
put_sums_right(uint8_t *data, size_t size)
{
	uint32_t header_bytes, n_sections;
	uint64_t sum = 0;

	if (size < TREE_HEADER_BYTES)
		return;
	memcpy(&header_bytes, data + 12, 4);
	memcpy(&n_sections, data + 24, 4);
	for (size_t i = 0; i < MIN(n_sections, TREE_MAX_SECTIONS); i++) {
		uint8_t *row = data + TREE_HEADER_BYTES + i * TREE_ROW_BYTES;
		uint64_t offset, length;
		uint32_t id;

		if ((size_t)(row - data) + TREE_ROW_BYTES > size)
			break;
		memcpy(&id, row, 4);
		memcpy(&offset, row + 8, 8);
		memcpy(&length, row + 16, 8);
		if (offset > size || length > size - offset)
			continue;
		sum = hash64(data + offset, length, id);
		memcpy(row + 24, &sum, 8);
	}
	if (header_bytes < TREE_HEADER_BYTES || header_bytes > size)
		return;
	memset(data + TREE_SUM_AT, 0, 8);
	sum = hash64(data, header_bytes, 0);
	memcpy(data + TREE_SUM_AT, &sum, 8);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy || mapfile_setup() < 0)
		abort();
	if (size > 0)
		memcpy(copy, data, size);
	try_segment(copy, size);
	put_sums_right(copy, size);
	try_segment(copy, size);
	free(copy);
	return 0;
}
