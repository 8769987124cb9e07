/* The server: a start, a configuration, a few requests and a stop, with each call failing. A client
 * gets whole lines: every answer ends in `end` or `error`, or the connection is closed. libevent
 * gets its memory from us, too. */
#include "fault.h"
#include "one_stack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "index/record.h"
#include "index/snapshot.h"
#include "index/tree_build.h"
#include "server/server.h"
#include "sync/thread.h"

#define N_FILES 3000u
#define PATIENCE_MSEC 20000
#define IMPATIENCE_MSEC 50

static struct pool *compute, *io;
static struct snapshot *snap;
static char unix_path[512];

static struct snapshot *
take_snapshot(void *ctx)
{
	(void)ctx;
	return snapshot_ref(snap);
}

static int
status(void *ctx, struct json *out, struct err *err)
{
	(void)ctx;
	(void)err;
	json_kv_cstr(out, "state", "fine");
	return 0;
}

static void
clock_text(void *ctx, const struct snapshot *s, struct strbuf *out)
{
	char buf[SNAPSHOT_CLOCK_BYTES];

	(void)ctx;
	(void)strbuf_puts(out, snapshot_clock(s, buf));
}

/* At once, on the thread that asks. */
static int
sync_at_once(void *ctx, usec_t deadline, server_done done, void *arg)
{
	(void)ctx;
	(void)deadline;
	done(arg, 0, NULL);
	return 0;
}

static int
reload_at_once(void *ctx, server_done done, void *arg, struct err *err)
{
	(void)ctx;
	(void)err;
	if (done)
		done(arg, 0, NULL);
	return 0;
}

/* One file came, one went, one was moved. */
static struct strbuf changed;

static void
make_changed(void)
{
	static const struct record records[] = {
		{.kind = RECORD_ADD, .path = SPAN_LIT("f000000"), .mode = S_IFREG},
		{.kind = RECORD_MOVE,
			.path = SPAN_LIT("f000001"),
			.from = SPAN_LIT("was"),
			.mode = S_IFREG},
		{.kind = RECORD_DELETE, .path = SPAN_LIT("gone"), .mode = S_IFDIR},
		{.kind = RECORD_DELETE, .path = SPAN_LIT("gone/file"), .mode = S_IFREG},
	};
	struct record_writer w = {0};

	for (size_t i = 0; i < ARRAY_LEN(records); i++)
		FAULT_CHECK(record_put(&w, &records[i]) == 0);
	FAULT_CHECK(record_finish(&w, &changed) == 0);
	record_writer_fini(&w);
}

static int
changes(void *ctx, struct span clock, const struct snapshot *s,
	int (*fn)(void *arg, uint32_t root, struct span records), void *arg, struct err *err)
{
	(void)ctx;
	(void)s;
	(void)err;
	return span_eq(clock, SPAN_LIT("old")) ? -ESTALE : fn(arg, 1, strbuf_view(&changed));
}

static const struct server_ops ops = {
	.snapshot = take_snapshot,
	.status = status,
	.clock = clock_text,
	.sync = sync_at_once,
	.reload = reload_at_once,
	.changes = changes,
};

static struct tree *
build_tree(int dirfd)
{
	static struct tree_input in[N_FILES];
	static char names[N_FILES][16];
	struct tree_input root = {.mode = S_IFDIR | 0755, .nlink = 2};
	struct tree_builder *b = NULL;
	struct tree *tree = NULL;
	uint64_t bytes;

	for (uint32_t i = 0; i < N_FILES; i++) {
		in[i] = (struct tree_input){.mode = S_IFREG | 0644,
			.nlink = 1,
			.ino = i + 10,
			.size = i < 9 ? 5 : 0, /* files that are not there */
			.dir = TREE_BUILD_NO_DIR};
		in[i].name.data = names[i];
		in[i].name.len = (size_t)snprintf(names[i], sizeof(names[i]), "f%06u", i);
	}
	FAULT_CHECK(tree_builder_create(&root, &b) == 0);
	FAULT_CHECK(tree_builder_add(b, 0, in, N_FILES, false) == 0);
	FAULT_CHECK(tree_builder_write(b, dirfd, "t.tree", NULL, &bytes, NULL) == 0);
	tree_builder_destroy(b);
	FAULT_CHECK(tree_open(dirfd, "t.tree", &tree, NULL) == 0);
	return tree;
}

static void
setup(void *arg)
{
	int dirfd = open(fault_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)arg;
	event_set_mem_functions(malloc, realloc, free);
	snap = snapshot_create(1);
	snap->roots[0] = (struct snap_root){
		.id = 1,
		.name = strdup("t"),
		.path = strdup("/t"),
		.stack = one_stack(build_tree(dirfd)),
	};
	snapshot_seal(snap);
	(void)close(dirfd);
	FAULT_CHECK(pool_create("compute", 2, &compute) == 0);
	FAULT_CHECK(pool_create("io", 2, &io) == 0);
	(void)snprintf(unix_path, sizeof(unix_path), "%s/sock", fault_dir());
	make_changed();
}

static void
teardown(void *arg)
{
	(void)arg;
	pool_destroy(compute);
	pool_destroy(io);
	FAULT_CHECK(arc_refs(&snap->shared.arc) == 1);
	snapshot_unref(snap);
	strbuf_fini(&changed);
	(void)epoch_flush();
}

/* The client calls the kernel itself: its descriptors are not to fail. */
static int
dial(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = (int)syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", unix_path);
	FAULT_CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
	return fd;
}

/* Is there input, or its end? While descriptors or memory stay out nobody may be there to answer;
 * until then a slow machine is no reason to leave. */
static bool
comes(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	for (unsigned i = 0; i < PATIENCE_MSEC / IMPATIENCE_MSEC; i++) {
		bool out = fault_lasts() && fault_hit();

		if (poll(&p, 1, IMPATIENCE_MSEC) != 0)
			return true;
		if (out)
			return false;
	}
	fault_fail("no answer within %u ms", PATIENCE_MSEC);
}

/* Reads until `n` answers ended; true: the server closed before that. Whole lines only. */
static bool
hear(int fd, unsigned n)
{
	static char line[1 << 20];
	size_t len = 0;

	while (n > 0) {
		ssize_t got;

		if (!comes(fd))
			return true;
		got = read(fd, line + len, 1);
		if (got <= 0)
			return true;
		if (line[len++] != '\n') {
			FAULT_CHECK(len < sizeof(line) - 1);
			continue;
		}
		line[len] = '\0';
		if (line[0] != '{' || line[len - 2] != '}')
			fault_fail("half a line: %s", line);
		n -= strstr(line, "\"ev\":\"end\"") || strstr(line, "\"ev\":\"error\"");
		len = 0;
	}
	return false;
}

static void
ask_for(const char *requests, unsigned n)
{
	int fd = dial();
	ssize_t sent = send(fd, requests, strlen(requests), MSG_NOSIGNAL);

	FAULT_CHECK(sent == (ssize_t)strlen(requests) || fault_hit());
	FAULT_CHECK(!hear(fd, n) || fault_hit());
	(void)close(fd);
}

static void
ask(void)
{
	ask_for("{\"id\":1,\"op\":\"hello\",\"version\":\"trawl/1\"}\n"
		"{\"id\":2,\"op\":\"status\"}\n"
		"{\"id\":3,\"op\":\"search\",\"q\":\"name:f*1 sort:name\",\"limit\":500}\n"
		"{\"id\":4,\"op\":\"nothing\"}\n"
		"{\"id\":5,\"op\":\"search\",\"q\":\"(\"}\n"
		"{not json\n"
		"{\"id\":6,\"op\":\"du\",\"paths\":[\"/t\",\"/no\"],\"files\":true,\"depth\":1,"
		"\"total\":true,\"limit\":600}\n"
		"{\"id\":7,\"op\":\"top\",\"path\":\"/t\"}\n"
		"{\"id\":8,\"op\":\"stats\",\"q\":\"name:f*\",\"by\":\"dir\"}\n"
		"{\"id\":9,\"op\":\"dupes\"}\n",
		10);
}

/* What sleeps, and what has changed. */
static void
ask_later(void)
{
	ask_for("{\"id\":1,\"op\":\"clock\",\"sync_ms\":20000}\n"
		"{\"id\":2,\"op\":\"reload\",\"wait\":true}\n"
		"{\"id\":3,\"op\":\"since\",\"clock\":\"c:0:0:0\",\"fields\":[\"path\",\"size\"]}\n"
		"{\"id\":4,\"op\":\"since\",\"clock\":\"old\",\"q\":\"name:f00000*\"}\n"
		"{\"id\":5,\"op\":\"subscribe\",\"clock\":\"c:0:0:1\"}\n",
		4); /* the subscription ends with the connection */
}

static int
loop(void *arg)
{
	return server_run(arg);
}

static int
refused(int r, const struct err *err)
{
	FAULT_CHECK(err->code == r && err->what[0] != '\0');
	return r;
}

static int
configure(struct server *s)
{
	static const char *const tcp[] = {"127.0.0.1:0", NULL};
	static const uid_t uids[] = {4242};
	struct server_config cfg = {.tcp = tcp,
		.unix_path = unix_path,
		.unix_mode = 0600,
		.allow_uids = uids,
		.n_allow_uids = 1,
		.limits = server_limits_default};
	struct err err = {0};
	int r = server_configure(s, &cfg, &err);

	return r < 0 ? refused(r, &err) : 0;
}

static int
create(struct server **ret)
{
	struct err err = {0};
	int r = server_create(&ops, compute, io, ret, &err);

	FAULT_CHECK((r == 0) == (*ret != NULL));
	return r < 0 ? refused(r, &err) : 0;
}

/* A configuration that was refused leaves the one before: here none, and another try succeeds. */
static int
start_only(void *arg)
{
	struct server *s = NULL;
	int r = create(&s);

	(void)arg;
	if (r < 0)
		return r;
	r = configure(s);
	(void)fault_off();
	FAULT_CHECK(configure(s) == 0);
	FAULT_CHECK(server_tcp_port(s, 0) > 0);
	server_destroy(s);
	return r;
}

static struct server *running;
static struct thread loop_thread;

static void
setup_running(void *arg)
{
	setup(arg);
	FAULT_CHECK(create(&running) == 0);
	FAULT_CHECK(configure(running) == 0);
	FAULT_CHECK(thread_start(&loop_thread, "loop", loop, running) == 0);
}

static void
teardown_running(void *arg)
{
	server_stop(running, 10 * USEC_PER_SEC);
	FAULT_CHECK(thread_join(&loop_thread) == 0);
	server_destroy(running);
	teardown(arg);
}

static int
serve(void *arg)
{
	(void)arg;
	ask();
	(void)fault_off();
	ask();
	return 0;
}

static int
serve_later(void *arg)
{
	(void)arg;
	ask_later();
	(void)fault_off();
	ask_later();
	return 0;
}

static _Atomic unsigned n_posted; /* relaxed: counted in the loop, read when that has ended */

static void
count_post(void *ctx)
{
	(void)ctx;
	(void)add_rlx(&n_posted, 1);
}

static int
post(void *arg)
{
	unsigned n = 0;
	int r = 0, failure = 0;

	(void)arg;
	for (int i = 0; i < 20; i++) {
		r = server_post(running, count_post, NULL);
		n += r == 0;
		failure = r < 0 ? r : failure;
	}
	server_stop(running, USEC_PER_SEC);
	FAULT_CHECK(thread_join(&loop_thread) == 0);
	FAULT_CHECK(load_rlx(&n_posted) <= n);
	return failure;
}

#define RUNNING .setup = setup_running, .teardown = teardown_running, .flags = FAULT_NEEDS_DIR

static const struct fault_case cases[] = {
	{.name = "create, configure",
		.run = start_only,
		.setup = setup,
		.teardown = teardown,
		.flags = FAULT_NEEDS_DIR,
		.min_calls = 25},
	{.name = "serve",
		.run = serve,
		RUNNING,
		.kinds = FAULT_MEMORY | FAULT_THREAD,
		.min_calls = 60},
	{.name = "serve, descriptors", .run = serve, RUNNING, .kinds = FAULT_FD, .min_calls = 1},
	{.name = "serve what sleeps",
		.run = serve_later,
		RUNNING,
		.kinds = FAULT_MEMORY | FAULT_THREAD,
		.min_calls = 60},
	{.name = "post", .run = post, RUNNING, .min_calls = 20},
};

FAULT_MAIN(cases)
