/**
 * content: the text of one indexed file after another, as it is now.
 *
 * A file is opened below its root without following links, and must still be a regular file. Up to
 * CONTENT_READ_MAX_BYTES it is read into one buffer that is used again, beyond it is mapped. UTF-16
 * is decoded, a mark of UTF-8 left out. Of several files of one directory that come one after the
 * other all but the first are opened from there; the first by its path, because mostly it is the
 * only one.
 *
 * Whether a large file is text, when the index of contents does not say so, is found out a piece at
 * a time, so that the question can end meanwhile; a hole is NULs, and is not read.
 *
 * Ownership: init/fini; the text belongs to the reader until content_close().
 * Threads:   one at a time.
 */
#pragma once

#include <sys/types.h>
#include <time.h>

#include "base/hash.h"
#include "index/snapshot.h"
#include "text/mapfile.h"
#include "text/sniff.h"

struct cursor_opts;

#define CONTENT_READ_MAX_BYTES (1u << 20)
/** UTF-16 is decoded as a whole; more of it counts as too large. */
#define CONTENT_DECODE_MAX_BYTES (256u << 20)
#define CONTENT_HEAD_BYTES (8u << 10)

/** What became of a file; all but the first are counted, never silently dropped. */
enum content_fate {
	CONTENT_OK,
	CONTENT_BINARY, /* holds a NUL */
	CONTENT_TOO_LARGE,
	CONTENT_UNREADABLE,
	CONTENT_GONE,    /* also: no longer a regular file */
	CONTENT_CHANGED, /* since it was opened before */
	CONTENT_OFF,     /* its root has content = no */
	CONTENT_LIMIT,
	N_CONTENT_FATES
};

/* What tells one state of a file from another. */
struct content_stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
	enum sniff kind;
	size_t len; /* of the text */
};

struct content_reader {
	const struct cursor_opts *opts; /* when the question is to end */
	int root_fd, dir_fd;            /* -1 none */
	uint32_t root, layer, dir;      /* what they are of; a dir may not be open yet */
	bool any_dir;                   /* there was one */
	struct strbuf path;             /* of the directory, when it is opened */
	struct strbuf raw, decoded;
	struct mapfile map;
	bool mapped;
	struct content_stamp stamp; /* of the file opened last */
	bool known_text;            /* unchanged since it was indexed as text; by content_open(),
	                               content_open_known() */
	int fd;                     /* -1; of a file of which only the head was read */
};

/** opts are borrowed until fini. */
void content_reader_init(struct content_reader *r, const struct cursor_opts *opts);
void content_reader_fini(struct content_reader *r);

/** The text of an entry: an enum content_fate, -ENOMEM, -ECANCELED or -ETIMEDOUT. *ret_bytes: read
 *  from the file. Every CONTENT_OK is followed by content_close(). */
int content_open(struct content_reader *r, const struct snapshot *s, uint32_t layer, uint32_t entry,
	struct span *ret_text, uint64_t *ret_bytes);
/** The same, but of what is not as the index of contents knows it CONTENT_CHANGED, and nothing of
 * it is read. */
int content_open_known(struct content_reader *r, const struct snapshot *s, uint32_t layer,
	uint32_t entry, struct span *ret_text, uint64_t *ret_bytes);
/** The same as content_open() for who looks for one match: of a file that is as the index of
 * contents knows it, and several times as large as CONTENT_HEAD_BYTES, as many of its first lines
 * as fit there; *ret_more says so. content_read_on() gives all of it. */
int content_open_head(struct content_reader *r, const struct snapshot *s, uint32_t layer,
	uint32_t entry, struct span *ret_text, bool *ret_more, uint64_t *ret_bytes);
/** CONTENT_OK, CONTENT_UNREADABLE or -ENOMEM; content_close() follows in any case. *ret_bytes: what
 *  is read besides. */
int content_read_on(struct content_reader *r, struct span *ret_text, uint64_t *ret_bytes);
/** The text again, if the file still is what r->stamp said when it was CONTENT_OK; else
 *  CONTENT_CHANGED. It is not read through again, unless it is UTF-16. */
int content_reopen(struct content_reader *r, const struct snapshot *s, uint32_t layer,
	uint32_t entry, const struct content_stamp *stamp, struct span *ret_text);
/** A file as dupe.h compares it. */
struct content_digest {
	struct content_stamp stamp; /* of the file now; kind and len mean nothing */
	struct hash128 hash;
	uint64_t n_read; /* bytes */
	bool opened;     /* else the hash was known, and the file was only looked at */
};

/** The hash of all bytes of an entry, text or not: an enum content_fate, -ENOMEM, -ECANCELED or
 *  -ETIMEDOUT. Asks and fills opts->hashes. `before`: of another name of what may be the same
 *  file, or NULL. No close.
 *
 *  The hash is our own: up to CONTENT_READ_MAX_BYTES XXH3-128 of the bytes; beyond it of those
 *  pieces of that length that are not all zeros, each with its offset before it. So holes cost
 *  nothing, however large, and a hole equals the zeros that it reads as. Only files of one size
 *  can be compared by it. */
int content_hash(struct content_reader *r, const struct snapshot *s, uint32_t layer, uint32_t entry,
	const struct cursor_opts *opts, const struct content_digest *before,
	struct content_digest *ret);
/** CONTENT_OK, or CONTENT_UNREADABLE: the file was cut short while it was searched, and what was
 *  found in it does not count. */
enum content_fate content_close(struct content_reader *r);
/** The same of a file that stays open. Any thread. */
enum content_fate content_check(const struct content_reader *r);
