/**
 * text_merge: adjacent text segments into one, without reading any file.
 *
 * Lists are decoded, shifted and encoded again, a shelf at a time on each thread: memory does not
 * grow with the segments' postings. Documents that `dropped` says lose their grams and units, and
 * keep their place. Numbers between two segments that neither has become dropped documents.
 *
 * Durability: segment_write.h. The sources are untouched.
 *
 * Ownership: sources are borrowed.
 * Threads:   any one; works on the pool, too.
 * Errors:    -EINVAL ranges overlap or descend, or kinds of grams differ; -ECANCELED, -ENOMEM,
 *            -EFBIG, -EIO a source's bytes could not be read, -ENOSPC and others of write; with a
 *            sentence.
 */
#pragma once

#include "index/text_builder.h"

struct text_merge_source {
	const struct text *text;
	/* A bit a document (bit doc % 64 of word doc / 64); NULL: none beyond those of the file. */
	const uint64_t *dropped;
};

struct text_merge_opts {
	struct pool *pool; /* may be NULL */
	/* Is the file still there? false: its row is left out. NULL: all are. Called by one thread.
	 */
	bool (*keep_file)(void *ctx, uint64_t key, uint32_t content);
	void *ctx;
};

/** `sources` ascend by base. Of files with one key the later segment's row stays; rows of documents
 *  that are dropped here go. */
int text_merge(const struct text_merge_source *sources, unsigned n,
	const struct text_merge_opts *opts, int dirfd, const char *name, struct stop *stop,
	struct text_written *ret, struct err *err);
