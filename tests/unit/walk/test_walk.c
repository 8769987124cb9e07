#include "hostile.h"

#include <sched.h>
#include <sys/inotify.h>
#include <sys/resource.h>

#include "sync/scope.h"

/* Walk `opts` and compare with what find says of the same root. */
static void
check_against_find(struct walked *w)
{
	struct found f = {0};

	walked_run(w);
	CHECK_SAY(w->result == 0, "%d %s", w->result, w->err.what);
	found_run(&f, w->opts.root, "");
	check_same(w, &f);
	found_fini(&f);
	walked_fini(w);
}

TEST(walk, finds_what_find_finds_on_a_hostile_tree)
{
	char *dir = test_dir();
	struct walked w = {.opts = {.root = dir, .width = 2}};

	make_hostile(dir, DEEPEST);
	check_against_find(&w);
	tree_remove(dir);
}

TEST(walk, the_width_changes_nothing_but_the_order)
{
	char *dir = test_dir();

	make_hostile(dir, DEEP);
	for (unsigned width = 1; width <= 5; width += 2) {
		struct walked w = {.opts = {.root = dir, .width = width}, .n_threads = width};

		check_against_find(&w);
	}
	tree_remove(dir);
}

TEST(walk, a_width_above_the_number_of_threads_still_ends)
{
	char *dir = test_dir();
	struct walked w = {.opts = {.root = dir, .width = 8}, .n_threads = 1, .cap = 2};

	make_hostile(dir, DEEP);
	check_against_find(&w);
	tree_remove(dir);
}

TEST(walk, keeps_to_its_budget_of_descriptors)
{
	char *dir = test_dir();

	make_hostile(dir, DEEP);
	for (unsigned max_fds = 5; max_fds < 30; max_fds += 8) {
		struct walked w = {.opts = {.root = dir, .width = 2, .max_fds = max_fds}};

		walked_run(&w);
		CHECK_INT(w.result, 0);
		CHECK(counter_get(&w.stats.max_fds_seen) <= max_fds);
		walked_fini(&w);
	}
	tree_remove(dir);
}

/* Leave the process n descriptors below its limit of 64. */
static void
starve(int n)
{
	struct rlimit limit = {64, 64};
	int fd;

	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	do {
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		CHECK(fd >= 0);
	} while (fd < 63 - n);
}

TEST(walk, a_process_limit_of_64_descriptors_is_enough)
{
	char *dir = test_dir();
	struct walked w = {.opts = {.root = dir, .width = 2}};

	make_hostile(dir, DEEP);
	starve(40);
	check_against_find(&w);
	tree_remove(dir);
}

TEST(walk, does_not_fail_when_descriptors_run_out_halfway)
{
	char *dir = test_dir();
	/* The budget, half of the limit, is more than what is left: the kernel refuses. */
	struct walked w = {.opts = {.root = dir, .width = 2}};

	make_hostile(dir, DEEP);
	starve(12);
	check_against_find(&w);
	tree_remove(dir);
}

TEST(walk, rules_hold_when_descriptors_run_out_too)
{
	char *dir = test_dir(), name[64];
	struct walked w = {.opts = {.root = dir, .width = 3, .gitignore = true}};

	for (int i = 0; i < 300; i++) {
		(void)snprintf(name, sizeof(name), "%d/%d/%d/secret", i / 36, i / 6 % 6, i % 6);
		test_write(dir, name, "");
		(void)snprintf(name, sizeof(name), "%d/%d/%d/.gitignore", i / 36, i / 6 % 6, i % 6);
		test_write(dir, name, "secret\n");
	}
	starve(8);
	walked_run(&w);
	CHECK_INT(w.result, 0);
	CHECK_INT(counter_get(&w.stats.n_skipped[SKIP_GITIGNORE]), 300);
	walked_fini(&w);
	tree_remove(dir);
}

TEST(walk, a_million_entries_in_one_directory_come_in_pieces)
{
	char *dir = test_dir();
	struct walked w = {.opts = {.root = dir, .width = 2}};
	unsigned long n = 10000 + test_scale(1000000);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	make_wide(fd, n);
	(void)close(fd);
	walked_run(&w);
	CHECK_INT(w.result, 0);
	CHECK_INT(w.rows.len, n);
	CHECK(w.n_batches >= n / 4096); /* walked_list() checks the size of each piece */
	walked_fini(&w);
	tree_remove(dir);
}

static void
count_workers(struct walked *w, const struct walk_batch *b)
{
	struct pool_stats stats;
	uint64_t *most = w->ctx;

	(void)b;
	pool_get_stats(w->pool, &stats);
	*most = MAX(*most, stats.n_run[TASK_INDEX]);
}

TEST(walk, workers_share_a_wide_directory)
{
	char *dir = test_dir();
	uint64_t n_workers = 0;
	struct walked w = {.opts = {.root = dir, .width = 2},
		.n_threads = 2,
		.cap = 2,
		.on_batch = count_workers,
		.ctx = &n_workers};
	char name[64];

	/* Nothing in it but files: there is no other work. */
	for (int i = 0; i < 5000; i++) {
		(void)snprintf(name, sizeof(name), "%d", i);
		test_write(dir, name, "");
	}
	check_against_find(&w);
	CHECK(n_workers > 1);
	tree_remove(dir);
}

TEST(walk, small_directories_share_a_batch)
{
	char *dir = test_dir();
	struct walked w = {.opts = {.root = dir, .width = 1}, .n_threads = 1};
	char name[64];

	for (int i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof(name), "%d/x", i);
		test_write(dir, name, "");
	}
	walked_run(&w);
	CHECK_INT(w.result, 0);
	CHECK_INT(w.rows.len, 2000);
	CHECK(w.n_batches <= 14);
	walked_fini(&w);
	tree_remove(dir);
}

TEST(walk, tells_the_root_apart_from_its_entries)
{
	char *dir = test_dir();
	struct walked w = {.opts = {.root = dir}};
	struct stat st;

	walked_run(&w);
	CHECK(stat(dir, &st) == 0);
	CHECK_INT(w.result, 0);
	CHECK_INT(w.rows.len, 0);
	CHECK_INT(w.root.entry.ino, st.st_ino);
	CHECK_INT(w.root.cls.dev, st.st_dev);
	CHECK_INT(w.root.entry.type, DT_DIR);
	CHECK_INT(w.root.entry.dir, 0);
	CHECK_INT(w.root.entry.name_len, 0);
	walked_fini(&w);
	tree_remove(dir);
}

/* A root with a wrong kind of answer. */
static void
check_refused(const char *root, int code, const char *word)
{
	struct walked w = {.opts = {.root = root}};

	walked_run(&w);
	CHECK_INT(w.result, code);
	CHECK_SAY(strstr(w.err.what, root) && strstr(w.err.what, word), "%s", w.err.what);
	walked_fini(&w);
}

TEST(walk, a_root_that_cannot_be_walked_is_refused_with_a_sentence)
{
	check_refused("/nonexistent/place", -ENOENT, "no such file");
	check_refused("/etc/passwd", -ENOTDIR, "not a directory");
	check_refused("/proc", -EINVAL, "pseudo file system");
	check_refused("/proc/sys", -EINVAL, "pseudo file system");
}

TEST(walk, a_root_that_became_a_symbolic_link_is_not_followed)
{
	char *dir = test_dir(), root[4200], link[4200];
	struct walk_verdict v;

	test_write(dir, "moved/root/file", "");
	(void)snprintf(link, sizeof(link), "%s/link", dir);
	CHECK(symlink("moved", link) == 0);
	check_refused(link, -ELOOP, "is or lies below a symbolic link");
	(void)snprintf(root, sizeof(root), "%s/link/root", dir);
	check_refused(root, -ELOOP, "is or lies below a symbolic link");
	CHECK_INT(walk_why(&(struct walk_opts){.root = root}, SPAN_LIT("file"), &v), -ELOOP);
	tree_remove(dir);
}

/* Unprivileged for the time of one walk; the directory is made passable first. */
static void
walk_as_nobody(struct walked *w)
{
	uid_t was = geteuid();

	CHECK(chmod(w->opts.root, 0755) == 0);
	if (was == 0)
		CHECK(seteuid(65534) == 0);
	walked_run(w);
	CHECK(seteuid(was) == 0);
	CHECK_INT(w->result, 0);
}

TEST(walk, unreadable_directories_are_counted_and_the_rest_is_walked)
{
	char *dir = test_dir();
	struct walked w = {.opts = {.root = dir}};
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), sub;

	test_write(dir, "fine/file", "x");
	test_write(dir, "closed/file", "x");
	test_write(dir, "names-only/file", "x");
	sub = mkdir_at(fd, "names-only/sub");
	(void)close(sub);
	CHECK(fchmodat(fd, "closed", 0, 0) == 0);
	CHECK(fchmodat(fd, "names-only", 0444, 0) == 0);
	walk_as_nobody(&w);
	CHECK_STR(walked_paths(&w),
		"closed fine fine/file names-only names-only/file names-only/sub");
	CHECK_INT(walked_dir_skip(&w, "closed"), SKIP_UNREADABLE);
	CHECK_INT(walked_dir_skip(&w, "names-only"), SKIP_NONE);
	CHECK_INT(walked_find(&w, "names-only/sub")->e.skip, SKIP_UNREADABLE);
	CHECK_INT(walked_find(&w, "names-only/sub")->e.type, DT_DIR);
	CHECK(walked_find(&w, "names-only/file")->e.ino != 0);
	CHECK_INT(counter_get(&w.stats.n_skipped[SKIP_UNREADABLE]), 3);
	walked_fini(&w);
	(void)close(fd);
	tree_remove(dir);
}

/* Ten directories of more than a batch each: a walker that is not drained stands still soon. */
static void
make_ten(const char *dir)
{
	char name[64];

	for (int d = 0; d < 10; d++) {
		for (int i = 0; i < 300; i++) {
			(void)snprintf(name, sizeof(name), "%d/%d", d, i);
			test_write(dir, name, "");
		}
	}
}

static void
remove_the_last(struct walked *w, const struct walk_batch *b)
{
	char command[4200];

	(void)b;
	(void)snprintf(command, sizeof(command), "rm -r '%s/9'; mv '%s/8' '%s/8-moved'",
		w->opts.root, w->opts.root, w->opts.root);
	CHECK_INT(system(command), 0);
	w->on_batch = NULL;
}

TEST(walk, directories_that_vanish_before_they_are_read_are_counted)
{
	char *dir = test_dir();
	/* The walker cannot be further than batch 5 when the first is received. */
	struct walked w = {.opts = {.root = dir, .width = 1},
		.n_threads = 1,
		.cap = 2,
		.on_batch = remove_the_last};

	make_ten(dir);
	walked_run(&w);
	CHECK_INT(w.result, 0);
	CHECK_INT(walked_dir_skip(&w, "9"), SKIP_GONE);
	CHECK_INT(walked_dir_skip(&w, "8"), SKIP_GONE);
	CHECK_INT(walked_dir_skip(&w, "7"), SKIP_NONE);
	CHECK_INT(counter_get(&w.stats.n_skipped[SKIP_GONE]), 2);
	CHECK_INT(w.rows.len, 10 + 8 * 300);
	walked_fini(&w);
	tree_remove(dir);
}

static void
swap_for_a_link(struct walked *w, const struct walk_batch *b)
{
	char command[4200];

	(void)b;
	(void)snprintf(command, sizeof(command), "rm -r '%s/9'; ln -s / '%s/9'", w->opts.root,
		w->opts.root);
	CHECK_INT(system(command), 0);
	w->on_batch = NULL;
}

TEST(walk, a_directory_swapped_for_a_symbolic_link_is_not_followed)
{
	char *dir = test_dir();
	struct walked w = {.opts = {.root = dir, .width = 1},
		.n_threads = 1,
		.cap = 2,
		.on_batch = swap_for_a_link};

	make_ten(dir);
	walked_run(&w);
	CHECK_INT(w.result, 0);
	CHECK_INT(walked_dir_skip(&w, "9"), SKIP_GONE);
	CHECK_INT(w.rows.len, 10 + 9 * 300);
	walked_fini(&w);
	tree_remove(dir);
}

static int
remover(void *arg)
{
	char command[4200];

	(void)snprintf(command, sizeof(command), "rm -rf '%s/busy'", (const char *)arg);
	return system(command);
}

TEST(walk, a_tree_removed_while_it_is_walked_does_no_harm)
{
	char *dir = test_dir();

	for (int round = 0; round < 5; round++) {
		struct walked w = {.opts = {.root = dir, .width = 2}};
		struct thread t = {0};
		int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), sub = mkdir_at(fd, "busy");

		make_chain(sub, 300);
		make_wide(sub, 3000);
		test_write(dir, "stays/file", "");
		CHECK(thread_start(&t, "remover", remover, dir) == 0);
		walked_run(&w);
		CHECK_INT(thread_join(&t), 0);
		CHECK_INT(w.result, 0);
		CHECK(walked_find(&w, "stays/file") != NULL);
		walked_fini(&w);
		(void)close(sub);
		(void)close(fd);
	}
	tree_remove(dir);
}

TEST(walk, fifos_are_never_opened_whatever_they_are_called)
{
	char *dir = test_dir(), path[4200];
	struct walked w = {.opts = {.root = dir, .gitignore = true, .exclude_caches = true}};
	int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	static const char *const names[] = {"sub/.gitignore", "sub/CACHEDIR.TAG", "sub/plain"};
	char event[4096];

	test_write(dir, "sub/x", "");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		CHECK(mkfifo(path, 0666) == 0);
		CHECK(inotify_add_watch(watch, path, IN_OPEN) >= 0);
	}
	walked_run(&w);
	CHECK_INT(w.result, 0);
	CHECK_INT(w.rows.len, 5);
	CHECK(read(watch, event, sizeof(event)) < 0 && errno == EAGAIN);
	(void)close(watch);
	walked_fini(&w);
	tree_remove(dir);
}

static void
request_stop(struct walked *w, const struct walk_batch *b)
{
	(void)b;
	stop_request(w->stop);
}

TEST(walk, stops_halfway_when_the_token_fires)
{
	char *dir = test_dir();
	struct stop stop;
	struct walked w = {.opts = {.root = dir, .width = 2},
		.cap = 2,
		.stop = &stop,
		.on_batch = request_stop};

	stop_init(&stop, NULL);
	make_ten(dir);
	walked_run(&w);
	CHECK_INT(w.result, -ECANCELED);
	CHECK(w.rows.len < 10 + 10 * 300);
	walked_fini(&w);
	stop_fini(&stop);
	tree_remove(dir);
}

TEST(walk, does_not_begin_when_the_token_has_fired)
{
	char *dir = test_dir();
	struct stop stop;
	struct walked w = {.opts = {.root = dir, .width = 2}, .stop = &stop};

	stop_init(&stop, NULL);
	stop_request(&stop);
	make_ten(dir);
	walked_run(&w);
	CHECK_INT(w.result, -ECANCELED);
	CHECK_INT(w.rows.len, 0);
	walked_fini(&w);
	stop_fini(&stop);
	tree_remove(dir);
}

static void
close_channel(struct walked *w, const struct walk_batch *b)
{
	(void)b;
	chan_close(w->chan);
}

TEST(walk, ends_with_epipe_when_the_channel_is_closed)
{
	char *dir = test_dir();
	struct walked w = {.opts = {.root = dir, .width = 2}, .cap = 2, .on_batch = close_channel};

	make_ten(dir);
	walked_run(&w);
	CHECK_INT(w.result, -EPIPE);
	walked_fini(&w);
	tree_remove(dir);
}

struct stuck_walk {
	struct walk_opts opts;
	struct pool *pool;
	struct chan *chan; /* nobody receives */
	struct walk_stats stats;
};

static int
stuck_walk_main(void *arg, struct stop *stop)
{
	struct stuck_walk *w = arg;
	struct walk_root root;

	CHECK_INT(walk_run(&w->opts, w->pool, w->chan, stop, &w->stats, &root, thread_err()),
		-ECANCELED);
	return 0;
}

static int
answer(void *arg)
{
	(void)arg;
	return 42;
}

static unsigned
n_busy(const struct pool *p)
{
	struct pool_stats s;

	pool_get_stats(p, &s);
	return s.n_busy;
}

TEST(walk, walks_that_hang_leave_the_rest_of_the_pool_to_queries)
{
	char *dir = test_dir();
	struct pool_share share;
	struct pool *pool;
	struct stuck_walk walks[3] = {0};
	SCOPE(s, NULL);

	make_ten(dir);
	CHECK_INT(pool_create("io", 4, &pool), 0);
	pool_share_init(&share, 3);
	for (size_t i = 0; i < ARRAY_LEN(walks); i++) {
		walks[i] = (struct stuck_walk){
			.opts = {.root = dir,
				.width = 4,
				.share = &share,
				.batch_bytes = WALKED_BATCH_BYTES},
			.pool = pool,
			.chan = chan_create(2, walked_drop),
		};
		CHECK_INT(scope_spawn(&s, "walk", stuck_walk_main, &walks[i]), 0);
	}
	while (n_busy(pool) < 3)
		(void)sched_yield();
	for (size_t i = 0; i < 3; i++)
		CHECK_INT(pool_run(pool, TASK_QUERY, answer, NULL), 42);
	stop_request(&s.stop);
	CHECK_INT(scope_join(&s, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(walks); i++)
		chan_destroy(walks[i].chan);
	pool_share_fini(&share);
	pool_destroy(pool);
	tree_remove(dir);
}

struct query {
	struct task task;
	struct walked *walked;
	_Atomic uint64_t n_entries; /* how far the walk was when it ran; relaxed, read after it */
};

static void
query_run(struct task *t)
{
	struct query *q = CONTAINER_OF(t, struct query, task);

	store_rlx(&q->n_entries, counter_get(&q->walked->stats.n_entries));
}

static void
submit_query(struct walked *w, const struct walk_batch *b)
{
	struct query *q = w->ctx;

	(void)b;
	CHECK(pool_submit(w->pool, &q->task, TASK_QUERY) == 0);
	w->on_batch = NULL;
}

TEST(walk, gives_its_thread_to_a_more_urgent_task)
{
	char *dir = test_dir();
	struct query q = {.task.run = query_run};
	struct walked w = {.opts = {.root = dir, .width = 1},
		.n_threads = 1,
		.cap = 2,
		.on_batch = submit_query,
		.ctx = &q};

	q.walked = &w;
	make_ten(dir);
	walked_run(&w);
	CHECK_INT(w.result, 0);
	CHECK_INT(w.rows.len, 10 + 10 * 300);
	CHECK(load_rlx(&q.n_entries) > 0);
	CHECK(load_rlx(&q.n_entries) < w.rows.len);
	walked_fini(&w);
	tree_remove(dir);
}

/* A chain without side branches: nothing to share. */
static void
make_bare_chain(const char *dir, int depth)
{
	int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < depth; i++) {
		int next = mkdir_at(at, "d");

		(void)close(at);
		at = next;
	}
	(void)close(at);
}

static void
check_one_thread(struct walked *w, const struct walk_batch *b)
{
	struct pool_stats stats;

	(void)b;
	pool_get_stats(w->pool, &stats);
	CHECK(stats.n_busy <= 1);
	CHECK_INT(stats.n_run[TASK_INDEX], 1);
	CHECK_INT(stats.n_waiting, 0);
}

TEST(walk, a_worker_without_work_holds_no_thread)
{
	char *dir = test_dir();
	struct walked w = {.opts = {.root = dir, .width = 4},
		.n_threads = 4,
		.cap = 2,
		.on_batch = check_one_thread};

	make_bare_chain(dir, 2000);
	walked_run(&w);
	CHECK_INT(w.result, 0);
	CHECK_INT(w.rows.len, 2000);
	CHECK(w.n_batches > 5);
	walked_fini(&w);
	tree_remove(dir);
}

/* Walk another tree, on the same pool, while the first walk's only busy worker waits for us. */
static void
walk_another(struct walked *w, const struct walk_batch *b)
{
	struct chan *chan = chan_create(64, walked_drop);
	struct walk_opts opts = {.root = w->ctx, .width = 2};
	struct walk_stats stats = {0};
	struct walk_root root;

	(void)b;
	CHECK_INT(walk_run(&opts, w->pool, chan, NULL, &stats, &root, NULL), 0);
	CHECK_INT(counter_get(&stats.n_entries), 4);
	chan_close(chan);
	chan_destroy(chan);
	w->on_batch = NULL;
}

TEST(walk, a_walk_that_stands_still_does_not_stop_another)
{
	char *dir = test_dir(), *other = test_dir();
	/* The chain is far more than the channel holds. */
	struct walked w = {.opts = {.root = dir, .width = 2},
		.n_threads = 2,
		.cap = 2,
		.on_batch = walk_another,
		.ctx = other};

	make_bare_chain(dir, 2000);
	test_write(other, "a/x", "");
	test_write(other, "b/x", "");
	walked_run(&w);
	CHECK_INT(w.result, 0);
	CHECK_INT(w.rows.len, 2000);
	walked_fini(&w);
	tree_remove(dir);
	tree_remove(other);
}

/* Work for one, then for all, then for one again: workers go idle and come back. */
TEST(walk, workers_that_went_idle_come_back_for_more)
{
	char *dir = test_dir(), path[4200];
	struct walked w = {.opts = {.root = dir, .width = 4}, .n_threads = 4};
	size_t at = (size_t)snprintf(path, sizeof(path), "%s", dir);

	for (int round = 0; round < 20; round++) {
		int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		make_wide(fd, 200);
		(void)close(fd);
		at += (size_t)snprintf(path + at, sizeof(path) - at, "/zz");
		CHECK(mkdir(path, 0755) == 0);
		make_bare_chain(path, 30);
		for (int i = 0; i < 30; i++)
			at += (size_t)snprintf(path + at, sizeof(path) - at, "/d");
	}
	check_against_find(&w);
	tree_remove(dir);
}

static void
close_pool(struct walked *w, const struct walk_batch *b)
{
	(void)b;
	pool_close(w->pool);
}

TEST(walk, is_canceled_when_the_pool_closes_under_it)
{
	char *dir = test_dir(), bottom[4200];
	/* The walker is still in the chain when the first batch is received; what is at the bottom
	 * is for more than one. */
	struct walked w = {.opts = {.root = dir, .width = 2},
		.n_threads = 2,
		.cap = 2,
		.on_batch = close_pool};
	size_t at = (size_t)snprintf(bottom, sizeof(bottom), "%s", dir);

	make_bare_chain(dir, 1500);
	for (int i = 0; i < 1500; i++)
		at += (size_t)snprintf(bottom + at, sizeof(bottom) - at, "/d");
	make_ten(bottom);
	walked_run(&w);
	CHECK_INT(w.result, -ECANCELED);
	CHECK(w.rows.len < 1500 + 10 + 10 * 300);
	walked_fini(&w);
	tree_remove(dir);
}

TEST(walk, is_canceled_when_the_pool_is_closed_before_it)
{
	struct walk_opts opts = {.root = "/usr"};
	struct chan *chan = chan_create(2, walked_drop);
	struct walk_stats stats = {0};
	struct walk_root root;
	struct pool *pool = NULL;

	CHECK_INT(pool_create("io", 2, &pool), 0);
	pool_close(pool);
	CHECK_INT(walk_run(&opts, pool, chan, NULL, &stats, &root, NULL), -ECANCELED);
	CHECK_INT(counter_get(&stats.n_entries), 0);
	pool_destroy(pool);
	chan_destroy(chan);
}
