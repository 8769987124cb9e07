#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "memory.h"
#include "query/sql.h"
#include "service.h"
#include "sync/registry.h"
#include "text/mapfile.h"

#define STATUS_INTERVAL_USEC USEC_PER_SEC
#define ADDRESS_FILE "address"

static void
on_engine_event(void *ctx, bool trouble, const char *text)
{
	(void)ctx;
	log_write(trouble ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, NULL, "%s", text);
}

struct engine_config
engine_config_of(struct daemon *d, const struct config *c)
{
	return (struct engine_config){
		.state_dir = c->state_dir,
		.roots = c->roots.data,
		.n_roots = c->roots.len,
		.io = d->io,
		.index_bytes = c->index_bytes,
		.pressure_percent = c->pressure_percent,
		.watch_max_dirs = c->watch_max_dirs,
		.on_event = on_engine_event,
		.ctx = d,
	};
}

struct server_config
server_config_of(const struct config *c)
{
	struct server_config s = {
		.tcp = (const char *const *)c->tcp,
		.unix_path = c->unix_path && c->unix_path[0] ? c->unix_path : NULL,
		.unix_mode = (mode_t)c->unix_mode,
		.allow_uids = c->allow_uids.data,
		.n_allow_uids = c->allow_uids.len,
		.allow_gids = c->allow_gids.data,
		.n_allow_gids = c->allow_gids.len,
		.admin_uids = c->admin_uids.data,
		.n_admin_uids = c->admin_uids.len,
		.limits = c->limits,
	};

	s.n_inherited_fds = service_listen_fds(&s.inherited_fds);
	return s;
}

/* Health: a task through the compute pool and back. While one does not come back, the watchdog
 * starves. */
static void
beat_run(struct task *t)
{
	struct daemon *d = CONTAINER_OF(t, struct daemon, beat);

	future_set(&d->beat_back, 0, NULL);
}

static void
on_watchdog(void *ctx)
{
	struct daemon *d = ctx;

	if (!future_is_set(&d->beat_back))
		return;
	service_watchdog();
	future_init(&d->beat_back);
	if (pool_submit(d->compute, &d->beat, TASK_QUERY) < 0)
		beat_run(&d->beat);
}

static void
on_status_tick(void *ctx)
{
	struct daemon *d = ctx;
	struct engine_status s;
	uint64_t entries = 0, walking = 0;
	size_t n_walking = 0;

	reload_reap(d);
	hashes_tick(d);
	if (engine_status(d->engine, &s) < 0)
		return;
	for (size_t i = 0; i < s.n_roots; i++) {
		entries += s.roots[i].n_entries;
		walking += s.roots[i].walk_entries;
		n_walking += s.roots[i].state == ROOT_INDEXING;
	}
	if (n_walking > 0)
		service_status("walking %zu of %zu roots, %" PRIu64 " entries so far", n_walking,
			s.n_roots, walking);
	else
		service_status("serving %zu roots, %" PRIu64 " entries", s.n_roots, entries);
	engine_status_fini(&s);
}

static void
on_stop_signal(struct daemon *d, const struct signal_event *e)
{
	const char *name = sigabbrev_np(e->signo);

	if (d->stopping) {
		log_warn("SIG%s again: ending at once", name);
		_exit(1); /* what was committed is safe, see the engine's commit order */
	}
	d->stopping = true;
	log_info("stopping on SIG%s", name);
	service_stopping();
	engine_stop(d->engine);
	server_stop(d->server, DAEMON_FLUSH_USEC);
}

static void
on_signals(void *ctx)
{
	struct daemon *d = ctx;
	struct signal_event e;
	struct err err = {0};

	while (signals_next(&d->signals, &e) > 0) {
		if (e.signo != SIGHUP)
			on_stop_signal(d, &e);
		else if (reload_begin(d, NULL, NULL, &err) < 0)
			log_error("%s", err.what);
	}
}

/* Where clients find us, for scripts: the first TCP address, one line in the state directory. */
static void
write_address(const struct daemon *d)
{
	AUTO(closep) int dir = open(d->config->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(strbuf_fini) struct strbuf text = {0};
	const char *address;
	int r;

	for (size_t i = 0; (address = server_listener(d->server, i)); i++) {
		if (!span_starts(span_of(address), SPAN_LIT("unix:")))
			break;
	}
	if (dir < 0 || !address || strbuf_printf(&text, "%s\n", address) < 0)
		return;
	r = fd_replace(dir, ADDRESS_FILE, text.data, text.len, 0644);
	if (r < 0)
		log_warn("could not write \"%s/%s\": %s, ignoring", d->config->state_dir,
			ADDRESS_FILE, err_reason(r));
}

static void
log_listeners(const struct daemon *d)
{
	const char *address;

	for (size_t i = 0; (address = server_listener(d->server, i)); i++)
		log_info("listening on %s", address);
}

/* Each process needs a descriptor a connection: take what the hard limit gives. */
static void
raise_fd_limit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &l);
	}
}

static int
make_pools(struct daemon *d, struct err *err)
{
	unsigned cpus = thread_cpus();
	unsigned io = d->config->io_threads ? d->config->io_threads : MAX(4u, 2 * cpus);
	int r = pool_create("compute", d->config->threads, &d->compute);

	memory_start();
	if (r == 0)
		r = pool_create("io", io, &d->io);
	return r < 0 ? err_set(err, r, "could not start the worker threads: %s", err_reason(r)) : 0;
}

static void
on_publish(void *ctx, uint64_t tick)
{
	struct daemon *d = ctx;

	(void)tick;
	LOCK_SCOPE(&d->nudge_lock);
	if (d->nudges)
		server_nudge(d->server);
}

static void
set_nudges(struct daemon *d, bool on)
{
	LOCK_SCOPE(&d->nudge_lock);

	d->nudges = on;
}

static int
make_server(struct daemon *d, struct err *err)
{
	struct server_config cfg = server_config_of(d->config);
	struct server_ops ops;
	int r;

	api_fill(&ops, d);
	r = server_create(&ops, d->compute, d->io, &d->server, err);
	if (r < 0)
		return r;
	set_nudges(d, true);
	engine_on_publish(d->engine, on_publish, d);
	return server_configure(d->server, &cfg, err);
}

static int
watch_events(struct daemon *d)
{
	usec_t watchdog = service_watchdog_interval();
	int r = server_watch_fd(d->server, d->signals.fd, on_signals, d);

	if (r == 0)
		r = server_every(d->server, STATUS_INTERVAL_USEC, on_status_tick, d);
	if (r == 0 && watchdog > 0)
		r = server_every(d->server, watchdog, on_watchdog, d);
	return r;
}

static int
daemon_start(struct daemon *d, struct err *err)
{
	struct engine_config ec;
	int r = make_pools(d, err);

	if (r < 0)
		return r;
	ec = engine_config_of(d, d->config);
	r = engine_create(&ec, &d->engine, err);
	if (r < 0)
		return r;
	r = hashes_open(d, err);
	if (r < 0)
		return r;
	r = make_server(d, err);
	if (r < 0)
		return r;
	r = watch_events(d);
	if (r < 0)
		return err_set(err, r, "could not set up the event loop: %s", err_reason(r));
	r = engine_start(d->engine, err);
	if (r < 0)
		return r;
	if (!realpath(d->config->state_dir, d->state_dir))
		(void)snprintf(d->state_dir, sizeof(d->state_dir), "%s", d->config->state_dir);
	write_address(d);
	log_listeners(d);
	return 0;
}

/* What may hang at the end: a walk in the kernel (a dead mount). It is waited for by a thread of
 * its own, which says where it is. */
static int
close_engine(void *arg)
{
	struct daemon *d = arg;

	thread_doing("waits for the reload");
	reload_join(d);
	thread_doing("waits for requests");
	set_nudges(d, false);
	server_destroy(d->server); /* before the engine: its requests still ask that */
	hashes_close(d);
	thread_doing("waits for walks");
	engine_destroy(d->engine);
	thread_doing("waits for the workers");
	pool_destroy(d->compute);
	pool_destroy(d->io);
	return 0;
}

static void
warn_of_late(void)
{
	AUTO(strbuf_fini) struct strbuf names = {0};

	(void)registry_report(&names);
	log_warn("not ended in time: %s; ending without them", strbuf_view(&names).data);
}

/* Waits until the deadline, then ends the process: everything committed is durable by then. */
static void
close_engine_until(struct daemon *d, usec_t deadline)
{
	struct thread closing;
	int result;

	if (thread_start(&closing, "close", close_engine, d) < 0) {
		(void)close_engine(d);
	} else if (thread_join_until(&closing, deadline, &result) < 0) {
		warn_of_late();
		_exit(0);
	}
}

static void
daemon_stop(struct daemon *d, usec_t deadline)
{
	close_engine_until(d, deadline);
	config_free(d->config);
}

static int
daemon_open(struct daemon *d, struct err *err)
{
	int r = config_load(d->config_file, &d->config, err);

	if (r < 0)
		return r;
	log_set_level(d->config->log_level);
	raise_fd_limit();
	r = mapfile_setup();
	if (r < 0)
		return err_set(err, r, "could not install the SIGBUS handler: %s", err_reason(r));
	return daemon_start(d, err);
}

static int
serve(struct daemon *d)
{
	struct err err = {0};
	int r = daemon_open(d, &err);

	if (r < 0) {
		log_error("%s%s%s", err.what, err.hint[0] ? "; " : "", err.hint);
		daemon_stop(d, clock_deadline(DAEMON_STOP_USEC));
		return r;
	}
	log_info("trawld %s started in %.3f s", TRAWL_VERSION,
		(double)(clock_mono() - d->started_mono) / (double)USEC_PER_SEC);
	service_ready();
	r = server_run(d->server);
	daemon_stop(d, clock_deadline(DAEMON_STOP_USEC - DAEMON_FLUSH_USEC));
	log_info("stopped");
	return r;
}

int
daemon_run(const char *config_file)
{
	static const int signos[] = {SIGHUP, SIGTERM, SIGINT, 0};
	struct daemon d = {
		.config_file = config_file,
		.started_mono = clock_mono(),
		.beat = {.run = beat_run},
	};
	int r;

	stop_init(&d.loop_ended, NULL);
	lock_init(&d.nudge_lock, RANK_LEAF, "nudges");
	future_init(&d.beat_back);
	beat_run(&d.beat); /* the first one's turn */
	/* From the first moment on: one that comes while the index is opened waits for the loop. */
	r = signals_open(&d.signals, signos);
	log_open();
	if (r < 0)
		log_error("could not take signals as events: %s", err_reason(r));
	if (sql_setup() < 0)
		log_error("could not limit the memory of SQL: no statement is answered");
	service_open();
	r = r < 0 ? r : serve(&d);
	stop_fini(&d.loop_ended);
	lock_fini(&d.nudge_lock);
	service_close();
	log_close();
	signals_close(&d.signals);
	return r < 0 ? 1 : 0;
}
