/* The spill channel's figures: records of 64 bytes through memory, and through files. */
#include "bench_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sync/spill.h"
#include "sync/thread.h"

#define RECORDS 2000000u
#define RECORD_BYTES 64u

static int
receive_all(void *arg)
{
	struct spill *c = arg;
	struct span record;
	int r;

	while ((r = spill_recv(c, &record, NULL)) == 0)
		;
	return r == -EPIPE ? 0 : r;
}

static void
send_all(struct spill *c)
{
	char record[RECORD_BYTES] = {0};

	for (unsigned i = 0; i < RECORDS; i++) {
		memcpy(record, &i, sizeof(i));
		bench_must(spill_send(c, record, sizeof(record)), "send");
	}
	spill_close(c);
}

/* `at_once`: the receiver runs while the sender does, else after it. What is left in $TMPDIR is its
 * owner's to remove. */
static double
through(uint64_t mem_bytes, bool at_once)
{
	struct spill_opts opts = {
		.max_mem_bytes = mem_bytes,
		.max_disk_bytes = 1u << 30,
		.flags = SPILL_AUTO_ACK,
	};
	const char *tmp = getenv("TMPDIR");
	char dir[512];
	struct spill *c;
	struct thread thread;
	struct err err = {0};
	uint64_t began;
	double took;

	(void)snprintf(dir, sizeof(dir), "%s/spill-XXXXXX", tmp ? tmp : "/var/tmp");
	bench_must(mkdtemp(dir) ? 0 : -errno, "make a directory");
	if (spill_open(AT_FDCWD, dir, &opts, &c, &err) < 0)
		bench_must(err.code, err.what);
	began = bench_now();
	if (at_once)
		bench_must(thread_start(&thread, "bench", receive_all, c), "start a thread");
	send_all(c);
	bench_must(at_once ? thread_join(&thread) : receive_all(c), "receive");
	took = bench_per(began, RECORDS);
	(void)spill_destroy(c);
	return took;
}

double
bench_spill_memory(void)
{
	return through(256u << 20, true);
}

double
bench_spill_disk(void)
{
	return through(1u << 16, false);
}
