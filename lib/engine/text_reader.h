/**
 * text_reader: one file of a root after the other into a text builder, each in one pass: told from
 * binary, hashed, its lines counted, its grams made.
 *
 * A file is opened below its root without following links, must be a regular one, and is looked at
 * before and after. Up to READ_SMALL_BYTES it is read into one buffer that is used again, beyond it
 * is mapped and taken window by window (text/window.h), so memory is in proportion to neither files
 * nor their lines. When the builder has no room for more windows, the rest of the file is one unit,
 * whose grams are no more than there are (64 MiB of them, and half of that in the builder).
 * Reading ends at the first NUL; a hole is NULs. All binary files are one content.
 *
 * An empty builder makes no segment: of files whose contents are known already, the first is added
 * as if it were new.
 *
 * A file gets a key, so that it is not read again, when it was the same before and after and its
 * times lay back far enough to tell any later change (walk/known.h); else it stays pending. The key
 * is that of the file as it was read: when that is not what the tree knows, a later walk will tell.
 *
 * Ownership: create/destroy. The adder, the stack and the set are borrowed until the next
 *            text_reader_use().
 * Threads:   one at a time.
 * Errors:    what happens to files is a fate; -ENOMEM, -EFBIG (the builder is full) and
 *            -ECANCELED end the reading, and the file is as if it had not been touched.
 */
#pragma once

#include "index/text_builder.h"
#include "index/text_set.h"
#include "index/tree_stack.h"
#include "sync/stop.h"

#define READ_SMALL_BYTES (1u << 20)

enum read_fate {
	READ_TEXT,
	READ_BINARY,
	READ_TOO_LARGE, /* by now, for its root */
	READ_FRESH,     /* its times are too young to be believed: read again, and it has a key */
	READ_CHANGED,   /* while it was read */
	READ_GONE,      /* or no regular file any more */
	READ_REFUSED,   /* could not be opened or read */
	READ_CROWDED, /* not job.squeeze: its windows need more memory than the builder has left */
	N_READ_FATES
};

struct text_reader;

/** What tells one state of an open file from another: 0, -ENODEV it is no regular one, -errno. */
int text_reader_look(int fd, struct text_stamp *ret);

struct text_reader_opts {
	unsigned n_symbols;
	uint64_t max_bytes; /* larger files are left; UINT64_MAX: none */
	struct stop *stop;  /* may be NULL; looked at once a window */
};
int text_reader_create(const struct text_reader_opts *opts, struct text_reader **ret);
void text_reader_destroy(struct text_reader *r); /* NULL is legal */

/** What is read now and where it goes; `set` (may be NULL) is asked for contents that are known. */
struct text_reader_job {
	int root_fd; /* the root's directory */
	const struct tree_stack *stack;
	const struct text_set *set;
	struct text_builder *builder;
	struct text_adder *adder;
	struct counter *n_docs; /* of the builder, from all its readers */
	size_t budget_bytes;    /* of the builder, for windows of one file, too */
	bool squeeze;           /* past it, the rest of a file becomes one unit */
};
void text_reader_use(struct text_reader *r, const struct text_reader_job *job);

/** The file of an entry: an enum read_fate or -errno. *ret_bytes: what was read of it. Orders of an
 *  adder ascend. */
int text_reader_add(struct text_reader *r, struct tree_at at, uint64_t order, uint64_t *ret_bytes);
/** When the youngest READ_FRESH file will have lain back long enough, by clock_real(); 0: none was.
 */
usec_t text_reader_settled_at(const struct text_reader *r);
