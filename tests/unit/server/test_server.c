#include "rig.h"

#include <signal.h>
#include <sys/stat.h>

TEST(server, stop_ends_every_request_and_leaves_the_loop)
{
	struct rig r;
	struct peer reading, parked, idle;

	rig_open(&r, 100000);
	reading = peer_tcp(&r);
	parked = peer_unix(&r);
	idle = peer_tcp(&r);
	rig_gate(&r, true);
	say(&reading, "{\"id\":1,\"op\":\"status\"}\n{\"id\":2,\"op\":\"why\",\"path\":\"x\"}\n");
	hears(&reading, "{\"id\":2,\"ev\":\"end\"");
	say(&parked, "{\"id\":1,\"op\":\"search\",\"q\":\"f\",\"limit\":0}\n");
	UNTIL(rig_stats(&r).n_rows > 0 && rig_stats(&r).n_running == 1);
	server_stop(r.server, 10 * USEC_PER_SEC);
	hears_end(&idle);
	while (hear(&parked) && strstr(parked.line, "\"ev\":\"rows\""))
		;
	CHECK(strstr(parked.line, "\"code\":\"stopping\"") != NULL);
	hears_end(&parked);
	rig_gate(&r, false);
	hears(&reading, "{\"id\":1,\"ev\":");
	hears_end(&reading);
	CHECK_INT(thread_join(&r.loop), 0);
	peer_close(&reading);
	peer_close(&parked);
	peer_close(&idle);
	rig_close(&r);
}

TEST(server, stop_leaves_a_client_that_does_not_read_behind)
{
	struct rig r;
	struct peer p;

	rig_open(&r, 100000);
	p = peer_unix(&r);
	say(&p, "{\"id\":1,\"op\":\"search\",\"q\":\"f\",\"limit\":0}\n");
	UNTIL(rig_stats(&r).n_rows > 0 && rig_stats(&r).n_running == 0);
	server_stop(r.server, 20 * USEC_PER_MSEC);
	CHECK_INT(thread_join(&r.loop), 0);
	rig_close(&r); /* destroy waits for the query's last step */
	peer_close(&p);
}

TEST(server, stop_may_come_before_the_loop_runs)
{
	struct rig r;

	rig_init(&r, 1);
	server_stop(r.server, 0);
	rig_start(&r);
	CHECK_INT(thread_join(&r.loop), 0);
	rig_close(&r);
}

struct posted {
	struct rig *rig;
	_Atomic int n;
	int left;
};

static void
on_post(void *ctx)
{
	struct posted *p = ctx;

	(void)add_sc(&p->n, 1);
}

/* More than the mailbox holds, from the loop itself: nobody else could make room. */
static void
post_many(void *ctx)
{
	struct posted *p = ctx;

	while (p->left-- > 0)
		CHECK_INT(server_post(p->rig->server, on_post, p), 0);
}

TEST(server, posts_run_in_the_loop_however_many_there_are)
{
	struct rig r;
	struct posted p = {.rig = &r, .left = 5000};

	rig_open(&r, 1);
	CHECK_INT(server_post(r.server, post_many, &p), 0);
	for (int i = 0; i < 5000; i++)
		CHECK_INT(server_post(r.server, on_post, &p), 0);
	UNTIL(load_sc(&p.n) == 10000);
	rig_close(&r);
}

/* Reads a pipe in the loop, and stops watching it at a newline. */
struct reader {
	struct server *server;
	int fd;
	_Atomic int last; /* character */
	_Atomic int n_calls;
};

static void
on_readable(void *ctx)
{
	struct reader *rd = ctx;
	char c;

	(void)add_sc(&rd->n_calls, 1);
	if (read(rd->fd, &c, 1) != 1)
		return;
	if (c == '\n')
		server_unwatch_fd(rd->server, rd->fd);
	store_sc(&rd->last, c);
}

static void
on_tick(void *ctx)
{
	_Atomic int *n = ctx;

	(void)add_sc(n, 1);
}

TEST(server, descriptors_and_ticks_arrive_in_the_loop)
{
	struct reader a = {0}, b = {0};
	_Atomic int ticks = 0;
	struct rig r;
	int pa[2], pb[2];

	CHECK(pipe(pa) == 0 && pipe(pb) == 0);
	rig_init(&r, 1);
	a = (struct reader){.server = r.server, .fd = pa[0]};
	b = (struct reader){.server = r.server, .fd = pb[0]};
	CHECK_INT(server_watch_fd(r.server, pa[0], on_readable, &a), 0);
	CHECK_INT(server_watch_fd(r.server, pb[0], on_readable, &b), 0);
	CHECK_INT(server_every(r.server, USEC_PER_MSEC, on_tick, &ticks), 0);
	CHECK_INT(write(pb[1], "1", 1), 1); /* before the loop runs */
	rig_start(&r);
	UNTIL(load_sc(&b.last) == '1');
	CHECK_INT(write(pa[1], "xy", 2), 2); /* one call a character: it is level-triggered */
	UNTIL(load_sc(&a.last) == 'y');
	CHECK_INT(write(pa[1], "\n", 1), 1);
	UNTIL(load_sc(&a.last) == '\n');
	CHECK_INT(write(pa[1], "z", 1), 1);
	CHECK_INT(write(pb[1], "2", 1), 1);
	UNTIL(load_sc(&b.last) == '2');
	UNTIL(load_sc(&ticks) > 2);
	CHECK_INT(load_sc(&a.n_calls), 3);
	rig_close(&r);
	for (int i = 0; i < 2; i++)
		CHECK(close(pa[i]) == 0 && close(pb[i]) == 0);
}

struct configure {
	struct rig *rig;
	struct server_config *config;
	struct err err;
	_Atomic int result;
};

static void
do_configure(void *ctx)
{
	struct configure *c = ctx;

	store_sc(&c->result, server_configure(c->rig->server, c->config, &c->err));
}

static int
configure(struct rig *r, struct server_config *config, struct err *ret_err)
{
	struct configure c = {.rig = r, .config = config, .result = 1};

	CHECK_INT(server_post(r->server, do_configure, &c), 0);
	UNTIL(load_sc(&c.result) != 1);
	*ret_err = c.err;
	return load_sc(&c.result);
}

TEST(server, a_configuration_is_taken_over_whole_or_not_at_all)
{
	const char *bad[] = {"127.0.0.1:0", "[::1]:0", "0.0.0.0:0", NULL};
	const char *good[] = {"[::1]:0", NULL};
	struct server_config next;
	struct err err = {0};
	struct rig r;
	struct peer p;
	int port;

	rig_open(&r, 1);
	p = peer_unix(&r);
	asks(&p, "ping", "pong");
	port = server_tcp_port(r.server, 0);
	next = r.config;
	next.tcp = bad;
	next.unix_path = NULL;
	CHECK_INT(configure(&r, &next, &err), -EINVAL);
	CHECK(strstr(err.what, "\"0.0.0.0:0\": a listener beyond loopback needs tokens or TLS"));
	CHECK_INT(server_tcp_port(r.server, 0), port);
	CHECK(access(r.path, F_OK) == 0);

	next.tcp = good;
	CHECK_INT(configure(&r, &next, &err), 0);
	CHECK(access(r.path, F_OK) < 0);
	CHECK(server_tcp_port(r.server, 0) > 0);
	asks(&p, "ping", "pong"); /* connections stay */
	peer_close(&p);
	rig_close(&r);
}

TEST(server, a_passed_socket_stands_for_the_address_it_is_bound_to)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const char *tcp[] = {NULL, NULL};
	struct server_config next;
	struct err err = {0};
	struct rig r;
	char text[32];

	CHECK_INT(bind(fd, (struct sockaddr *)&at, len), 0);
	CHECK_INT(listen(fd, 8), 0);
	CHECK_INT(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	(void)snprintf(text, sizeof(text), "127.0.0.1:%d", ntohs(at.sin_port));
	tcp[0] = text;
	rig_open(&r, 1);
	next = r.config;
	next.tcp = tcp;
	next.unix_path = NULL;
	next.inherited_fds = &fd;
	next.n_inherited_fds = 1;
	CHECK_SAY(configure(&r, &next, &err) == 0, "%s", err.what);
	CHECK_STR(server_listener(r.server, 0), text);
	CHECK(server_listener(r.server, 1) == NULL);
	CHECK_INT(server_tcp_port(r.server, 0), ntohs(at.sin_port));
	rig_close(&r);
	closep(&fd);
}

TEST(server, destroying_what_was_only_created_is_legal)
{
	struct server_ops ops = {0};
	struct server *s;

	server_destroy(NULL);
	CHECK_INT(server_create(&ops, NULL, NULL, &s, NULL), 0);
	server_destroy(s);
}
