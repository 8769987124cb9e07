/**
 * hash_cache: hashes of whole files, remembered by what each file was when it was read.
 *
 * The key is a digest of device, inode number, size and times (struct content_stamp); a file that
 * changed has another key, and the old one is forgotten in its turn. Who asks looks at the file
 * first (one statx), so a hash that comes from here is that of the file as it is now, and nothing
 * is read. A file changed within the last tick of its file system's clock is not remembered: it may
 * change once more and keep its times.
 *
 * The least recently asked for are forgotten past the limit. The whole is kept over restarts in a
 * file of its own, written with fd_replace() and believed only when its checksum is right:
 *
 *     0   8  magic "TRAWLH\n\0"
 *     8   4  version, 1
 *     12  4  0
 *     16  8  number of hashes
 *     24  8  XXH3-64 of what follows, seed 1
 *     32  32 each: digest of the stamp, hash; the least recently asked for first
 *
 * Ownership: hash_cache_create()/hash_cache_destroy().
 * Threads:   any; destroy after all others.
 * Errors:    put: none, without memory nothing is remembered. load: -ENOENT, -EBADMSG damaged,
 *            -EOPNOTSUPP of another version. Both: -ENOMEM, -errno.
 * Units:     bytes.
 */
#pragma once

#include "base/hash.h"

struct content_stamp;
struct hash_cache;

#define HASH_CACHE_ENTRY_BYTES 52u /* what one costs in memory, its share of the table included */

/** `max_bytes` 0: nothing is remembered. */
int hash_cache_create(uint64_t max_bytes, struct hash_cache **ret);
void hash_cache_destroy(struct hash_cache *c); /* NULL is legal */
/** Forgets what is past the new limit. */
void hash_cache_limit(struct hash_cache *c, uint64_t max_bytes);

bool hash_cache_get(struct hash_cache *c, const struct content_stamp *stamp, struct hash128 *ret);
/** `now_ns`: when the file was last looked at, on the clock of file times. */
void hash_cache_put(struct hash_cache *c, const struct content_stamp *stamp, int64_t now_ns,
	struct hash128 hash);

int hash_cache_load(struct hash_cache *c, int dirfd, const char *name);
int hash_cache_save(struct hash_cache *c, int dirfd, const char *name);
/** Was anything put since the last save? */
bool hash_cache_dirty(const struct hash_cache *c);

struct hash_cache_stats {
	uint64_t n_hashes, n_bytes, max_bytes, n_found, n_missed, n_forgotten;
};
void hash_cache_get_stats(struct hash_cache *c, struct hash_cache_stats *ret);
