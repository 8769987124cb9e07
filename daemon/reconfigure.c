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
#include "query/hash_cache.h"
#include "service.h"

static void
configure_in_loop(void *ctx)
{
	struct daemon *d = ctx;
	struct step *s = &d->step;
	struct server_config cfg;
	int r = -ECANCELED;

	if (stop_requested(&d->loop_ended))
		return; /* delivered after the loop: the thread has given up */
	cfg = server_config_of(s->config);
	if (!d->stopping)
		r = server_configure(d->server, &cfg, &s->err);
	future_set(&s->done, r, NULL);
}

/* What the loop has taken it also ends: the token fires when it is over, and a result that is there
 * wins over it. */
static int
configure_server(struct daemon *d, const struct config *c, struct err *err)
{
	struct step *s = &d->step;
	int result, r;

	s->config = c;
	s->err = (struct err){0};
	future_init(&s->done);
	r = server_post(d->server, configure_in_loop, d);
	if (r < 0)
		return err_set(err, r, "could not reach the event loop: %s", err_reason(r));
	r = future_wait(&s->done, &d->loop_ended, &result, NULL);
	if (r < 0 || result == -ECANCELED)
		return err_set(err, -ECANCELED, "the daemon is stopping");
	if (result < 0)
		*err = s->err;
	return result;
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
	if (d->config->watch_max_dirs != c->watch_max_dirs)
		log_warn("watch_max_dirs changes with the next start only, ignoring");
	if (d->config->index_bytes != c->index_bytes)
		log_warn("index_memory changes with the next start only, ignoring");
	return 0;
}

static int reload_main(void *arg);

/* Who waits is told, and waits no more. */
static void
tell(struct reload_waiters *waiters, const struct err *verdict)
{
	for (size_t i = 0; i < waiters->len; i++)
		waiters->data[i].done(waiters->data[i].arg, verdict->code, verdict);
	VEC_FINI(waiters);
	*waiters = (struct reload_waiters){0};
}

static int
start_thread(struct daemon *d, struct err *err)
{
	int r;

	service_reloading();
	d->reload_state = RELOAD_RUNNING;
	d->reload_said = false;
	d->reload_err = (struct err){0};
	r = thread_start(&d->reload_thread, "reload", reload_main, d);
	if (r < 0) {
		d->reload_state = RELOAD_IDLE;
		service_ready();
		return err_set(err, r, "could not reload: %s", err_reason(r));
	}
	return 0;
}

/* The one that was asked for while another one ran. */
static void
start_later(struct daemon *d)
{
	struct err err = {0};
	int r;

	d->waiters = d->later;
	d->later = (struct reload_waiters){0};
	r = d->stopping ? err_set(&err, -ECANCELED, "the daemon is stopping")
	                : start_thread(d, &err);
	if (r == 0)
		return;
	log_error("%s", err.what);
	tell(&d->waiters, &err);
}

static void
finish_in_loop(void *ctx)
{
	struct daemon *d = ctx;
	bool again = d->reload_state == RELOAD_AGAIN;

	(void)thread_join(&d->reload_thread);
	if (d->reload_config) {
		log_set_level(d->reload_config->log_level);
		config_free(d->config);
		d->config = TAKE_PTR(d->reload_config);
	}
	d->reload_state = RELOAD_IDLE;
	if (!d->stopping)
		service_ready();
	tell(&d->waiters, &d->reload_err);
	if (again)
		start_later(d);
}

/* Mostly it is the loop's own listeners that it takes back, so this hardly fails. When it does, the
 * parts differ until the next reload, which takes over the whole again. */
static void
take_back(struct daemon *d)
{
	struct err err = {0};
	int r = configure_server(d, d->config, &err);

	if (r < 0 && r != -ECANCELED)
		log_error("could not take back listeners and limits: %s; reload again", err.what);
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
			take_back(d);
		}
	}
	if (r < 0) {
		config_free(c);
		return r;
	}
	hash_cache_limit(d->hashes, c->hash_cache_bytes);
	*ret = c;
	return 0;
}

static int
reload_main(void *arg)
{
	struct daemon *d = arg;
	struct err *err = &d->reload_err;
	int r = try_reload(d, &d->reload_config, err);

	err->code = r;
	if (r < 0)
		log_error("could not reload the configuration: %s; the old one stays in force",
			err->what);
	else
		log_info("configuration reloaded");
	d->reload_said = server_post(d->server, finish_in_loop, d) == 0; /* else reload_reap() */
	return r;
}

void
reload_reap(struct daemon *d)
{
	int ignored;

	/* What was said is on its way, and must find the reload that it is about: it would join the
	 * next one, which waits for the loop. */
	if (d->reload_state != RELOAD_IDLE &&
		thread_join_until(&d->reload_thread, clock_mono(), &ignored) == 0 &&
		!d->reload_said)
		finish_in_loop(d);
}

int
reload_begin(struct daemon *d, server_done done, void *arg, struct err *err)
{
	bool runs = d->reload_state != RELOAD_IDLE;
	struct reload_waiters *waiters = runs ? &d->later : &d->waiters;
	int r = 0;

	if (d->stopping)
		return err_set(err, -ECANCELED, "the daemon is stopping");
	if (done && VEC_PUSH(waiters, ((struct reload_waiter){done, arg})) < 0)
		return err_set(err, -ENOMEM, "could not reload: out of memory");
	if (runs)
		d->reload_state = RELOAD_AGAIN;
	else
		r = start_thread(d, err);
	if (r < 0 && done)
		waiters->len--;
	return r;
}

void
reload_join(struct daemon *d)
{
	struct err err = {0};

	if (d->reload_state == RELOAD_IDLE)
		return;
	stop_request(&d->loop_ended);
	(void)thread_join(&d->reload_thread);
	config_free(TAKE_PTR(d->reload_config));
	(void)err_set(&err, -ECANCELED, "the daemon is stopping");
	tell(&d->waiters, &err);
	tell(&d->later, &err);
}
