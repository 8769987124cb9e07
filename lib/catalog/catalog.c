#include "catalog/catalog.h"

#include "base/fd.h"
#include "base/log.h"
#include "catalog/rows.h"
#include "catalog/schema.h"
#include "catalog/state_lock.h"
#include "sync/future.h"
#include "sync/select.h"
#include "sync/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#define DB_NAME "catalog.db"
#define STATE_PATH_MAX_BYTES 490
#define MAX_REQUESTS 64u
/* The log is emptied when nobody asks, and at the latest after so many commits. */
#define CHECKPOINT_IDLE_USEC USEC_PER_SEC
#define COMMITS_PER_CHECKPOINT 64u

struct catalog {
	/* Fixed at open. */
	uint64_t instance, epoch;
	int lock_fd;
	struct chan *requests; /* of struct request, on their callers' stacks */
	struct thread thread;

	/* The thread's while it runs; before and after, of whoever opens and closes. */
	struct db *db;
	unsigned n_commits; /* since the last checkpoint */
};

typedef int (*request_fn)(struct catalog *c, void *arg, struct err *err);

/* Filled by the caller; *arg and *err are the thread's until it sets `result`. */
struct request {
	request_fn run;
	void *arg;
	struct err *err;
	struct future result;
};

/* Nobody waits for it. A failure costs nothing but room: the log stays, and is read at the next
 * open. */
static void
checkpoint(struct catalog *c)
{
	struct err err = {0};

	c->n_commits = 0;
	if (db_checkpoint(c->db, false, &err) < 0)
		log_debug("could not checkpoint: %s", err.what);
}

static void
answer(struct catalog *c, struct request *q)
{
	future_set(&q->result, q->run(c, q->arg, q->err), NULL);
	if (c->n_commits >= COMMITS_PER_CHECKPOINT)
		checkpoint(c);
}

/* The next request; or NULL, when none came for so long that there is time for a checkpoint, or
 * with -EPIPE when there will be no more. */
static int
next_request(struct catalog *c, struct request **ret)
{
	struct select_arm arms[] = {
		select_recv(c->requests),
		c->n_commits ? select_after(clock_deadline(CHECKPOINT_IDLE_USEC)) : select_never(),
	};
	int fired;

	thread_set_idle(true);
	fired = select_until(arms, ARRAY_LEN(arms), SELECT_BIASED, NULL, USEC_NEVER);
	thread_set_idle(false);
	*ret = fired == 0 ? arms[0].item : NULL;
	return fired == 0 ? arms[0].result : 0;
}

/* Until the channel is closed and all that was sent is answered. */
static int
serve(void *arg)
{
	struct catalog *c = arg;
	struct request *q;

	while (next_request(c, &q) == 0) {
		if (q)
			answer(c, q);
		else
			checkpoint(c);
	}
	return 0;
}

/* Have `run` called on the catalog's thread, and wait for it. */
static int
call(struct catalog *c, request_fn run, void *arg, struct err *err)
{
	struct request q = {.run = run, .arg = arg, .err = err};
	int r;

	future_init(&q.result);
	r = chan_send(c->requests, &q, NULL);
	if (r < 0)
		return err_set(err, r, "the catalog is closed");
	(void)future_wait(&q.result, NULL, &r, NULL);
	return r;
}

static int
transaction(struct catalog *c, request_fn run, void *arg, struct err *err)
{
	int r = db_begin(c->db, err);

	if (r == 0)
		r = run(c, arg, err);
	if (r == 0)
		r = db_commit(c->db, err);
	if (r < 0)
		db_rollback(c->db);
	else
		c->n_commits++;
	return r;
}

/* Opening. */

/* With the right mode from the start: SQLite would make it readable for all, and its log after it.
 */
static int
create_file(int dirfd, const char *shown, struct err *err)
{
	AUTO(closep)
	int fd = openat(
		dirfd, DB_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	int code = -errno;

	if (fd >= 0)
		return 0;
	return err_set(err, code, "could not open the catalog \"%s\": %s", shown, err_reason(code));
}

/* SQLite resolves the name to a path, and takes no more than 512 bytes of it with the file's name.
 */
static int
check_path(const char *fd_path, const char *path, struct err *err)
{
	char real[PATH_MAX];
	ssize_t n = readlink(fd_path, real, sizeof(real));

	if (n < 0)
		return err_set(
			err, -errno, "could not read \"%s\": %s", fd_path, err_reason(-errno));
	if (n <= STATE_PATH_MAX_BYTES)
		return 0;
	(void)err_set(err, -ENAMETOOLONG,
		"the path of the state directory \"%.100s...\" is too long", path);
	(void)err_hint(err, "choose one of at most %d bytes", STATE_PATH_MAX_BYTES);
	return -ENAMETOOLONG;
}

/* Through the descriptor: the path may name another directory by now. */
static int
open_db(struct catalog *c, int dirfd, const char *path, struct err *err)
{
	AUTO(freep) char *shown = NULL;
	char dir[64], file[96];
	int r;

	(void)snprintf(dir, sizeof(dir), "/proc/self/fd/%d", dirfd);
	(void)snprintf(file, sizeof(file), "%s/" DB_NAME, dir);
	r = check_path(dir, path, err);
	if (r < 0)
		return r;
	if (asprintf(&shown, "%s/" DB_NAME, path) < 0) {
		shown = NULL;
		return rows_no_memory(err);
	}
	r = create_file(dirfd, shown, err);
	return r < 0 ? r : db_open(file, shown, &c->db, err);
}

static int
make_clock(struct catalog *c, struct err *err)
{
	AUTO(db_endp) struct db_query *q = NULL;
	uint64_t instance;
	int r;

	if (getrandom(&instance, sizeof(instance), 0) != (ssize_t)sizeof(instance))
		return err_set(err, -EIO, "could not get random bytes");
	r = db_query(c->db, "INSERT OR IGNORE INTO clock VALUES (1, ?1, 0)", &q, err);
	db_bind_u64(q, 1, instance);
	return r < 0 ? r : db_step(q, err);
}

/* Counted up before anybody sees it: two runs never answer under the same epoch. */
static int
advance_clock(struct catalog *c, void *arg, struct err *err)
{
	int r = make_clock(c, err);

	(void)arg;
	if (r == 0)
		r = db_exec(c->db, "UPDATE clock SET epoch = epoch + 1", err);
	if (r == 0)
		r = db_number(c->db, "SELECT instance FROM clock", &c->instance, err);
	if (r == 0)
		r = db_number(c->db, "SELECT epoch FROM clock", &c->epoch, err);
	return r;
}

static int
prepare_db(struct catalog *c, const char *path, bool unclean, struct err *err)
{
	uint64_t version = 0;
	int r = schema_check(c->db, path, &version, err);

	if (r == 0 && unclean)
		r = db_check(c->db, err);
	if (r == 0)
		r = db_prepare_writing(c->db, err);
	if (r == 0)
		r = schema_upgrade(c->db, version, err);
	return r < 0 ? r : transaction(c, advance_clock, NULL, err);
}

static int
start_thread(struct catalog *c, struct err *err)
{
	int r;

	c->requests = chan_create(MAX_REQUESTS, NULL);
	r = c->requests ? thread_start(&c->thread, "catalog", serve, c) : -ENOMEM;
	return r < 0 ? err_set(err, r, "could not start the catalog: %s", err_reason(r)) : 0;
}

/* Half-built ones too. A database that was refused, and its log, stay as they were found. */
static void
tear_down(struct catalog *c, bool clean)
{
	if (c->requests) {
		chan_close(c->requests);
		(void)thread_join(&c->thread);
		chan_destroy(c->requests);
		(void)db_checkpoint(c->db, true, NULL);
	}
	db_close(c->db);
	state_unlock(c->lock_fd, clean);
	free(c);
}

int
catalog_open(int dirfd, const char *path, struct catalog **ret, struct err *err)
{
	struct catalog *c = calloc(1, sizeof(*c));
	bool unclean = true;
	int r;

	if (!c)
		return rows_no_memory(err);
	c->lock_fd = state_lock(dirfd, path, &unclean, err);
	r = c->lock_fd < 0 ? c->lock_fd : open_db(c, dirfd, path, err);
	if (r == 0)
		r = prepare_db(c, path, unclean, err);
	if (r == 0)
		r = start_thread(c, err);
	if (r < 0) {
		tear_down(c, !unclean);
		return r;
	}
	*ret = c;
	return 0;
}

void
catalog_close(struct catalog *c)
{
	if (c)
		tear_down(c, true);
}

uint64_t
catalog_instance(const struct catalog *c)
{
	return c->instance;
}

uint64_t
catalog_epoch(const struct catalog *c)
{
	return c->epoch;
}

/* Requests. Each public function packs its arguments; the function above it runs on the thread. */

struct root_call {
	const char *path;
	uint64_t id;
};

static int
find_root(struct catalog *c, struct root_call *a, struct err *err)
{
	AUTO(db_endp) struct db_query *q = NULL;
	int r = db_query(c->db, "SELECT id FROM root WHERE path = ?1", &q, err);

	db_bind_blob(q, 1, span_of(a->path));
	if (r == 0)
		r = db_step(q, err);
	if (r == 1)
		a->id = db_u64(q, 0);
	return r;
}

static int
insert_root(struct catalog *c, void *arg, struct err *err)
{
	AUTO(db_endp) struct db_query *q = NULL;
	struct root_call *a = arg;
	int r = db_query(c->db, "INSERT INTO root (path) VALUES (?1) RETURNING id", &q, err);

	db_bind_blob(q, 1, span_of(a->path));
	if (r == 0)
		r = db_step(q, err);
	if (r < 0)
		return r;
	a->id = db_u64(q, 0);
	if (a->id > UINT32_MAX)
		return err_set(err, -EOVERFLOW, "the catalog has no numbers left for roots");
	return db_step(q, err);
}

static int
run_root(struct catalog *c, void *arg, struct err *err)
{
	int r = find_root(c, arg, err);

	if (r == 0)
		return transaction(c, insert_root, arg, err);
	return r < 0 ? r : 0;
}

int
catalog_root(struct catalog *c, const char *path, uint32_t *ret_id, struct err *err)
{
	struct root_call a = {.path = path};
	int r = call(c, run_root, &a, err);

	if (r == 0)
		*ret_id = (uint32_t)a.id;
	return r;
}

static int
delete_root(struct catalog *c, void *arg, struct err *err)
{
	AUTO(db_endp) struct db_query *q = NULL;
	const uint32_t *id = arg;
	int r = db_query(c->db, "DELETE FROM root WHERE id = ?1", &q, err);

	db_bind_u64(q, 1, *id);
	if (r == 0)
		r = db_step(q, err);
	return r == 0 && db_changes(c->db) == 0 ? rows_no_root(*id, err) : r;
}

static int
run_forget(struct catalog *c, void *arg, struct err *err)
{
	return transaction(c, delete_root, arg, err);
}

int
catalog_forget_root(struct catalog *c, uint32_t id, struct err *err)
{
	return call(c, run_forget, &id, err);
}

static int
run_roots(struct catalog *c, void *arg, struct err *err)
{
	return catalog_read_roots(c->db, arg, err);
}

int
catalog_roots(struct catalog *c, struct catalog_roots *ret, struct err *err)
{
	struct catalog_roots roots = {0};
	int r = call(c, run_roots, &roots, err);

	if (r < 0)
		catalog_roots_free(&roots);
	else
		*ret = roots;
	return r;
}

static int
replace_root(struct catalog *c, void *arg, struct err *err)
{
	return rows_replace_root(c->db, *(const struct catalog_root *const *)arg, err);
}

static int
run_commit(struct catalog *c, void *arg, struct err *err)
{
	return transaction(c, replace_root, arg, err);
}

int
catalog_commit(struct catalog *c, const struct catalog_root *root, struct err *err)
{
	assert(root->n_segments <= CATALOG_MAX_SEGMENTS);
	return call(c, run_commit, &root, err);
}

struct texts_call {
	uint32_t id, n;
	const struct catalog_text *texts;
};

static int
replace_texts(struct catalog *c, void *arg, struct err *err)
{
	const struct texts_call *a = arg;

	return rows_replace_texts(c->db, a->id, a->texts, a->n, err);
}

static int
run_commit_texts(struct catalog *c, void *arg, struct err *err)
{
	return transaction(c, replace_texts, arg, err);
}

int
catalog_commit_texts(struct catalog *c, uint32_t id, const struct catalog_text *texts, uint32_t n,
	struct err *err)
{
	struct texts_call a = {.id = id, .n = n, .texts = texts};

	assert(n <= CATALOG_MAX_TEXTS);
	return call(c, run_commit_texts, &a, err);
}

struct setting_call {
	const char *key, *value;
	char *found; /* of malloc */
};

static int
run_get(struct catalog *c, void *arg, struct err *err)
{
	AUTO(db_endp) struct db_query *q = NULL;
	struct setting_call *a = arg;
	int r = db_query(c->db, "SELECT value FROM setting WHERE key = ?1", &q, err);

	db_bind_text(q, 1, a->key);
	if (r == 0)
		r = db_step(q, err);
	if (r <= 0)
		return r;
	return db_copy(q, 0, &a->found) < 0 ? rows_no_memory(err) : 0;
}

int
catalog_get(struct catalog *c, const char *key, char **ret, struct err *err)
{
	struct setting_call a = {.key = key};
	int r = call(c, run_get, &a, err);

	if (r == 0)
		*ret = a.found;
	return r;
}

static int
replace_setting(struct catalog *c, void *arg, struct err *err)
{
	AUTO(db_endp) struct db_query *q = NULL;
	const struct setting_call *a = arg;
	int r = db_query(c->db, "REPLACE INTO setting VALUES (?1, ?2)", &q, err);

	db_bind_text(q, 1, a->key);
	db_bind_text(q, 2, a->value);
	return r < 0 ? r : db_step(q, err);
}

static int
run_set(struct catalog *c, void *arg, struct err *err)
{
	return transaction(c, replace_setting, arg, err);
}

int
catalog_set(struct catalog *c, const char *key, const char *value, struct err *err)
{
	struct setting_call a = {.key = key, .value = value};

	return call(c, run_set, &a, err);
}
