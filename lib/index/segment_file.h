/**
 * segment_file: what the files of all kinds of segments have in common (FORMAT.md 1 and 2): a
 * header, a table of sections, sums. Internal to lib/index.
 *
 *     r = segment_file_open(fd, name, &kind, err, &f);   mapped; header and table are right
 *     ...                                                the kind's own counts and lengths (H7)
 *     r = segment_file_sums(&f, pool);                   what the sections hold is what was written
 *
 * Nothing is said of what sections mean.
 *
 * Ownership: struct segment_file is the caller's; the mapping is its own until segment_file_close()
 *            or until the caller takes `map`. `name` and `err` are borrowed.
 * Threads:   one; sums are checked on the pool, too.
 * Errors:    -EBADMSG damaged, -EOPNOTSUPP of another version, -EIO the disk gave no bytes, those
 *            of mapfile_open(); each with its sentence.
 */
#pragma once

#include "base/err.h"
#include "sync/pool.h"
#include "text/mapfile.h"

#define SEGMENT_MAGIC_BYTES 8u
#define SEGMENT_HEADER_BYTES 64u
#define SEGMENT_ROW_BYTES 32u
#define SEGMENT_ALIGN 64u
#define SEGMENT_MAX_SECTIONS 64u
#define SEGMENT_OWN_AT 32u    /* the fields of a kind, */
#define SEGMENT_OWN_BYTES 24u /* up to the sum */
#define SEGMENT_SUM_AT 56u

/** Flags of a row. */
#define SEGMENT_OPTIONAL 1u
#define SEGMENT_PARTS_SUMMED 2u /* the sum is 0: the kind sums the parts */

/** A kind of segment: static data. */
struct segment_kind {
	const char *what;  /* "text segment" */
	const char *magic; /* SEGMENT_MAGIC_BYTES with its NUL */
	uint32_t version;
	const char *again;           /* "the segment is made again by ...": the hint, */
	const char *newer;           /* and where a newer trawld wrote it */
	const char *const *names;    /* of sections, by id; NULL: no such id */
	unsigned n_ids, last_needed; /* ids up to last_needed must be there */
	unsigned parts_summed;       /* the id of the section with that flag, or 0 */
};

struct segment_section {
	uint32_t id, flags;
	uint64_t offset, length, sum;
};

struct segment_file {
	struct mapfile map;
	const struct segment_kind *kind;
	const char *name;
	struct err *err;
	uint32_t sub_kind; /* field 28 */
	uint64_t header_sum;
	struct segment_section rows[SEGMENT_MAX_SECTIONS]; /* by id; id 0: not there */
};

int segment_file_open(int fd, const char *name, const struct segment_kind *kind, struct err *err,
	struct segment_file *ret);
/** H8. */
int segment_file_sums(const struct segment_file *f, struct pool *pool);
/** -EBADMSG: section `id` (0: the header) breaks `rule`. */
int segment_damaged(const struct segment_file *f, unsigned id, const char *rule);
/** r, or -EIO with its sentence when bytes could not be read: to be asked after looking at them. */
int segment_file_result(const struct segment_file *f, int r);
void segment_file_close(struct segment_file *f);

static inline const void *
segment_section(const struct segment_file *f, unsigned id)
{
	return f->map.data + f->rows[id].offset;
}
