/**
 * listing: the names of a directory, a buffer full at a time, sorted.
 *
 * note: end. That nothing more comes is known when the kernel, asked once more, gives nothing: a
 * call for each directory. ext4 with indexed directories, its default, says so before: the offset
 * behind the last name is the greatest there is, and whoever asks from there on gets nothing,
 * whatever was added meanwhile. That is so on all of known_fs() (of the others no offset is so
 * great, or there is nothing behind it); where offsets are a server's or a program's, it may be the
 * offset of a name.
 *
 * Ownership: struct listing is its worker's; names point into the buffer until the next read.
 */
#pragma once

#include "walk/name_sort.h"

struct statx;

#define LISTING_BUF_BYTES 65536u
/* The shortest record of getdents64 takes 24 bytes; so a piece has at most 2,730 names. */
#define LISTING_MAX_NAMES (LISTING_BUF_BYTES / 24u)

struct listing {
	char *buf;             /* LISTING_BUF_BYTES, and NAME_PAD_BYTES that only the sort reads */
	struct listed *listed; /* LISTING_MAX_NAMES, and as many to sort with */
	size_t n;
	size_t names_bytes; /* of all n together, with a NUL each */
	bool at_end;        /* the offset behind them is the greatest (note: end) */
};

int listing_init(struct listing *l); /* 0 or -ENOMEM */
void listing_fini(struct listing *l);

/** The next names of the directory, without "." and "..": 1 (n may be 0), 0 at the end, -errno. */
int listing_read(struct listing *l, int fd);

/** statx of name in dirfd as the walk does it: no symbolic link followed, no automount triggered,
 *  no server asked. An empty name is dirfd itself. 0 or -errno. */
int entry_stat(int dirfd, const char *name, struct statx *ret);
