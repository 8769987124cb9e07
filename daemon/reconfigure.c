/*
 * reconfigure: SIGHUP and the reload request.
 *
 * Reading the file may ask slow name services, and the engine asks the catalog, so both run in a
 * thread of their own; listeners and limits belong to the loop. The order makes it all or nothing:
 * the loop takes the new listeners first, the engine follows, and when the engine refuses, the loop
 * takes the old ones back.
 */
#include "daemon.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "service.h"

/* A step that the reload thread asks of the loop, on the thread's stack. The thread waits until the
 * loop has done it, or has ended without having taken it. */
struct step {
	const struct config *config;
	bool done; /* guarded by d->step_lock, as are the two below */
	int result;
	struct err err;
};

static void
configure_in_loop(void *ctx)
{
	struct daemon *d = ctx;
	struct server_config cfg;
	struct err err = {0};
	struct step *s;
	int r;

	{
		LOCK_SCOPE(&d->step_lock);
		s = TAKE_PTR(d->step);
	}
	if (!s)
		return; /* delivered after the loop: the thread has given up, its stack is gone */
	cfg = server_config_of(s->config);
	r = d->stopping ? -ECANCELED : server_configure(d->server, &cfg, &err);
	LOCK_SCOPE(&d->step_lock);
	s->result = r;
	s->err = err;
	s->done = true;
	cond_broadcast(&d->step_changed);
}

static int
configure_server(struct daemon *d, const struct config *c, struct err *err)
{
	struct step s = {.config = c};
	int r;

	{
		LOCK_SCOPE(&d->step_lock);
		d->step = &s;
	}
	r = server_post(d->server, configure_in_loop, d);
	LOCK_SCOPE(&d->step_lock);
	/* What the loop has taken it also ends. */
	while (r == 0 && !s.done && !(d->loop_ended && d->step))
		cond_wait(&d->step_changed, &d->step_lock);
	d->step = NULL;
	if (r < 0)
		return err_set(err, r, "could not reach the event loop: %s", err_reason(r));
	if (!s.done || s.result == -ECANCELED)
		return err_set(err, -ECANCELED, "the daemon is stopping");
	if (s.result < 0)
		*err = s.err;
	return s.result;
}

/* What only a restart can change. */
static int
check_fixed(const struct daemon *d, const struct config *c, struct err *err)
{
	if (strcmp(d->config->state_dir, c->state_dir) != 0)
		return err_set(err, -EOPNOTSUPP,
			"state_dir cannot change while the daemon runs; restart it");
	if (d->config->threads != c->threads || d->config->io_threads != c->io_threads)
		log_warn("threads and io_threads change with the next start only, ignoring");
	return 0;
}

static void
finish_in_loop(void *ctx)
{
	struct daemon *d = ctx;
	bool again = d->reload_state == RELOAD_AGAIN;

	if (d->reload_state == RELOAD_IDLE)
		return; /* reload_reap() was quicker */
	(void)thread_join(&d->reload_thread);
	if (d->reload_config) {
		log_set_level(d->reload_config->log_level);
		config_free(d->config);
		d->config = TAKE_PTR(d->reload_config);
	}
	d->reload_state = RELOAD_IDLE;
	if (!d->stopping)
		service_ready();
	if (again)
		(void)reload_begin(d, NULL);
}

static int
try_reload(struct daemon *d, struct config **ret, struct err *err)
{
	struct engine_config ec;
	struct config *c;
	int r = config_load(d->config_file, &c, err);

	if (r < 0)
		return r;
	r = check_fixed(d, c, err);
	if (r == 0)
		r = config_check_roots(c, err);
	if (r == 0)
		r = configure_server(d, c, err);
	if (r == 0) {
		ec = engine_config_of(d, c);
		r = engine_reload(d->engine, &ec, err);
		if (r < 0) {
			struct err ignored;

			(void)configure_server(d, d->config, &ignored);
		}
	}
	if (r < 0) {
		config_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

static int
reload_main(void *arg)
{
	struct daemon *d = arg;
	struct err err = {0};
	int r = try_reload(d, &d->reload_config, &err);

	if (r < 0)
		log_error("could not reload the configuration: %s; the old one stays in force",
			err.what);
	else
		log_info("configuration reloaded");
	store_rel(&d->reload_ended, 1);
	(void)server_post(d->server, finish_in_loop, d); /* else reload_reap() finds it */
	return r;
}

void
reload_reap(struct daemon *d)
{
	if (d->reload_state != RELOAD_IDLE && load_acq(&d->reload_ended))
		finish_in_loop(d);
}

int
reload_begin(struct daemon *d, struct err *err)
{
	int r;

	if (d->stopping)
		return err_set(err, -ECANCELED, "the daemon is stopping");
	if (d->reload_state != RELOAD_IDLE) {
		d->reload_state = RELOAD_AGAIN;
		return 0;
	}
	service_reloading();
	d->reload_state = RELOAD_RUNNING;
	store_rlx(&d->reload_ended, 0); /* the thread's start publishes it */
	r = thread_start(&d->reload_thread, "reload", reload_main, d);
	if (r < 0) {
		d->reload_state = RELOAD_IDLE;
		service_ready();
		return err_set(err, r, "could not reload: %s", err_reason(r));
	}
	return 0;
}

void
reload_join(struct daemon *d)
{
	if (d->reload_state == RELOAD_IDLE)
		return;
	{
		LOCK_SCOPE(&d->step_lock);
		d->loop_ended = true;
		cond_broadcast(&d->step_changed);
	}
	(void)thread_join(&d->reload_thread);
	config_free(TAKE_PTR(d->reload_config));
}
