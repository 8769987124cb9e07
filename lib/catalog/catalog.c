#include "catalog/catalog.h"

#include "base/fd.h"
#include "base/log.h"
#include "catalog/journal.h"
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
#include <unistd.h>

#define DB_NAME "catalog.db"
#define STATE_PATH_MAX_BYTES 490
#define MAX_REQUESTS 64u
#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"
/* The log is emptied so long after the last commit, and at the latest after so many commits; a
 * checkpoint syncs, which a light commit waits for, but a durable one would have done by itself. */
#define CHECKPOINT_IDLE_USEC USEC_PER_SEC
#define WEIGHT_LIGHT 1u
#define WEIGHT_DURABLE 8u
#define WEIGHT_PER_CHECKPOINT 512u

struct catalog {
	/* Fixed at open. */
	struct catalog_clock clock; /* as it was found */
	struct catalog_opts keep;
	char boot_id[64];
	int lock_fd;
	struct chan *requests; /* of struct request, on their callers' stacks */
	struct thread thread;

	/* The thread's while it runs; before and after, of whoever opens and closes. */
	struct db *db;
	struct journal journal;
	unsigned weight;    /* of the commits since the last checkpoint */
	usec_t last_commit; /* monotonic */

	struct lock shown_lock; /* RANK_LEAF; guards the rest */
	struct catalog_journal shown;
};

typedef int (*request_fn)(struct catalog *c, void *arg, struct err *err);

/* Filled by the caller; *arg and *err are the thread's until it sets `result`. */
struct request {
	request_fn run;
	void *arg;
	struct err *err;
	struct future result;
};

static void
show_journal(struct catalog *c)
{
	const struct journal *j = &c->journal;

	LOCK_SCOPE(&c->shown_lock);
	c->shown = (struct catalog_journal){
		.n_records = j->n_records,
		.n_bytes = j->n_bytes,
		.tick = j->clock.tick,
		.floor = j->clock.floor,
		.oldest_tick = j->oldest_tick,
		.oldest_usec = j->oldest_usec,
	};
}

void
catalog_get_journal(struct catalog *c, struct catalog_journal *ret)
{
	LOCK_SCOPE(&c->shown_lock);
	*ret = c->shown;
}

static int
transaction(struct catalog *c, enum catalog_sync how, request_fn run, void *arg, struct err *err)
{
	struct journal before = c->journal;
	int r = db_sync(c->db, how == CATALOG_DURABLE, err);

	if (r == 0)
		r = db_begin(c->db, err);
	if (r == 0)
		r = run(c, arg, err);
	if (r == 0)
		r = db_commit(c->db, err);
	if (r < 0) {
		db_rollback(c->db);
		c->journal = before;
	} else {
		c->weight += how == CATALOG_DURABLE ? WEIGHT_DURABLE : WEIGHT_LIGHT;
		c->last_commit = clock_mono();
		show_journal(c);
	}
	return r;
}

static int
trim(struct catalog *c, void *arg, struct err *err)
{
	bool *ret_more = arg;
	int r = journal_trim(c->db, &c->journal, &c->keep, clock_real(), err);

	*ret_more = r == 1;
	return MIN(r, 0);
}

/* Nobody waits for it. A failure costs nothing but room: the log stays, and is read at the next
 * open. What the journal need not keep goes a step at a time: when there is more, it is due again
 * soon. */
static void
tidy(struct catalog *c)
{
	struct err err = {0};
	bool more = false;

	if (transaction(c, CATALOG_LIGHT, trim, &more, &err) < 0)
		log_debug("could not shorten the journal: %s", err.what);
	c->weight = more;
	if (db_checkpoint(c->db, false, &err) < 0)
		log_debug("could not checkpoint: %s", err.what);
}

static void
answer(struct catalog *c, struct request *q)
{
	future_set(&q->result, q->run(c, q->arg, q->err), NULL);
	if (c->weight >= WEIGHT_PER_CHECKPOINT)
		tidy(c);
}

/* The next request; or NULL, when there is time for a checkpoint, or with -EPIPE when there will be
 * no more. */
static int
next_request(struct catalog *c, struct request **ret)
{
	struct select_arm arms[] = {
		select_recv(c->requests),
		c->weight ? select_after(c->last_commit + CHECKPOINT_IDLE_USEC) : select_never(),
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
			tidy(c);
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

/* Without one, nobody can tell a power cut from the end of a process. */
static void
find_boot_id(struct catalog *c, const char *given)
{
	AUTO(closep) int fd = -1;
	ssize_t n;

	if (given) {
		(void)snprintf(c->boot_id, sizeof(c->boot_id), "%s", given);
		return;
	}
	fd = open(BOOT_ID_FILE, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : fd_read_full(fd, c->boot_id, sizeof(c->boot_id) - 1);
	c->boot_id[n > 0 ? (size_t)n : 0] = '\0';
	c->boot_id[strcspn(c->boot_id, "\n")] = '\0';
}

static int
begin_run(struct catalog *c, void *arg, struct err *err)
{
	const uint64_t *version = arg;
	int r = schema_upgrade(c->db, *version, err);

	return r < 0 ? r : journal_open(c->db, c->boot_id, &c->journal, err);
}

static int
end_run(struct catalog *c, void *arg, struct err *err)
{
	(void)arg;
	return journal_close(c->db, err);
}

static int
prepare_db(struct catalog *c, const char *path, bool unclean, struct err *err)
{
	uint64_t version = 0;
	int r = schema_check(c->db, path, &version, err);

	/* The journal may be large, and what is read of it is checked then. */
	if (r == 0 && unclean)
		r = db_check(c->db, "journal", err);
	if (r == 0)
		r = db_prepare_writing(c->db, err);
	if (r == 0)
		r = transaction(c, CATALOG_DURABLE, begin_run, &version, err);
	c->clock = c->journal.clock;
	return r;
}

static int
start_thread(struct catalog *c, struct err *err)
{
	int r;

	c->requests = chan_create(MAX_REQUESTS, NULL);
	r = c->requests ? thread_start(&c->thread, "catalog", serve, c) : -ENOMEM;
	return r < 0 ? err_set(err, r, "could not start the catalog: %s", err_reason(r)) : 0;
}

/* Half-built ones too. A database that was refused, and its log, stay as they were found. The end
 * of the run is light, for the checkpoint syncs the log before all else; without it a power cut
 * finds a run that has not ended. */
static void
tear_down(struct catalog *c, bool clean)
{
	if (c->requests) {
		chan_close(c->requests);
		(void)thread_join(&c->thread);
		chan_destroy(c->requests);
		(void)transaction(c, CATALOG_LIGHT, end_run, NULL, NULL);
		(void)db_checkpoint(c->db, true, NULL);
	}
	db_close(c->db);
	state_unlock(c->lock_fd, clean);
	lock_fini(&c->shown_lock);
	free(c);
}

int
catalog_open_with(int dirfd, const char *path, const struct catalog_opts *opts,
	struct catalog **ret, struct err *err)
{
	struct catalog *c = calloc(1, sizeof(*c));
	bool unclean = true;
	int r;

	if (!c)
		return rows_no_memory(err);
	lock_init(&c->shown_lock, RANK_LEAF, "journal's figures");
	c->keep = (struct catalog_opts){
		.keep_usec = opts->keep_usec ? opts->keep_usec : CATALOG_KEEP_USEC,
		.keep_records = opts->keep_records ? opts->keep_records : CATALOG_KEEP_RECORDS,
		.keep_bytes = opts->keep_bytes ? opts->keep_bytes : CATALOG_KEEP_BYTES,
	};
	find_boot_id(c, opts->boot_id);
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

int
catalog_open(int dirfd, const char *path, struct catalog **ret, struct err *err)
{
	return catalog_open_with(dirfd, path, &(struct catalog_opts){0}, ret, err);
}

void
catalog_close(struct catalog *c)
{
	if (c)
		tear_down(c, true);
}

const struct catalog_clock *
catalog_clock(const struct catalog *c)
{
	return &c->clock;
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

/* Light: whatever names the number stands behind it in the log, and what a power cut takes nothing
 * that is left names. */
static int
run_root(struct catalog *c, void *arg, struct err *err)
{
	int r = find_root(c, arg, err);

	if (r == 0)
		return transaction(c, CATALOG_LIGHT, insert_root, arg, err);
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
	return transaction(c, CATALOG_DURABLE, delete_root, arg, err);
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

struct commit_call {
	const struct catalog_root *root;   /* NULL: no segments change */
	const struct catalog_batch *batch; /* or NULL */
	enum catalog_sync how;
};

static int
commit_rows(struct catalog *c, void *arg, struct err *err)
{
	const struct commit_call *a = arg;
	struct catalog_batch batch;
	int r = a->root ? rows_replace_root(c->db, a->root, err) : 0;

	if (r < 0 || !a->batch)
		return r;
	batch = *a->batch;
	if (a->root)
		batch.root = a->root->id;
	return journal_add(c->db, &c->journal, &batch, err);
}

static int
run_commit(struct catalog *c, void *arg, struct err *err)
{
	const struct commit_call *a = arg;

	return transaction(c, a->how, commit_rows, arg, err);
}

int
catalog_commit(struct catalog *c, const struct catalog_root *root,
	const struct catalog_batch *batch, enum catalog_sync how, struct err *err)
{
	struct commit_call a = {root, batch, how};

	assert(root->n_segments <= CATALOG_MAX_SEGMENTS);
	return call(c, run_commit, &a, err);
}

int
catalog_note(struct catalog *c, const struct catalog_batch *batch, struct err *err)
{
	struct commit_call a = {NULL, batch, CATALOG_DURABLE};

	return call(c, run_commit, &a, err);
}

struct settle_call {
	uint32_t id, n;
	char *const *files;
};

static int
settle_rows(struct catalog *c, void *arg, struct err *err)
{
	const struct settle_call *a = arg;
	int r = 0;

	for (uint32_t i = 0; i < a->n && r == 0; i++)
		r = rows_settle(c->db, a->id, a->files[i], err);
	return r;
}

static int
run_settle(struct catalog *c, void *arg, struct err *err)
{
	return transaction(c, CATALOG_DURABLE, settle_rows, arg, err);
}

int
catalog_settle(struct catalog *c, uint32_t id, char *const *files, uint32_t n, struct err *err)
{
	struct settle_call a = {id, n, files};

	return call(c, run_settle, &a, err);
}

struct changes_call {
	uint64_t from, upto;
	size_t max_bytes;
	struct catalog_batches *ret;
};

static int
run_changes(struct catalog *c, void *arg, struct err *err)
{
	const struct changes_call *a = arg;

	return journal_read(c->db, &c->journal, a->from, a->upto, a->max_bytes, a->ret, err);
}

int
catalog_changes(struct catalog *c, uint64_t from, uint64_t upto, size_t max_bytes,
	struct catalog_batches *ret, struct err *err)
{
	struct changes_call a = {from, upto, max_bytes, ret};

	return call(c, run_changes, &a, err);
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
	return transaction(c, CATALOG_DURABLE, replace_texts, arg, err);
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
	return transaction(c, CATALOG_DURABLE, replace_setting, arg, err);
}

int
catalog_set(struct catalog *c, const char *key, const char *value, struct err *err)
{
	struct setting_call a = {.key = key, .value = value};

	return call(c, run_set, &a, err);
}
