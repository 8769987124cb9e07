/**
 * tree_frame: the names of TREE_CHUNK entries as they stand in a segment, packed with zstd; and
 * their way back into memory (FORMAT.md 3.1). Internal to lib/index.
 *
 * Packing makes names a third of what they are or less. Each frame is packed and unpacked by
 * itself, by many threads. What a segment's names are searched in is memory of the process: a scan
 * of names that a kernel short of memory has let go of would read the disk.
 *
 * Ownership: what frame_pack() returns is the packer's until its next call.
 * Threads:   one a packer; frames_unpack() uses the pool.
 */
#pragma once

#include "index/tree.h"
#include "sync/pool.h"

struct frame_packer;
struct frame_packer *frame_packer_create(void); /* NULL: out of memory */
void frame_packer_destroy(struct frame_packer *p);

/** In fewer bytes, or as it is: 0 or -ENOMEM. */
int frame_pack(struct frame_packer *p, struct span names, struct span *ret);

/** Frames of a tree. */
static inline uint32_t
tree_n_frames(const struct tree_cols *c)
{
	return (c->n_entries - 1) / TREE_CHUNK + 1;
}

/** A row of the section `frames`. */
struct tree_frame {
	uint32_t packed; /* bytes in `names` */
	uint32_t bytes;  /* of the names, with their NULs */
};

/** The sections that are unpacked; nothing in them is trusted. */
struct frames_in {
	const struct tree_frame *frames; /* [tree_n_frames()] */
	const char *names;
	uint64_t len; /* of names */
};

/** Bytes that frames_unpack() needs of a tree with these counts. */
size_t frames_room(const struct tree_cols *c);
/** Unpack into `room`, which is zeros and aligned to 8 bytes, and let c->names, frame_at and
 *  name_at point there: 0, -EBADMSG the frames do not hold n_entries names of names_bytes, -ENOMEM.
 */
int frames_unpack(struct tree_cols *c, const struct frames_in *in, struct pool *pool, char *room);
