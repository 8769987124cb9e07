/**
 * text_segment: a text segment file, mapped and checked: which grams stand in which contents, and
 * which files have these contents (FORMAT-TEXT.md).
 *
 *     content    a number that names a distinct content for ever
 *     document   content - base, in a segment
 *     unit       what postings name: a document, or a window of a large one
 *
 * Not live: what was dropped after the segment was written is the caller's to know.
 *
 * Ownership: counted; what accessors point to is valid while a reference is held.
 * Threads:   immutable, any thread.
 * Errors:    -EBADMSG damaged, -EOPNOTSUPP of another version, -EIO, -ENOMEM, those of open and
 *            mmap; each with its sentence.
 */
#pragma once

#include "base/err.h"
#include "base/hash.h"
#include "index/text_format.h"
#include "text/text_need.h"

struct text;

enum text_encoding {
	TEXT_ASCII,
	TEXT_UTF8,
	TEXT_UTF16LE,
	TEXT_UTF16BE,
	TEXT_BYTES,  /* other 8 bit */
	TEXT_BINARY, /* not searched */
};
#define TEXT_ENCODING_MASK 7u
#define TEXT_FOLDS 8u    /* characters beyond ASCII that fold into it */
#define TEXT_DROPPED 16u /* nothing but its place is left */
/** All binary files of a root are one content. */
#define TEXT_BINARY_HASH            \
	{                           \
		.low = 1, .high = 0 \
	}

/** The sections. Counts and positions were checked (all but P6 of FORMAT-TEXT.md). */
struct text_cols {
	unsigned n_symbols; /* 3 or 4 */
	uint32_t base, n_docs, n_units, n_live, overlap_bytes, n_groups, n_windows;
	uint64_t n_files, postings_bytes;
	const struct text_doc *docs;
	const uint64_t *marks; /* [n_docs] */
	const uint32_t *hash_order;
	const uint64_t *file_keys;
	const uint32_t *file_contents;
	const uint32_t *unit_doc;
	const struct text_window *windows;
	const struct text_shelf *shelves;
	const uint32_t *groups;
	const char *postings;
};

/** Are these the flags of a document that is not dropped, with these marks? D1 of FORMAT-TEXT.md.
 */
static inline bool
text_flags_fit(uint32_t flags, uint64_t marks)
{
	uint32_t encoding = flags & TEXT_ENCODING_MASK;
	uint64_t beyond = encoding == TEXT_ASCII ? 0 : TEXT_MARKS_BEYOND;

	if (flags & ~(TEXT_ENCODING_MASK | TEXT_FOLDS) || marks & ~TEXT_MARKS_ALL)
		return false;
	if (encoding >= TEXT_BINARY)
		return encoding == TEXT_BINARY && marks == 0;
	return (marks & TEXT_MARKS_BEYOND) == beyond;
}

enum text_open_flags {
	TEXT_OPEN_WRITTEN = 1u << 0, /* by this process, just now: sums prove it */
	TEXT_OPEN_DEEP = 1u << 1,    /* P6, too: every list is decoded */
};

struct text_open_opts {
	enum text_open_flags flags;
	struct pool *pool; /* may be NULL */
};

int text_open(int dirfd, const char *name, const struct text_open_opts *opts, struct text **ret,
	struct err *err);
/** The descriptor stays the caller's. */
int text_open_fd(int fd, const char *name, const struct text_open_opts *opts, struct text **ret,
	struct err *err);
struct text *text_ref(struct text *t);
void text_unref(struct text *t); /* NULL is legal */
const struct text_cols *text_cols(const struct text *t);
uint64_t text_file_bytes(const struct text *t);
/** What was read of the file no longer counts as the process's memory; it comes back when asked. */
void text_cool(const struct text *t);
/** Did the disk fail to give bytes of the mapping since it was opened? Then drop the segment. */
bool text_faulted(const struct text *t);

/** The order of hash_order, but for documents with one content. */
static inline int
text_hash_cmp(const struct text_doc *d, uint64_t high, uint64_t low)
{
	if (d->hash_high != high)
		return d->hash_high < high ? -1 : 1;
	return d->hash_low < low ? -1 : d->hash_low > low;
}

/** The first document with this content: 1 and it, or 0. */
int text_find_hash(const struct text_cols *c, const struct hash128 *hash, uint32_t *ret_doc);
/** The content number that a file with this key has: 1 and it, or 0. It may be of an older segment.
 */
int text_find_file(const struct text_cols *c, uint64_t key, uint32_t *ret_content);
/** The same of n keys, at a fraction of the cost: TEXT_NO_CONTENT where there is none. */
void text_find_files(const struct text_cols *c, const uint64_t *keys, uint32_t n, uint32_t *ret);
#define TEXT_NO_CONTENT UINT32_MAX
#define TEXT_FIND_MANY 128u /* keys that are looked up at once */

/** The units of a document: [lo, hi). */
static inline void
text_units(const struct text_cols *c, uint32_t doc, uint32_t *ret_lo, uint32_t *ret_hi)
{
	*ret_lo = c->docs[doc].first_unit;
	*ret_hi = doc + 1 < c->n_docs ? c->docs[doc + 1].first_unit : c->n_units;
}

/** Where a unit begins in its document: bytes, and lines before it. */
void text_unit_place(
	const struct text_cols *c, uint32_t unit, uint64_t *ret_offset, uint64_t *ret_lines);
