#include "query/sql_memory.h"

#include <errno.h>
#include <malloc.h>
#include <sqlite3.h>

#include "query/sql.h"
#include "sync/atomic.h"
#include "sync/once.h"

#define POLL_CALLS 1024u /* allocations for one look at the clock */

static _Thread_local struct sql_memory *current;

/* What all statements have taken. Relaxed: a sum, nothing else hangs on it. */
static _Atomic int64_t all_taken;

static int
take_step(struct sql_memory *m, int64_t bytes)
{
	int64_t step = ALIGN_UP(bytes, SQL_MEMORY_STEP);

	if (add_rlx(&all_taken, step) + step > (int64_t)SQL_MEMORY_ALL_BYTES) {
		(void)sub_rlx(&all_taken, step);
		m->refused = SQL_MEMORY_ALL_FULL;
		return -ENOMEM;
	}
	m->taken_bytes += step;
	return 0;
}

/* May the thread's statement have so many more? */
static bool
admit(int64_t bytes)
{
	struct sql_memory *m = current;

	if (!m)
		return true;
	if (++m->n_calls % POLL_CALLS == 0 && m->halted(m->ctx) != 0)
		return false;
	if (m->used_bytes + bytes > m->max_bytes) {
		m->refused = SQL_MEMORY_FULL;
		return false;
	}
	return m->used_bytes + bytes <= m->taken_bytes ||
	       take_step(m, m->used_bytes + bytes - m->taken_bytes) == 0;
}

static void
count(int64_t bytes)
{
	struct sql_memory *m = current;

	if (!m)
		return;
	m->used_bytes += bytes;
	m->most_bytes = MAX(m->most_bytes, m->used_bytes);
}

static int
size_of(void *p)
{
	return p ? (int)malloc_usable_size(p) : 0;
}

static void *
take(int n)
{
	void *p = admit(n) ? malloc((size_t)n) : NULL;

	count(size_of(p));
	return p;
}

static void
give(void *p)
{
	count(-size_of(p));
	free(p);
}

static void *
resize(void *p, int n)
{
	int before = size_of(p);
	void *q = admit(MAX(n - before, 0)) ? realloc(p, (size_t)n) : NULL;

	if (q)
		count(size_of(q) - before);
	return q;
}

static int
round_up(int n)
{
	return ALIGN_UP(n, 8);
}

static int
start(void *unused)
{
	(void)unused;
	return SQLITE_OK;
}

static void
stop(void *unused)
{
	(void)unused;
}

static int
setup(void *unused)
{
	static const sqlite3_mem_methods methods = {
		take, give, resize, size_of, round_up, start, stop, NULL};

	(void)unused;
	/* SQLite's own count of all memory takes a lock for each allocation. */
	if (sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK ||
		sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) != SQLITE_OK)
		return -EBUSY;
	return sqlite3_initialize() == SQLITE_OK ? 0 : -ENOMEM;
}

int
sql_memory_setup(void)
{
	static struct once done;

	return once_run(&done, setup, NULL);
}

void
sql_memory_enter(struct sql_memory *m)
{
	assert(!current);
	current = m;
}

void
sql_memory_leave(struct sql_memory *m)
{
	assert(current == m);
	current = NULL;
}

void
sql_memory_leavep(struct sql_memory **m)
{
	sql_memory_leave(*m);
}

void
sql_memory_fini(struct sql_memory *m)
{
	assert_slow(m->used_bytes == 0);
	(void)sub_rlx(&all_taken, m->taken_bytes);
	m->taken_bytes = 0;
}
