/**
 * memory: what the process holds, from the kernel and from jemalloc. The only door to jemalloc.
 *
 * Threads: any.
 */
#pragma once

#include "base/defs.h"

struct memory_stats {
	uint64_t rss_bytes, anon_bytes, file_bytes; /* of /proc/self/status */
	bool has_jemalloc;
	uint64_t allocated_bytes, active_bytes, mapped_bytes, retained_bytes;
};

/** From now on a thread of jemalloc's gives unused pages back, within a second. Once, after the
 * first thread of ours: the process's first one is to find it alone (sync/membarrier.h). */
void memory_start(void);
void memory_get_stats(struct memory_stats *ret);
