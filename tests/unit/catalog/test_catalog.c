#include "base/fd.h"
#include "catalog/catalog.h"
#include "catalog/peek.h"
#include "sync/thread.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ThreadSanitizer cannot start threads in a child of a process that has some. */
#if defined(__has_feature)
#	if __has_feature(thread_sanitizer)
#		define __SANITIZE_THREAD__ 1
#	endif
#endif
#ifdef __SANITIZE_THREAD__
static const bool can_fork = false;
#else
static const bool can_fork = true;
#endif

static char *dir;
static int dirfd_;

static void
make_dir(void)
{
	dir = test_dir();
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void
drop_dir(void)
{
	(void)close(dirfd_);
	test_dir_remove(dir);
}

TestSuite(catalog, .init = make_dir, .fini = drop_dir, .timeout = 60);

static struct catalog *
must_open(void)
{
	struct catalog *c = NULL;
	struct err err = {0};
	int r = catalog_open(dirfd_, dir, &c, &err);

	CHECK_SAY(r == 0, "%s", err.what);
	return c;
}

/* `files` are a word each, the base first. */
static int
commit(struct catalog *c, uint32_t id, const char *files, uint64_t tick)
{
	char *rest = strdupa(files);
	struct catalog_root root = {
		.id = id,
		.settings = UINT64_MAX - 1,
		.n_entries = 84000,
		.walked_usec = 1700000000000000,
		.tick = tick,
		.skipped = strdupa("excluded=3 gone=1"),
	};

	for (char *file; (file = strsep(&rest, " ")) != NULL;)
		root.segments[root.n_segments++] = file;
	root.n_synced = root.n_segments;
	return catalog_commit(c, &root, NULL, CATALOG_DURABLE, NULL);
}

/* The live segments of the root at this place in the list of all. */
static void
check_segments(struct catalog *c, size_t at, const char *files)
{
	struct catalog_roots roots;
	char text[256] = "";

	CHECK_INT(catalog_roots(c, &roots, NULL), 0);
	CHECK(at < roots.len);
	for (uint32_t i = 0; i < roots.data[at].n_segments; i++) {
		(void)strcat(strcat(text, i ? " " : ""), roots.data[at].segments[i]);
		CHECK(catalog_names(&roots.data[at], roots.data[at].segments[i]));
	}
	CHECK(!catalog_names(&roots.data[at], "another"));
	CHECK_STR(text, files);
	catalog_roots_free(&roots);
}

/* What the sqlite3 shell says, an independent reader of the file. */
static void
shell(const char *sql, char *out, size_t size)
{
	char command[4096];
	size_t n;
	FILE *p;

	(void)snprintf(command, sizeof(command), "sqlite3 '%s/catalog.db' \"%s\" 2>&1", dir, sql);
	p = popen(command, "r");
	n = fread(out, 1, size - 1, p);
	out[n] = '\0';
	CHECK_INT(pclose(p), 0);
}

/* Criterion's own way to skip a test leaks, which LeakSanitizer reports. */
static void
without(const char *what)
{
	(void)fprintf(stderr, "not tested: %s\n", what);
}

static bool
have_shell(void)
{
	return system("command -v sqlite3 >/dev/null 2>&1") == 0;
}

TEST(catalog, what_was_committed_is_there_after_reopening)
{
	struct catalog *c = must_open();
	struct catalog_clock clock = *catalog_clock(c);
	struct catalog_roots roots;
	uint32_t usr, odd;
	char *value;

	CHECK_INT(catalog_root(c, "/usr", &usr, NULL), 0);
	CHECK_INT(catalog_root(c, "/\xff\n'odd", &odd, NULL), 0);
	CHECK(usr != odd);
	CHECK_INT(commit(c, usr, "t1.seg", 7), 0);
	CHECK_INT(catalog_set(c, "key", "value", NULL), 0);
	catalog_close(c);

	c = must_open();
	CHECK(catalog_clock(c)->instance == clock.instance);
	CHECK_INT(catalog_clock(c)->epoch, clock.epoch);
	CHECK_INT(catalog_clock(c)->run, clock.run + 1);
	CHECK_INT(catalog_roots(c, &roots, NULL), 0);
	CHECK_INT(roots.len, 2);
	CHECK_INT(roots.data[0].id, usr);
	CHECK_STR(roots.data[0].path, "/usr");
	CHECK_INT(roots.data[0].n_segments, 1);
	CHECK_STR(roots.data[0].segments[0], "t1.seg");
	CHECK(roots.data[0].settings == UINT64_MAX - 1);
	CHECK_INT(roots.data[0].n_entries, 84000);
	CHECK_INT(roots.data[0].walked_usec, 1700000000000000);
	CHECK_INT(roots.data[0].tick, 7);
	CHECK_STR(roots.data[0].skipped, "excluded=3 gone=1");
	CHECK_STR(roots.data[1].path, "/\xff\n'odd");
	CHECK_INT(roots.data[1].n_segments, 0);
	catalog_roots_free(&roots);
	CHECK_INT(catalog_get(c, "key", &value, NULL), 0);
	CHECK_STR(value, "value");
	free(value);
	CHECK_INT(catalog_get(c, "other", &value, NULL), 0);
	CHECK(value == NULL);
	catalog_close(c);
}

TEST(catalog, a_known_path_keeps_its_number_and_a_forgotten_one_is_not_reused)
{
	struct catalog *c = must_open();
	struct catalog_roots roots;
	struct err err = {0};
	uint32_t a, again, b;

	CHECK_INT(catalog_root(c, "/a", &a, NULL), 0);
	CHECK_INT(catalog_root(c, "/a", &again, NULL), 0);
	CHECK_INT(a, again);
	CHECK_INT(commit(c, a, "a.seg", 1), 0);
	CHECK_INT(catalog_forget_root(c, a, NULL), 0);
	CHECK_INT(catalog_roots(c, &roots, NULL), 0);
	CHECK_INT(roots.len, 0);
	catalog_roots_free(&roots);
	CHECK_INT(catalog_root(c, "/b", &b, NULL), 0);
	CHECK(b > a);
	CHECK_INT(commit(c, b, "a.seg", 1), 0); /* its segment went with the root */
	CHECK_INT(catalog_forget_root(c, a, &err), -ENOENT);
	CHECK_STR(err.what, "the catalog has no root number 1");
	CHECK_INT(commit(c, a, "z.seg", 1), -ENOENT);
	catalog_close(c);
}

TEST(catalog, a_commit_names_all_segments_of_its_root_and_no_others)
{
	struct catalog *c = must_open();
	uint32_t id, other;

	CHECK_INT(catalog_root(c, "/a", &id, NULL), 0);
	CHECK_INT(catalog_root(c, "/b", &other, NULL), 0);
	CHECK_INT(commit(c, id, "base", 1), 0);
	check_segments(c, 0, "base");
	CHECK_INT(commit(c, id, "base z a", 2), 0); /* in this order */
	check_segments(c, 0, "base z a");
	CHECK_INT(commit(c, id, "base z a", 3), 0);
	check_segments(c, 0, "base z a");
	CHECK_INT(commit(c, id, "base merged", 4), 0);
	check_segments(c, 0, "base merged");
	/* A file belongs to one root, and stands there once: what was is left alone. */
	CHECK_INT(commit(c, other, "x merged", 5), -EEXIST);
	CHECK_INT(commit(c, id, "base x x", 5), -EEXIST);
	check_segments(c, 0, "base merged");
	check_segments(c, 1, "");
	CHECK_INT(commit(c, other, "a", 6), 0);
	CHECK_INT(commit(c, id, "1 2 3 4 5 6 7 8", 7), 0);
	check_segments(c, 0, "1 2 3 4 5 6 7 8");
	check_segments(c, 1, "a");
	catalog_close(c);
}

TEST(catalog, the_sqlite_shell_reads_the_same)
{
	struct catalog *c = must_open();
	char out[512];
	uint32_t id;

	CHECK_INT(catalog_root(c, "/usr/share", &id, NULL), 0);
	for (unsigned i = 1; i <= 200; i++)
		CHECK_INT(commit(c, id, i % 2 ? "odd.seg" : "even.seg upon.seg", i), 0);
	catalog_close(c);
	if (!have_shell())
		return without("the sqlite3 shell");
	shell("SELECT id, path, at, file, settings, n_entries, tick, skipped FROM root JOIN walk "
	      "ON "
	      "walk.root = id JOIN layer ON layer.root = id ORDER BY at; PRAGMA integrity_check; "
	      "PRAGMA foreign_key_check; PRAGMA journal_mode; "
	      "PRAGMA user_version; PRAGMA application_id",
		out, sizeof(out));
	CHECK_STR(out,
		"1|/usr/share|0|even.seg|-2|84000|200|excluded=3 gone=1\n"
		"1|/usr/share|1|upon.seg|-2|84000|200|excluded=3 gone=1\nok\nwal\n4\n1953658732\n");
}

TEST(catalog, files_are_for_the_owner_alone_and_no_log_is_left)
{
	struct catalog *c = must_open();
	char path[512];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/catalog.db-wal", dir);
	CHECK_INT(catalog_set(c, "a", "b", NULL), 0);
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_mode & 0777, 0600);
	(void)snprintf(path, sizeof(path), "%s/catalog.db-shm", dir);
	CHECK_INT(access(path, F_OK), -1);
	catalog_close(c);
	(void)snprintf(path, sizeof(path), "%s/catalog.db-wal", dir);
	CHECK(stat(path, &st) < 0 || st.st_size == 0);
	(void)snprintf(path, sizeof(path), "%s/catalog.db", dir);
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_mode & 0777, 0600);
}

TEST(catalog, the_log_does_not_grow_without_end)
{
	struct catalog *c = must_open();
	char path[512];
	struct stat st;

	for (unsigned i = 0; i < 500; i++) {
		char value[32];

		(void)snprintf(value, sizeof(value), "%u", i);
		CHECK_INT(catalog_set(c, "k", value, NULL), 0);
	}
	(void)snprintf(path, sizeof(path), "%s/catalog.db-wal", dir);
	CHECK_INT(stat(path, &st), 0);
	CHECK(st.st_size < 1 << 20);
	catalog_close(c);
}

static int
set_many(void *arg)
{
	struct catalog *c = arg;
	char key[32];

	(void)snprintf(key, sizeof(key), "%p", (void *)&key);
	for (unsigned i = 0; i < 50; i++) {
		char value[16], *back = NULL;

		(void)snprintf(value, sizeof(value), "%u", i);
		if (catalog_set(c, key, value, NULL) < 0 || catalog_get(c, key, &back, NULL) < 0 ||
			!back || strcmp(value, back) != 0)
			return -EINVAL;
		free(back);
	}
	return 0;
}

TEST(catalog, any_thread_may_ask)
{
	struct catalog *c = must_open();
	struct thread threads[4] = {0};

	for (unsigned i = 0; i < 4; i++)
		CHECK_INT(thread_start(&threads[i], "asker", set_many, c), 0);
	for (unsigned i = 0; i < 4; i++)
		CHECK_INT(thread_join(&threads[i]), 0);
	catalog_close(c);
}

static int
open_again(struct err *err)
{
	struct catalog *c = NULL;
	int r;

	*err = (struct err){0};
	r = catalog_open(dirfd_, dir, &c, err);
	catalog_close(c);
	return r;
}

TEST(catalog, a_second_daemon_is_refused_with_the_pid_of_the_first)
{
	struct catalog *c = must_open();
	char expected[256];
	struct err err;

	(void)snprintf(expected, sizeof(expected),
		"another trawld (pid %d) uses the state directory \"%s\"", (int)getpid(), dir);
	CHECK_INT(open_again(&err), -EBUSY);
	CHECK_STR(err.what, expected);
	catalog_close(c);
	CHECK_INT(open_again(&err), 0);
}

/* `files` are a word each. */
static int
commit_texts(struct catalog *c, uint32_t id, const char *files, uint64_t symbols)
{
	struct catalog_text texts[CATALOG_MAX_TEXTS];
	char *rest = strdupa(files);
	uint32_t n = 0;

	for (char *file; (file = strsep(&rest, " ")) != NULL && *file; n++)
		texts[n] = (struct catalog_text){
			.file = file, .n_symbols = 3 + n % 2, .symbols = symbols + n};
	return catalog_commit_texts(c, id, texts, n, NULL);
}

static void
check_texts(struct catalog *c, size_t root, const char *files, uint64_t symbols)
{
	AUTO(strbuf_fini) struct strbuf got = {0};
	struct catalog_roots roots;

	CHECK_INT(catalog_roots(c, &roots, NULL), 0);
	for (uint32_t i = 0; i < roots.data[root].n_texts; i++) {
		const struct catalog_text *t = &roots.data[root].texts[i];

		(void)strbuf_printf(&got, "%s%s", i ? " " : "", t->file);
		CHECK_INT(t->n_symbols, 3 + i % 2);
		CHECK(t->symbols == symbols + i);
		CHECK(catalog_names(&roots.data[root], t->file));
	}
	CHECK(!catalog_names(&roots.data[root], "other"));
	CHECK_STR(got.data ? got.data : "", files);
	catalog_roots_free(&roots);
}

TEST(catalog, text_segments_are_replaced_as_a_whole_and_stay_when_the_tree_is)
{
	struct catalog *c = must_open();
	uint32_t a, b;

	CHECK_INT(catalog_root(c, "/a", &a, NULL), 0);
	CHECK_INT(catalog_root(c, "/b", &b, NULL), 0);
	CHECK_INT(commit_texts(c, a, "t1 t2 t3", UINT64_MAX - 9), 0); /* before any walk, too */
	CHECK_INT(commit_texts(c, b, "u1", 7), 0);
	CHECK_INT(commit(c, a, "base layer", 1), 0);
	catalog_close(c);
	c = must_open();
	check_texts(c, 0, "t1 t2 t3", UINT64_MAX - 9);
	check_texts(c, 1, "u1", 7);
	check_segments(c, 0, "base layer");
	CHECK_INT(commit_texts(c, a, "t9 t3", 5), 0);
	check_texts(c, 0, "t9 t3", 5);
	CHECK_INT(commit_texts(c, a, "t9 u1", 5), -EEXIST); /* another's: all stays */
	CHECK_INT(commit_texts(c, a, "t9 t9", 5), -EEXIST);
	CHECK_INT(commit_texts(c, 77, "x", 5), -ENOENT);
	check_texts(c, 0, "t9 t3", 5);
	CHECK_INT(commit_texts(c, a, "", 5), 0);
	check_texts(c, 0, "", 5);
	CHECK_INT(catalog_forget_root(c, b, NULL), 0);
	CHECK_INT(commit_texts(c, a, "u1", 5), 0); /* its name is free again */
	catalog_close(c);
}

/* A catalog as version 1 made it: one segment a root. */
static const char version_1[] =
	"CREATE TABLE root (id INTEGER PRIMARY KEY AUTOINCREMENT, path BLOB NOT NULL UNIQUE) "
	"STRICT;"
	"CREATE TABLE segment (root INTEGER PRIMARY KEY REFERENCES root (id) ON DELETE CASCADE,"
	" file TEXT NOT NULL UNIQUE, settings INTEGER NOT NULL, n_entries INTEGER NOT NULL,"
	" walked_usec INTEGER NOT NULL, tick INTEGER NOT NULL, skipped TEXT NOT NULL) STRICT;"
	"CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE TABLE clock (one INTEGER PRIMARY KEY CHECK (one = 1), instance INTEGER NOT NULL,"
	" epoch INTEGER NOT NULL);"
	"PRAGMA application_id = 1953658732; PRAGMA user_version = 1; PRAGMA journal_mode = wal;"
	"INSERT INTO clock VALUES (1, 5, 41);"
	"INSERT INTO root VALUES (3, CAST('/srv' AS BLOB)), (4, CAST('/new' AS BLOB));"
	"INSERT INTO segment VALUES (3, 'tree-3.seg', -2, 84000, 17, 9, 'gone=1');";

static void
check_version_1(const struct catalog_roots *roots)
{
	CHECK_INT(roots->len, 2);
	CHECK_STR(roots->data[0].path, "/srv");
	CHECK_INT(roots->data[0].n_segments, 1);
	CHECK_STR(roots->data[0].segments[0], "tree-3.seg");
	CHECK(roots->data[0].settings == UINT64_MAX - 1);
	CHECK_INT(roots->data[0].n_entries, 84000);
	CHECK_INT(roots->data[0].walked_usec, 17);
	CHECK_INT(roots->data[0].tick, 9);
	CHECK_STR(roots->data[0].skipped, "gone=1");
	CHECK_INT(roots->data[1].n_segments, 0);
}

TEST(catalog, an_older_version_is_understood_and_becomes_this_one)
{
	struct catalog_roots roots;
	struct catalog *c;
	char out[512];

	if (!have_shell())
		return without("the sqlite3 shell");
	shell(version_1, out, sizeof(out));
	CHECK_STR(out, "wal\n");
	CHECK_INT(catalog_peek(dirfd_, dir, &roots, NULL), 0);
	check_version_1(&roots);
	catalog_roots_free(&roots);
	shell("PRAGMA user_version", out, sizeof(out));
	CHECK_STR(out, "1\n"); /* a look changes nothing */
	c = must_open();
	CHECK_INT(catalog_clock(c)->epoch, 42);
	CHECK_INT(catalog_clock(c)->run, 42); /* as in names of files until then, and one more */
	CHECK_INT(catalog_clock(c)->tick, 0);
	CHECK_INT(catalog_roots(c, &roots, NULL), 0);
	check_version_1(&roots);
	catalog_roots_free(&roots);
	CHECK_INT(commit(c, 3, "tree-3.seg layer", 10), 0);
	catalog_close(c);
	c = must_open();
	check_segments(c, 0, "tree-3.seg layer");
	check_texts(c, 0, "", 0);
	CHECK_INT(commit_texts(c, 3, "text-3", 1), 0);
	catalog_close(c);
}

/* More than any of ours writes. */
TEST(catalog, a_root_with_too_many_segments_is_damage)
{
	struct catalog_roots roots;
	struct catalog *c = must_open();
	struct err err = {0};
	char out[512];
	uint32_t id;

	CHECK_INT(catalog_root(c, "/a", &id, NULL), 0);
	CHECK_INT(commit(c, id, "1 2 3 4 5 6 7 8", 1), 0);
	catalog_close(c);
	if (!have_shell())
		return without("the sqlite3 shell");
	shell("INSERT INTO layer VALUES (1, 8, '9', 1)", out, sizeof(out));
	c = must_open();
	CHECK_INT(catalog_roots(c, &roots, &err), -EBADMSG);
	CHECK(strstr(err.what, "is damaged") != NULL);
	catalog_close(c);
}

TEST(catalog, a_newer_version_is_refused_and_left_alone)
{
	char expected[256], out[64];
	struct err err;

	if (!have_shell())
		return without("the sqlite3 shell");
	CHECK_INT(open_again(&err), 0);
	shell("PRAGMA user_version = 9", out, sizeof(out));
	(void)snprintf(expected, sizeof(expected),
		"the state directory \"%s\" was written by a newer trawld (version 9)", dir);
	CHECK_INT(open_again(&err), -EOPNOTSUPP);
	CHECK_STR(err.what, expected);
	CHECK(err.hint[0] != '\0');
	shell("PRAGMA user_version; SELECT epoch FROM clock", out, sizeof(out));
	CHECK_STR(out, "9\n1\n");
}

TEST(catalog, a_database_of_others_is_refused)
{
	char out[64];
	struct err err;

	if (!have_shell())
		return without("the sqlite3 shell");
	shell("CREATE TABLE guests (name)", out, sizeof(out));
	CHECK_INT(open_again(&err), -EBADMSG);
	shell("SELECT group_concat(name) FROM sqlite_schema", out, sizeof(out));
	CHECK_STR(out, "guests\n");
}

static void
check_damaged(const struct err *err)
{
	char expected[256];

	(void)snprintf(expected, sizeof(expected), "the catalog \"%s/catalog.db\" is damaged", dir);
	CHECK_STR(err->what, expected);
	CHECK_STR(err->hint, "move it aside and start again: the index is rebuilt by walking");
}

TEST(catalog, a_file_that_is_no_database_is_one_sentence_and_a_hint)
{
	struct err err;

	test_write(dir, "catalog.db",
		"this is a text, and longer than the header of a database is. "
		"It goes on for a while so that nothing looks empty.");
	CHECK_INT(open_again(&err), -EBADMSG);
	check_damaged(&err);
}

/* The lock file's pid says that the run before was cut off; only then every page is looked at, here
 * one that opening does not touch by itself. */
TEST(catalog, damage_is_found_after_a_run_that_was_cut_off)
{
	static const char junk[4096] = {[0 ... 4095] = 0x5a};
	struct catalog *c = must_open();
	struct err err;
	char path[512];
	int fd;

	for (unsigned i = 0; i < 60; i++) {
		char key[1001];

		(void)snprintf(key, sizeof(key), "%01000u", i);
		CHECK_INT(catalog_set(c, key, "", NULL), 0);
	}
	catalog_close(c);
	(void)snprintf(path, sizeof(path), "%s/catalog.db", dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	CHECK(lseek(fd, 0, SEEK_END) > 13 * 4096);
	CHECK_INT(pwrite(fd, junk, sizeof(junk), 12 * 4096), sizeof(junk));
	(void)close(fd);
	CHECK_INT(open_again(&err), 0);
	test_write(dir, "lock", "123456\n");
	CHECK_INT(open_again(&err), -EBADMSG);
	check_damaged(&err);
	CHECK_INT(open_again(&err), -EBADMSG); /* a failed open does not make the directory clean */
}

/* Runs fn in a child; its result comes back as a small number. */
static int
in_child(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn());
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int
open_as_nobody(void)
{
	struct err err;
	char expected[256];

	if (setgid(65534) < 0 || setuid(65534) < 0)
		return 1;
	(void)snprintf(expected, sizeof(expected),
		"cannot write to the state directory \"%s\": permission denied", dir);
	if (open_again(&err) != -EACCES)
		return 2;
	return strcmp(err.what, expected) == 0 && err.hint[0] != '\0' ? 0 : 3;
}

TEST(catalog, a_directory_that_may_not_be_written_is_one_sentence)
{
	if (getuid() != 0 || !can_fork)
		return without("root, and threads in a child");
	CHECK_INT(chmod(dir, 0755), 0);
	CHECK_INT(in_child(open_as_nobody), 0);
}

static int
own_directory_read_only(void)
{
	struct err err;

	if (chown(dir, 65534, 65534) < 0 || chmod(dir, 0700) < 0 || setgid(65534) < 0 ||
		setuid(65534) < 0)
		return 1;
	if (open_again(&err) != 0 || chmod(dir, 0500) < 0)
		return 2;
	return open_again(&err) == -EACCES ? 0 : 3;
}

TEST(catalog, a_directory_that_became_read_only_is_noticed)
{
	if (getuid() != 0 || !can_fork)
		return without("root, and threads in a child");
	CHECK_INT(in_child(own_directory_read_only), 0);
}

TEST(catalog, a_state_directory_that_is_a_file_is_refused)
{
	struct catalog *c;
	struct err err = {0};
	char path[512];
	AUTO(closep) int fd = -1;

	test_write(dir, "file", "");
	(void)snprintf(path, sizeof(path), "%s/file", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK_INT(catalog_open(fd, path, &c, &err), -ENOTDIR);
	CHECK(strstr(err.what, "is not a directory") != NULL);
}

static int
open_below(const char *name, struct err *err)
{
	struct catalog *c = NULL;
	int r;

	CHECK_INT(mkdirat(dirfd_, name, 0700), 0);
	(void)close(dirfd_);
	dir = realloc(dir, strlen(dir) + strlen(name) + 2);
	(void)strcat(strcat(dir, "/"), name);
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = catalog_open(dirfd_, dir, &c, err);
	catalog_close(c);
	return r;
}

TEST(catalog, a_path_too_long_for_sqlite_is_one_sentence)
{
	AUTO(freep) char *top = strdup(dir);
	char name[251];
	struct err err = {0};

	memset(name, 'x', 250);
	name[250] = '\0';
	CHECK_INT(open_below(name, &err), 0);
	name[490 - strlen(dir) - 1] = '\0';
	CHECK_INT(open_below(name, &err), 0);
	CHECK_INT(open_below("y", &err), -ENAMETOOLONG);
	CHECK(strstr(err.what, "is too long") != NULL);
	CHECK_STR(err.hint, "choose one of at most 490 bytes");
	(void)strcpy(dir, top);
}

/* A small file system that nobody else sees, and that goes with the process. */
static bool
mount_small(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", dir, "tmpfs", 0, "size=512k") == 0;
}

/* Room for an open to write its few rows, as the engine keeps some. */
static void
make_reserve(void)
{
	int fd = openat(dirfd_, "reserve", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	CHECK_INT(posix_fallocate(fd, 0, 64 << 10), 0);
	(void)close(fd);
}

TEST(catalog, a_full_disk_is_one_sentence_and_nothing_acknowledged_is_lost)
{
	struct catalog *c = NULL;
	struct err err = {0};
	char value[2000], key[16], *back;
	unsigned done = 0;
	int r = 0;

	if (!mount_small())
		return without("a file system of its own");
	(void)close(dirfd_);
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	c = must_open();
	make_reserve();
	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	while (r == 0 && done < 1000) {
		(void)snprintf(key, sizeof(key), "%u", done);
		r = catalog_set(c, key, value, &err);
		done += r == 0;
	}
	CHECK_INT(r, -ENOSPC);
	CHECK(strstr(err.what, "no space left on device") != NULL);
	CHECK_STR(err.hint, "make room in the state directory");
	catalog_close(c);
	CHECK_INT(unlinkat(dirfd_, "reserve", 0), 0);
	c = must_open();
	for (unsigned i = 0; i < done; i++) {
		(void)snprintf(key, sizeof(key), "%u", i);
		CHECK_INT(catalog_get(c, key, &back, NULL), 0);
		CHECK_STR(back, value);
		free(back);
	}
	catalog_close(c);
	(void)close(dirfd_);
	dirfd_ = -1;
	CHECK_INT(umount2(dir, MNT_DETACH), 0);
}

TEST(catalog, a_read_only_file_system_is_one_sentence)
{
	struct err err;

	if (!mount_small() || mount("none", dir, NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
		return without("a file system of its own");
	(void)close(dirfd_);
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(open_again(&err), -EROFS);
	CHECK(strstr(err.what, "cannot write to the state directory \"") == err.what);
	(void)close(dirfd_);
	dirfd_ = -1;
	CHECK_INT(umount2(dir, MNT_DETACH), 0);
}

/* Commits until killed, and tells each number only once it is durable. */
static void
commit_for_ever(int to)
{
	struct catalog *c = NULL;
	uint32_t id;

	if (catalog_open(dirfd_, dir, &c, NULL) < 0 || catalog_root(c, "/r", &id, NULL) < 0)
		_exit(1);
	for (uint64_t tick = 1;; tick++) {
		char file[32];

		(void)snprintf(file, sizeof(file), "%" PRIu64 ".seg", tick);
		if (commit(c, id, file, tick) < 0 ||
			write(to, &tick, sizeof(tick)) != (ssize_t)sizeof(tick))
			_exit(2);
	}
}

static void
kill_after(uint64_t n_acks)
{
	struct catalog_roots roots;
	struct catalog *c;
	uint64_t tick = 0, next;
	char file[32];
	int fds[2];
	pid_t pid;

	CHECK_INT(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0)
		commit_for_ever(fds[1]);
	(void)close(fds[1]);
	while (tick < n_acks && fd_read_full(fds[0], &next, sizeof(next)) == sizeof(next))
		tick = next;
	CHECK_INT(kill(pid, SIGKILL), 0);
	while (fd_read_full(fds[0], &next, sizeof(next)) == sizeof(next))
		tick = next;
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	(void)close(fds[0]);
	CHECK(tick >= n_acks);

	c = must_open();
	CHECK_INT(catalog_roots(c, &roots, NULL), 0);
	CHECK_INT(roots.len, 1);
	/* The commit that was under way may be there too; one that was acknowledged must be. */
	CHECK(roots.data[0].tick == tick || roots.data[0].tick == tick + 1);
	(void)snprintf(file, sizeof(file), "%" PRIu64 ".seg", roots.data[0].tick);
	CHECK_STR(roots.data[0].segments[0], file);
	catalog_roots_free(&roots);
	catalog_close(c);
}

TEST(catalog, acknowledged_commits_survive_kill_9)
{
	static const uint64_t acks[] = {1, 2, 10, 63, 64, 65, 150};

	if (!can_fork)
		return without("threads in a child");
	for (size_t i = 0; i < ARRAY_LEN(acks); i++)
		kill_after(acks[i]);
}

/* Is the text in the database itself, not just in its log? */
static bool
is_in_file(const char *text)
{
	AUTO(closep) int fd = openat(dirfd_, "catalog.db", O_RDONLY | O_CLOEXEC);
	static char bytes[1 << 20];
	ssize_t n = fd_read_full(fd, bytes, sizeof(bytes));

	return n > 0 && memmem(bytes, (size_t)n, text, strlen(text)) != NULL;
}

TEST(catalog, moves_its_log_when_nobody_asks)
{
	struct catalog *c = must_open();
	int in = inotify_init1(IN_CLOEXEC);
	struct pollfd changed = {.fd = in, .events = POLLIN};
	char events[4096];

	(void)snprintf(events, sizeof(events), "%s/catalog.db", dir);
	CHECK(inotify_add_watch(in, events, IN_MODIFY) >= 0);
	CHECK_INT(catalog_set(c, "key", "a value to be moved", NULL), 0);
	while (!is_in_file("a value to be moved")) {
		CHECK_SAY(poll(&changed, 1, 20000) == 1, "it stays in the log");
		CHECK(read(in, events, sizeof(events)) > 0);
	}
	(void)close(in);
	catalog_close(c);
}
