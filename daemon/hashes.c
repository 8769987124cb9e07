/*
 * hashes: the hashes of files that were compared, kept over restarts in the state directory.
 *
 * They are saved now and then on the I/O pool, and at the end; what a kill takes is read again.
 */
#include "daemon.h"

#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "base/log.h"
#include "query/hash_cache.h"

#define HASHES_FILE "hashes"
#define SAVE_INTERVAL_USEC (60 * USEC_PER_SEC)

static void
save(struct daemon *d)
{
	AUTO(closep) int dir = open(d->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = dir < 0 ? -errno : hash_cache_save(d->hashes, dir, HASHES_FILE);

	if (r < 0)
		log_warn("could not write \"%s/" HASHES_FILE "\": %s, ignoring", d->state_dir,
			err_reason(r));
}

static void
save_run(struct task *t)
{
	struct daemon *d = CONTAINER_OF(t, struct daemon, save);

	save(d);
	future_set(&d->saved, 0, NULL);
}

int
hashes_open(struct daemon *d, struct err *err)
{
	AUTO(closep) int dir = -1;
	int r = hash_cache_create(d->config->hash_cache_bytes, &d->hashes);

	if (r < 0)
		return err_set(err, r, "out of memory");
	future_init(&d->saved);
	future_set(&d->saved, 0, NULL);
	d->save.run = save_run;
	dir = open(d->config->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = dir < 0 ? -errno : hash_cache_load(d->hashes, dir, HASHES_FILE);
	if (r < 0 && r != -ENOENT)
		log_warn("could not use \"%s/" HASHES_FILE "\": %s, files will be read again",
			d->config->state_dir, err_reason(r));
	return 0;
}

void
hashes_tick(struct daemon *d)
{
	usec_t now = clock_mono();

	if (now < d->save_after || !future_is_set(&d->saved) || !hash_cache_dirty(d->hashes))
		return;
	d->save_after = now + SAVE_INTERVAL_USEC;
	future_init(&d->saved);
	if (pool_submit(d->io, &d->save, TASK_INDEX) < 0)
		future_set(&d->saved, 0, NULL);
}

void
hashes_close(struct daemon *d)
{
	if (!d->hashes)
		return;
	(void)future_wait(&d->saved, NULL, NULL, NULL);
	if (hash_cache_dirty(d->hashes))
		save(d);
	hash_cache_destroy(TAKE_PTR(d->hashes));
}
