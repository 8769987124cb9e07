/**
 * sql_memory: how much memory SQLite may have for one statement.
 *
 * SQLite's own limit is one for the whole process, the catalog's connection with it. Here its
 * allocator is ours: between sql_memory_enter() and sql_memory_leave() what the thread takes and
 * gives back is counted for one statement, and an allocation past its limit fails as if memory were
 * out. What is used outside (the catalog) is not counted.
 *
 * All statements together have a limit too, of which each takes steps of SQL_MEMORY_STEP.
 *
 * Ownership: the struct is the caller's; everything counted in it must be given back within it.
 * Threads:   a struct belongs to one thread at a time; setup once, before SQLite's first use.
 */
#pragma once

#include "base/defs.h"

#define SQL_MEMORY_STEP ((int64_t)1 << 20)

enum sql_memory_refusal { SQL_MEMORY_FINE, SQL_MEMORY_FULL, SQL_MEMORY_ALL_FULL };

struct sql_memory {
	int64_t max_bytes;
	int64_t used_bytes, most_bytes;
	int64_t taken_bytes;             /* of what all may have; >= used_bytes */
	enum sql_memory_refusal refused; /* the last one */
	/* Asked now and then: once it is != 0 nothing more is given. So ends what SQLite polls
	 * nobody for: names that stand for names that stand for names. */
	int (*halted)(void *ctx);
	void *ctx;
	uint32_t n_calls;
};

/** 0, or -EBUSY: SQLite runs with another allocator already. */
int sql_memory_setup(void);
void sql_memory_enter(struct sql_memory *m);
void sql_memory_leave(struct sql_memory *m);
/** For AUTO, after enter. */
void sql_memory_leavep(struct sql_memory **m);
/** Give back the share of what all may have; used_bytes is 0. */
void sql_memory_fini(struct sql_memory *m);
