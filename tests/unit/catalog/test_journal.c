#include "catalog/catalog.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

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

TestSuite(journal, .init = make_dir, .fini = drop_dir, .timeout = 60);

static struct catalog *
open_with(struct catalog_opts opts)
{
	struct catalog *c = NULL;
	struct err err = {0};
	int r = catalog_open_with(dirfd_, dir, &opts, &c, &err);

	CHECK_SAY(r == 0, "%s", err.what);
	return c;
}

static struct catalog *
open_boot(const char *boot_id)
{
	return open_with((struct catalog_opts){.boot_id = boot_id});
}

static uint32_t
root_of(struct catalog *c, const char *path)
{
	uint32_t id;

	CHECK_INT(catalog_root(c, path, &id, NULL), 0);
	return id;
}

/* Bytes that say which tick they are of, as many as it has records. */
static struct span
bytes_of_tick(uint64_t tick, size_t n, char *buf)
{
	memset(buf, 'a' + (int)(tick % 26), n);
	return (struct span){buf, n};
}

#define MANY 4096u

/* `files` are a word each, the base first; the lowest n_synced are. */
static int
commit_files(struct catalog *c, uint32_t id, const char *files, uint32_t n_synced,
	const struct catalog_batch *batch, enum catalog_sync how)
{
	char *rest = strdupa(files);
	struct catalog_root root = {.id = id, .walked_usec = 77, .n_synced = n_synced};

	for (char *file; (file = strsep(&rest, " ")) != NULL;)
		root.segments[root.n_segments++] = file;
	return catalog_commit(c, &root, batch, how, NULL);
}

/* A batch of that tick with n bytes of records; without any, of what nobody knows. */
static int
commit_tick(struct catalog *c, uint32_t id, uint64_t tick, size_t n, usec_t at)
{
	char buf[MANY];
	struct catalog_batch b = {
		.tick = tick, .at = at, .n_records = n, .records = bytes_of_tick(tick, n, buf)};

	return commit_files(c, id, "base", 1, &b, CATALOG_LIGHT);
}

/* Ticks that are told after `from`, up to `upto`, as words; or the error. */
static const char *
told(struct catalog *c, uint64_t from, uint64_t upto)
{
	static char out[1024];
	struct catalog_batches b;
	int r = catalog_changes(c, from, upto, SIZE_MAX, &b, NULL);
	char buf[MANY];

	out[0] = '\0';
	if (r < 0)
		return r == -ESTALE ? "stale" : "error";
	for (size_t i = 0; i < b.len; i++) {
		const struct catalog_batch *k = &b.data[i];

		CHECK(span_eq(k->records, bytes_of_tick(k->tick, k->n_records, buf)));
		(void)snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s%" PRIu64,
			i ? " " : "", k->tick);
	}
	catalog_batches_free(&b);
	return out;
}

TEST(journal, tells_the_batches_after_a_tick_in_their_order)
{
	struct catalog *c = open_boot("a");
	uint32_t a = root_of(c, "/a"), b = root_of(c, "/b");
	struct catalog_batches got;
	char buf[MANY];

	CHECK_INT(commit_tick(c, a, 1, 3, 10), 0);
	CHECK_INT(commit_files(c, b, "x", 1,
			  &(struct catalog_batch){.tick = 2,
				  .at = 20,
				  .n_records = 5,
				  .records = bytes_of_tick(2, 5, buf)},
			  CATALOG_DURABLE),
		0);
	CHECK_INT(commit_tick(c, a, 7, 1, 70), 0); /* ticks may be left out */
	CHECK_STR(told(c, 0, 100), "1 2 7");
	CHECK_STR(told(c, 1, 100), "2 7");
	CHECK_STR(told(c, 1, 6), "2");
	CHECK_STR(told(c, 2, 6), "");
	CHECK_STR(told(c, 7, 100), "");
	CHECK_INT(catalog_changes(c, 1, 2, SIZE_MAX, &got, NULL), 0);
	CHECK_INT(got.len, 1);
	CHECK_INT(got.data[0].root, b);
	CHECK_INT(got.data[0].at, 20);
	CHECK_INT(got.data[0].n_records, 5);
	catalog_batches_free(&got);
	catalog_close(c);
}

TEST(journal, gives_as_many_as_have_room_and_one_at_least)
{
	struct catalog *c = open_boot("a");
	uint32_t id = root_of(c, "/a");
	struct catalog_batches got;

	for (uint64_t t = 1; t <= 9; t++)
		CHECK_INT(commit_tick(c, id, t, 100, t), 0);
	CHECK_INT(catalog_changes(c, 0, 9, 1, &got, NULL), 0);
	CHECK_INT(got.len, 1);
	catalog_batches_free(&got);
	CHECK_INT(catalog_changes(c, 4, 9, 250, &got, NULL), 0);
	CHECK_INT(got.len, 3);
	CHECK_INT(got.data[0].tick, 5);
	catalog_batches_free(&got);
	catalog_close(c);
}

TEST(journal, a_batch_that_nobody_knows_makes_clocks_before_it_stale)
{
	struct catalog *c = open_boot("a");
	uint32_t id = root_of(c, "/a");

	CHECK_INT(commit_tick(c, id, 1, 3, 10), 0);
	CHECK_INT(catalog_note(c, &(struct catalog_batch){.tick = 2}, NULL), 0);
	CHECK_INT(commit_tick(c, id, 3, 3, 10), 0);
	CHECK_STR(told(c, 0, 3), "stale");
	CHECK_STR(told(c, 1, 3), "stale");
	CHECK_STR(told(c, 2, 3), "3");
	CHECK_INT(commit_tick(c, id, 4, 0, 10), 0); /* with segments */
	CHECK_STR(told(c, 3, 4), "stale");
	CHECK_STR(told(c, 4, 4), "");
	catalog_close(c);
	c = open_boot("b");
	CHECK_INT(catalog_clock(c)->floor, 4);
	CHECK_INT(catalog_clock(c)->tick, 4);
	catalog_close(c);
}

TEST(journal, a_commit_that_fails_moves_neither_clock_nor_journal)
{
	struct catalog *c = open_boot("a");
	uint32_t id = root_of(c, "/a"), other = root_of(c, "/b");

	CHECK_INT(commit_tick(c, id, 1, 3, 10), 0);
	CHECK_INT(commit_tick(c, other, 2, 3, 10), -EEXIST); /* its file is another's */
	CHECK_INT(commit_tick(c, 99, 2, 0, 10), -ENOENT);
	CHECK_STR(told(c, 0, 9), "1");
	CHECK_INT(commit_tick(c, id, 2, 4, 10), 0);
	CHECK_STR(told(c, 0, 9), "1 2");
	catalog_close(c);
}

TEST(journal, a_clean_end_keeps_the_clock_in_whichever_boot)
{
	struct catalog *c = open_boot("a");
	struct catalog_clock before = *catalog_clock(c), after;

	CHECK_INT(before.epoch, 1);
	CHECK_INT(before.run, 1);
	CHECK_INT(commit_tick(c, root_of(c, "/a"), 5, 3, 10), 0);
	catalog_close(c);
	c = open_boot("b");
	after = *catalog_clock(c);
	CHECK(after.instance == before.instance);
	CHECK_INT(after.epoch, 1);
	CHECK_INT(after.run, 2);
	CHECK_INT(after.tick, 5);
	CHECK_STR(told(c, 0, 5), "5");
	catalog_close(c);
}

/* Opens, commits light ticks up to n, and is cut off. */
static void
commit_and_die(const char *boot_id, uint64_t n)
{
	struct catalog_opts opts = {.boot_id = boot_id};
	struct catalog *c = NULL;
	uint32_t id;

	if (catalog_open_with(dirfd_, dir, &opts, &c, NULL) < 0 ||
		catalog_root(c, "/a", &id, NULL) < 0)
		_exit(1);
	for (uint64_t t = catalog_clock(c)->tick + 1; t <= n; t++) {
		if (commit_tick(c, id, t, 3, 10) < 0)
			_exit(2);
	}
	(void)kill(getpid(), SIGKILL);
}

static void
cut_off(const char *boot_id, uint64_t n)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		commit_and_die(boot_id, n);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST(journal, light_commits_survive_kill_9_and_the_epoch_stays)
{
	struct catalog *c;

	if (!can_fork)
		return;
	cut_off("a", 3);
	cut_off("a", 200); /* beyond a checkpoint */
	c = open_boot("a");
	CHECK_INT(catalog_clock(c)->epoch, 1);
	CHECK_INT(catalog_clock(c)->run, 3);
	CHECK_INT(catalog_clock(c)->tick, 200);
	CHECK_STR(told(c, 197, 300), "198 199 200");
	CHECK_INT(strlen(told(c, 0, 9)), 17);
	catalog_close(c);
}

TEST(journal, another_boot_after_an_end_that_was_not_clean_begins_an_epoch)
{
	struct catalog *c;

	if (!can_fork)
		return;
	cut_off("a", 3);
	c = open_boot("b");
	CHECK_INT(catalog_clock(c)->epoch, 2);
	CHECK_INT(catalog_clock(c)->tick, 3);
	CHECK_STR(told(c, 2, 3), "stale");
	CHECK_STR(told(c, 3, 3), "");
	CHECK_INT(commit_tick(c, root_of(c, "/a"), 4, 3, 10), 0);
	CHECK_STR(told(c, 3, 4), "4");
	catalog_close(c);
	/* Who does not know the boot cannot tell, and is careful. */
	cut_off("", 6);
	c = open_boot("");
	CHECK_INT(catalog_clock(c)->epoch, 3);
	catalog_close(c);
	c = open_boot("");
	CHECK_INT(catalog_clock(c)->epoch, 3);
	catalog_close(c);
}

/* The layers of the root and when it was walked, as they are after a boot. */
static void
check_layers(const char *boot_id, size_t root, const char *files, uint32_t n_synced, usec_t walked)
{
	struct catalog *c = open_boot(boot_id);
	struct catalog_roots roots;
	AUTO(strbuf_fini) struct strbuf text = {0};

	CHECK_INT(catalog_roots(c, &roots, NULL), 0);
	for (uint32_t i = 0; i < roots.data[root].n_segments; i++)
		(void)strbuf_printf(&text, "%s%s", i ? " " : "", roots.data[root].segments[i]);
	CHECK_STR(text.data, files);
	CHECK_INT(roots.data[root].n_synced, n_synced);
	CHECK_INT(roots.data[root].walked_usec, walked);
	catalog_roots_free(&roots);
	catalog_close(c);
}

TEST(journal, segments_that_were_not_synced_are_not_named_after_a_power_cut)
{
	struct catalog *c = open_boot("a");
	uint32_t a = root_of(c, "/a"), b = root_of(c, "/b");

	CHECK_INT(commit_files(c, a, "base one two three", 2, NULL, CATALOG_LIGHT), 0);
	CHECK_INT(commit_files(c, b, "safe sound", 2, NULL, CATALOG_LIGHT), 0);
	catalog_close(c); /* nothing was settled: another boot may be a power cut all the same */
	check_layers("a", 0, "base one two three", 2, 77);
	check_layers("b", 0, "base one", 2, 0); /* nothing that was walked is to be trusted */
	check_layers("b", 1, "safe sound", 2, 77);
}

TEST(journal, settled_segments_are_there_after_a_power_cut)
{
	struct catalog *c = open_boot("a");
	uint32_t a = root_of(c, "/a");
	char *settled[] = {(char[]){"one"}, (char[]){"two"}, (char[]){"of another time"}};

	CHECK_INT(commit_files(c, a, "base one two", 1, NULL, CATALOG_LIGHT), 0);
	CHECK_INT(catalog_settle(c, a, settled, 3, NULL), 0);
	catalog_close(c);
	check_layers("b", 0, "base one two", 3, 77);
	c = open_boot("c");
	CHECK_INT(catalog_clock(c)->epoch, 1);
	catalog_close(c);
}

/* By the sqlite3 shell; false: there is none. */
static bool
spoil(const char *sql)
{
	char command[512];

	(void)snprintf(command, sizeof(command), "sqlite3 '%s/catalog.db' \"%s\"", dir, sql);
	return system("command -v sqlite3 >/dev/null 2>&1") == 0 && system(command) == 0;
}

TEST(journal, a_clock_that_no_run_leaves_is_damage)
{
	static const char *const spoilt[] = {
		"UPDATE clock SET tick = -1",
		"UPDATE clock SET floor = 6",
		"UPDATE clock SET tick = 4, floor = 0",
		"UPDATE clock SET tick = 5; DELETE FROM clock",
	};
	struct catalog *c = open_boot("a");
	struct err err = {0};

	CHECK_INT(commit_tick(c, root_of(c, "/a"), 5, 3, 10), 0);
	catalog_close(c);
	for (size_t i = 0; i < ARRAY_LEN(spoilt); i++) {
		if (!spoil(spoilt[i]))
			return;
		c = NULL;
		CHECK_INT(catalog_open(dirfd_, dir, &c, &err), -EBADMSG);
		CHECK(strstr(err.what, "is damaged") != NULL);
		CHECK(spoil("REPLACE INTO clock (one, instance, epoch, tick) VALUES (1, 7, 1, 5)"));
	}
}

/* Retention is cut when there is time: this waits for it. */
static void
wait_for_floor(struct catalog *c, uint64_t floor)
{
	struct catalog_batches b;

	for (;;) {
		int r = catalog_changes(c, floor - 1, 1000000, 1, &b, NULL);

		if (r == -ESTALE)
			return;
		CHECK_INT(r, 0);
		catalog_batches_free(&b);
	}
}

TEST(journal, keeps_so_many_records)
{
	struct catalog *c = open_with((struct catalog_opts){.boot_id = "a", .keep_records = 100});
	uint32_t id = root_of(c, "/a");

	for (uint64_t t = 1; t <= 30; t++)
		CHECK_INT(commit_tick(c, id, t, 10, 10 + UINT64_MAX / 4), 0);
	CHECK_INT(strlen(told(c, 0, 9)), 17); /* not at once */
	wait_for_floor(c, 20);
	CHECK_STR(told(c, 19, 99), "stale");
	CHECK_STR(told(c, 20, 22), "21 22");
	catalog_close(c);
	c = open_boot("b");
	CHECK_INT(catalog_clock(c)->floor, 20);
	CHECK_STR(told(c, 28, 99), "29 30");
	catalog_close(c);
}

TEST(journal, keeps_so_many_bytes)
{
	struct catalog *c = open_with((struct catalog_opts){.boot_id = "a", .keep_bytes = 1000});
	uint32_t id = root_of(c, "/a");

	for (uint64_t t = 1; t <= 10; t++)
		CHECK_INT(commit_tick(c, id, t, 300, 10 + UINT64_MAX / 4), 0);
	wait_for_floor(c, 7);
	CHECK_STR(told(c, 7, 99), "8 9 10");
	catalog_close(c);
}

TEST(journal, keeps_what_is_not_too_old)
{
	struct catalog *c =
		open_with((struct catalog_opts){.boot_id = "a", .keep_usec = 3600 * USEC_PER_SEC});
	uint32_t id = root_of(c, "/a");
	usec_t now = clock_real();

	CHECK_INT(commit_tick(c, id, 1, 3, now - 7200 * USEC_PER_SEC), 0);
	CHECK_INT(commit_tick(c, id, 2, 3, now - 3601 * USEC_PER_SEC), 0);
	CHECK_INT(commit_tick(c, id, 3, 3, now - 600 * USEC_PER_SEC), 0);
	wait_for_floor(c, 2);
	CHECK_STR(told(c, 2, 99), "3");
	catalog_close(c);
}

static void
check_figures(struct catalog *c, uint64_t n_records, uint64_t oldest_tick, usec_t oldest_usec)
{
	struct catalog_journal j;

	catalog_get_journal(c, &j);
	CHECK_INT(j.n_records, n_records);
	CHECK_INT(j.n_bytes, n_records);
	CHECK_INT(j.oldest_tick, oldest_tick);
	CHECK_INT(j.oldest_usec, oldest_usec);
}

TEST(journal, says_how_much_it_has_and_how_far_it_reaches_back)
{
	struct catalog *c = open_with((struct catalog_opts){.boot_id = "a", .keep_records = 25});
	usec_t long_after = UINT64_MAX / 4;
	uint32_t id = root_of(c, "/a");

	check_figures(c, 0, 0, 0);
	CHECK_INT(commit_tick(c, id, 3, 10, long_after), 0);
	CHECK_INT(commit_tick(c, id, 4, 10, long_after + 1), 0);
	check_figures(c, 20, 3, long_after);
	CHECK_INT(commit_tick(c, id, 5, 10, long_after + 2), 0);
	wait_for_floor(c, 3);
	check_figures(c, 20, 4, long_after + 1);
	CHECK_INT(catalog_note(c, &(struct catalog_batch){.tick = 6}, NULL), 0);
	check_figures(c, 20, 0, 0); /* they are not removed yet, and count for nothing */
	CHECK_INT(commit_tick(c, id, 7, 1, long_after + 3), 0);
	catalog_close(c);
	c = open_boot("a");
	check_figures(c, 21, 7, long_after + 3);
	catalog_close(c);
}
