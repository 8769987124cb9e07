/**
 * piece: the names of a piece of a directory become entries of a batch. Internal to the walk.
 *
 * Names come from a listing, or from what an earlier walk knew of a directory that is trusted; from
 * there on both go the same way: judged, looked at, compared with what was known.
 *
 * Threads: each worker has its own.
 */
#pragma once

#include "walk/batch.h"
#include "walk/judge.h"
#include "walk/known.h"
#include "walk/listing.h"

/* What a worker counts between two batches. */
struct tally {
	uint64_t n_entries, n_dirs, n_bytes, n_trusted, n_changed;
	uint64_t n_skipped[N_WALK_SKIPS];
};

struct piece_maker {
	/* Fixed; shared with the other workers. */
	struct judge *judge;
	const struct walk_known *known;
	struct stop *stop;
	_Atomic uint64_t *next_number; /* of directories; relaxed: only uniqueness counts */

	struct listing listing; /* the names of the piece */
	struct filler filler;
	struct tally tally;

	/* Of the directory being read. */
	struct dir *dir;
	struct strbuf path; /* relative to the root, and of its entries; only when rules want it */
	size_t dir_len;     /* of path */
	uint32_t was_at;    /* the next of its known children in order of names */
	uint32_t was_end;   /* where this part of a trusted directory ends; the same of one that is
	                       DIR_NAMED, of its names */
	uint64_t n_listed;
	bool left_out;
	struct piece_part *part; /* of which the names have not been read yet, or NULL */
	bool whole;              /* a listing, not a part of one */

	/* Of the piece. */
	struct known_entry *was; /* KNOWN_STEP: of a trusted directory its entries, else one */
	struct strbuf kids;      /* sub-directories, as dirq_add() takes them */
	uint32_t first_kid, n_kids;
};

/** 0 or -ENOMEM; piece_fini() in both cases. `p` is zeroed but for the fixed fields. */
int piece_init(struct piece_maker *p, size_t batch_bytes);
void piece_fini(struct piece_maker *p);

/** Have d->known open, if anything was known of d: 0 or -ENOMEM. */
int piece_know(const struct piece_maker *p, struct dir *d);
/** Begin with a directory that is open and whose scope is settled; p->path is its path where that
 * is wanted: 0 or -ENOMEM. */
int piece_begin(struct piece_maker *p, struct dir *d);
/** The next names: 1 (there may be none), 0 at the end, -errno of the directory, -EBADMSG: what was
 *  known is damaged. */
int piece_read(struct piece_maker *p);
/** Their list into the filler, which they fit, unless all is as it was; and their sub-directories
 *  into p->kids: 0, -ENOMEM, -EFBIG, -ECANCELED. */
int piece_emit(struct piece_maker *p);
/** The part of d that was read has no more names, or d could not be read. Who ends the last part
 *  of d says so in a list, and what of the known is gone. 0 or -ENOMEM. */
int piece_end(struct piece_maker *p, struct dir *d, enum walk_skip skip);

/** Names for another worker. */
struct piece_part {
	struct dirq_part head;
	uint32_t was_at, was_end; /* of a directory that has names; else: */
	size_t n, names_bytes;
	struct listed listed[]; /* and their names */
};
/** Cut off the later half of the names at hand, when they are many: of malloc, or NULL. After
 *  piece_begin() of a directory that has names, after piece_read() of another. */
struct piece_part *piece_cut(struct piece_maker *p);
/** Begin with a part: what piece_read() then gives is of it alone. `part` is used until
 *  piece_end(). */
void piece_resume(struct piece_maker *p, struct piece_part *part);

/** Something is left out, unless `skip` is SKIP_NONE. */
void piece_count_skip(struct piece_maker *p, enum walk_skip skip);
struct walk_class class_of_stat(const struct statx *st);
/** All but name, class and directory. */
void entry_of_stat(struct walk_entry *e, const struct statx *st);

/** What a rescan knows of a directory that is now `e`; `was` may be NULL, `same` is known_same().
 */
struct dir_was dir_was_of(const struct walk_known *known, const struct known_entry *was, bool same,
	const struct walk_entry *e, const struct walk_class *cls);
/** How much of a directory found in one of scope `above` is looked at; its node may be NULL. */
enum dir_scope dir_scope_of(
	enum dir_scope above, const struct aim_node *node, const struct dir_was *was);
/** Is the .gitignore file of an opened directory, whose path is p->path, what it was? */
bool piece_same_ignore(struct piece_maker *p, const struct dir *d);
