/**
 * rig: a server on a free loopback port and a Unix socket, its loop in a thread, and what a client
 * does. The daemon behind it is a few functions and a snapshot of `n_files` files that are not on
 * any disk ("/t/f000000" ..).
 */
#pragma once

#include "one_stack.h"
#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "index/snapshot.h"
#include "index/tree_build.h"
#include "proto/line.h"
#include "server/server.h"
#include "sync/thread.h"

#define PATIENCE_MSEC 20000

struct rig {
	struct pool *compute, *io;
	struct server *server;
	struct thread loop;
	char *dir, path[256], tcp[64];
	const char *tcp_list[2];
	struct server_config config;
	struct snapshot *snap;
	uint32_t n_files;

	/* `status` waits until the gate is open. */
	struct lock lock;
	struct cond opened;
	bool closed;
	_Atomic int n_at_gate;
	_Atomic int n_before_why; /* n_at_gate when `why` ran last */

	/* What `sync` and `reload` were asked, for the test to end: rig_finish(). */
	server_done done; /* guarded by lock */
	void *done_arg;
	_Atomic int n_asked;
};

static struct snapshot *
rig_snapshot(void *ctx)
{
	struct rig *r = ctx;

	LOCK_SCOPE(&r->lock);
	return snapshot_ref(r->snap);
}

static int
rig_status(void *ctx, struct json *out, struct err *err)
{
	struct rig *r = ctx;

	(void)err;
	(void)add_sc(&r->n_at_gate, 1);
	LOCK_SCOPE(&r->lock);
	while (r->closed)
		cond_wait(&r->opened, &r->lock);
	json_kv_cstr(out, "state", "fine");
	return 0;
}

static int
rig_roots(void *ctx, struct json *out, struct err *err)
{
	(void)ctx;
	(void)out;
	return err_set(err, -EIO, "the catalog could not be read");
}

static int
rig_why(void *ctx, struct span path, struct json *out, struct err *err)
{
	struct rig *r = ctx;

	store_sc(&r->n_before_why, load_sc(&r->n_at_gate));
	(void)err;
	json_kv_str(out, "path", path);
	return 0;
}

static int
rig_stat(void *ctx, struct snapshot *s, struct span path, struct json *out, struct err *err)
{
	uint32_t root, entry;
	int r = snapshot_lookup(s, path, &root, &entry);

	(void)ctx;
	(void)err;
	if (r == 0)
		json_kv_u64(out, "entry", entry);
	return r;
}

static int
rig_rescan(void *ctx, const char *root, struct err *err)
{
	(void)ctx;
	return root ? err_set(err, -ENOENT, "no root has the name '%s'", root) : 0;
}

static void
rig_clock(void *ctx, const struct snapshot *s, struct strbuf *out)
{
	char buf[SNAPSHOT_CLOCK_BYTES];

	(void)ctx;
	(void)strbuf_puts(out, snapshot_clock(s, buf));
}

static void
rig_stale(void *ctx, const struct snapshot *s, struct json *out)
{
	(void)ctx;
	(void)s;
	json_cstr(out, "t");
}

static int
rig_ask(struct rig *r, server_done done, void *arg)
{
	LOCK_SCOPE(&r->lock);
	r->done = done;
	r->done_arg = arg;
	(void)add_sc(&r->n_asked, 1);
	return 0;
}

static int
rig_sync(void *ctx, usec_t deadline, server_done done, void *arg)
{
	(void)deadline;
	return rig_ask(ctx, done, arg);
}

static int
rig_reload(void *ctx, server_done done, void *arg, struct err *err)
{
	(void)err;
	return rig_ask(ctx, done, arg);
}

/* A test sets it before rig_init() when it has something to tell. */
static int (*rig_changes)(void *ctx, struct span clock, const struct snapshot *s,
	int (*fn)(void *arg, uint32_t root, struct span records), void *arg, struct err *err);

static const struct server_ops rig_ops = {
	.sync = rig_sync,
	.reload = rig_reload,
	.snapshot = rig_snapshot,
	.status = rig_status,
	.roots = rig_roots,
	.why = rig_why,
	.stat = rig_stat,
	.rescan = rig_rescan,
	.clock = rig_clock,
	.stale = rig_stale,
};

static inline void
rig_build_snapshot(struct rig *r, uint64_t tick)
{
	struct tree_input root = {.mode = S_IFDIR | 0755, .nlink = 2};
	struct tree_input *in = calloc(r->n_files + 1, sizeof(*in));
	char(*names)[16] = calloc(r->n_files + 1, sizeof(*names));
	AUTO(closep) int dirfd = open(r->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct tree_builder *b = NULL;
	struct tree *tree = NULL;
	uint64_t bytes;

	for (uint32_t i = 0; i < r->n_files; i++) {
		in[i] = (struct tree_input){.mode = S_IFREG | 0644,
			.nlink = 1,
			.size = i,
			.mtime_ns = 1700000000000000000,
			.ino = UINT64_MAX - i,
			.dir = TREE_BUILD_NO_DIR};
		in[i].name.data = names[i];
		in[i].name.len = (size_t)snprintf(names[i], sizeof(names[i]), "f%06u", i);
	}
	CHECK_INT(tree_builder_create(&root, &b), 0);
	CHECK_INT(tree_builder_add(b, 0, in, r->n_files, false), 0);
	CHECK_INT(tree_builder_write(b, dirfd, "t.tree", NULL, &bytes, NULL), 0);
	tree_builder_destroy(b);
	CHECK_INT(tree_open(dirfd, "t.tree", &tree, NULL), 0);
	free(in);
	free(names);
	r->snap = snapshot_create(1);
	r->snap->instance = 0x7f;
	r->snap->epoch = 1;
	r->snap->tick = tick;
	r->snap->roots[0] = (struct snap_root){
		.id = 1, .name = strdup("t"), .path = strdup("/t"), .stack = one_stack(tree)};
	snapshot_seal(r->snap);
}

static inline int
rig_loop(void *arg)
{
	struct rig *r = arg;

	return server_run(r->server);
}

/* Everything but the loop; the configuration may be changed before rig_start(). */
static inline void
rig_init(struct rig *r, uint32_t n_files)
{
	struct server_ops ops = rig_ops;

	*r = (struct rig){.dir = test_dir(), .n_files = n_files};
	ops.ctx = r;
	ops.changes = rig_changes;
	lock_init(&r->lock, RANK_LEAF, "gate");
	cond_init(&r->opened);
	rig_build_snapshot(r, 5);
	CHECK_INT(pool_create("compute", 2, &r->compute), 0);
	CHECK_INT(pool_create("io", 2, &r->io), 0);
	CHECK_INT(server_create(&ops, r->compute, r->io, &r->server, NULL), 0);
	(void)snprintf(r->path, sizeof(r->path), "%s/sock", r->dir);
	r->tcp_list[0] = "127.0.0.1:0";
	r->config = (struct server_config){.tcp = r->tcp_list,
		.unix_path = r->path,
		.unix_mode = 0666,
		.limits = server_limits_default};
}

static inline void
rig_start(struct rig *r)
{
	struct err err = {0};

	CHECK_SAY(server_configure(r->server, &r->config, &err) == 0, "%s", err.what);
	CHECK_INT(thread_start(&r->loop, "loop", rig_loop, r), 0);
}

static inline void
rig_open(struct rig *r, uint32_t n_files)
{
	rig_init(r, n_files);
	rig_start(r);
}

static inline void
rig_gate(struct rig *r, bool closed)
{
	LOCK_SCOPE(&r->lock);
	r->closed = closed;
	cond_broadcast(&r->opened);
}

/* The last sync or reload has ended. */
static inline void
rig_finish(struct rig *r, int result, const char *sentence)
{
	struct err err = {0};
	server_done done;

	if (sentence)
		(void)err_set(&err, result, "%s", sentence);
	{
		LOCK_SCOPE(&r->lock);
		done = r->done;
	}
	done(r->done_arg, result, sentence ? &err : NULL);
}

/* Stop within `grace` and join; the snapshot must have come back. */
static inline void
rig_close(struct rig *r)
{
	server_stop(r->server, USEC_PER_SEC);
	CHECK_INT(thread_join(&r->loop), 0);
	server_destroy(r->server);
	pool_destroy(r->compute);
	pool_destroy(r->io);
	CHECK_INT(arc_refs(&r->snap->shared.arc), 1);
	snapshot_unref(r->snap);
	cond_fini(&r->opened);
	lock_fini(&r->lock);
	test_dir_remove(r->dir);
}

static inline struct server_stats
rig_stats(struct rig *r)
{
	struct server_stats st;

	server_get_stats(r->server, &st);
	return st;
}

/* Wait for a counter of the server to have a value. */
#define UNTIL(cond)                                       \
	do {                                              \
		int left_ = PATIENCE_MSEC;                \
		while (!(cond) && left_-- > 0)            \
			(void)poll(NULL, 0, 1);           \
		CHECK_SAY(left_ > 0, "never: %s", #cond); \
	} while (0)

/* ---- a client ---- */

struct peer {
	int fd;
	struct line_reader in;
	char *line; /* the last one */
};

static inline struct peer
peer_of(int fd)
{
	struct peer p = {.fd = fd};

	CHECK(fd >= 0);
	line_reader_init(&p.in, 64u << 20);
	return p;
}

static inline struct peer
peer_tcp(struct rig *r)
{
	int port = server_tcp_port(r->server, 0);
	struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK_INT(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return peer_of(fd);
}

static inline struct peer
peer_unix(struct rig *r)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", r->path);
	CHECK_INT(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return peer_of(fd);
}

static inline void
peer_close(struct peer *p)
{
	closep(&p->fd);
	line_reader_fini(&p->in);
	free(p->line);
	p->line = NULL;
}

static inline void
say(struct peer *p, const char *text)
{
	CHECK_INT(fd_write_full(p->fd, text, strlen(text)), 0);
}

/* The next line, NULL at the end. */
static inline const char *
hear(struct peer *p)
{
	for (;;) {
		struct pollfd w = {.fd = p->fd, .events = POLLIN};
		struct span line;
		char buf[65536];
		ssize_t n;

		if (line_reader_next(&p->in, &line) == 1) {
			free(p->line);
			p->line = strndup(line.data, line.len);
			return p->line;
		}
		CHECK_SAY(poll(&w, 1, PATIENCE_MSEC) == 1, "no answer");
		n = read(p->fd, buf, sizeof(buf));
		if (n <= 0)
			return NULL;
		CHECK_INT(line_reader_feed(&p->in, buf, (size_t)n), 0);
	}
}

static inline void
hears(struct peer *p, const char *part)
{
	const char *line = hear(p);

	CHECK_SAY(line && strstr(line, part), "heard %.300s, expected %s", line ? line : "the end",
		part);
}

static inline void
hears_end(struct peer *p)
{
	const char *line = hear(p);

	CHECK_SAY(line == NULL, "heard %.300s, expected the end", line);
}

static inline void
asks(struct peer *p, const char *request, const char *part)
{
	say(p, request);
	say(p, "\n");
	hears(p, part);
}
