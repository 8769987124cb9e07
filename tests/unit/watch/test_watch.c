/* One watch on a small tree: what is told, what is not, and in which order. */

#include "watch_support.h"

#include "base/fd.h"
#include "sync/lock.h"
#include "sync/thread.h"

static void
make(const struct scene *s, const char *name)
{
	int fd = openat(s->tree_fd, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

	CHECK(fd >= 0);
	close(fd);
}

/* The kinds that a private tmpfs has; as many places as tests need. */
#define EACH_KIND(kind) \
	for (enum watch_kind kind = WATCH_FILE_SYSTEM; kind <= WATCH_DIRECTORIES; kind++)

TEST(watch, a_change_is_told_before_the_cookie)
{
	struct place p = place_open("tmpfs");

	EACH_KIND(kind)
	{
		struct scene s;
		uint64_t root;
		char name[32];

		scene_open(&s, p.path, kind);
		CHECK_INT(s.kind, kind);
		root = ino_at(s.tree_fd, "");
		for (int i = 0; i < 200; i++) {
			(void)snprintf(name, sizeof(name), "file%d.%d", i, kind);
			make(&s, name);
			scene_sync(&s);
			CHECK(scene_told(&s, root, name));
		}
		CHECK_INT(s.n_lost, 0);
		scene_close(&s);
	}
	place_close(&p);
}

TEST(watch, without_mounts_cookies_come_all_the_same)
{
	struct scene s;

	scene_open_with(&s, "/", (struct watch_opts){.allow_file_system = true});
	for (int i = 0; i < 100; i++)
		scene_sync(&s);
	CHECK_INT(s.n_names + s.n_lost, 0);
	scene_close(&s);
}

TEST(watch, one_cookie_may_stand_for_many_and_none_is_forgotten)
{
	struct scene s;
	uint64_t last = 0;

	scene_open_with(&s, "/", (struct watch_opts){.allow_file_system = true});
	for (int i = 0; i < 1000; i++) {
		uint64_t cookie = watch_cookie(s.watch);

		CHECK(cookie > last);
		last = cookie;
	}
	while (s.cookie < last)
		CHECK(scene_recv(&s, clock_deadline(PATIENCE)) > 0);
	CHECK(s.n_cookies <= 1000 && s.cookie == last);
	scene_close(&s);
}

TEST(watch, nobody_waits_for_ever)
{
	struct scene s;
	struct watch_change c;
	struct stop stop;

	stop_init(&stop, NULL);
	scene_open_with(&s, "/", (struct watch_opts){0});
	CHECK_INT(scene_recv(&s, clock_deadline(1000)), -ETIMEDOUT);
	stop_request(&stop);
	CHECK_INT(watch_recv(s.watch, &c, 1, &stop, USEC_NEVER), -ECANCELED);
	stop_fini(&stop);
	scene_close(&s);
}

TEST(watch, the_same_file_system_is_the_same_mount)
{
	struct place p = place_open("tmpfs");
	struct scene s;
	struct watch_mount_info info[4];
	enum watch_kind kind;
	uint32_t again, other;
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	scene_open(&s, p.path, WATCH_DIRECTORIES);
	CHECK_INT(watch_mount(s.watch, s.tree_fd, WATCH_POLL, &again, &kind, NULL), 0);
	CHECK(again == s.mount && kind == WATCH_DIRECTORIES);
	/* Who wants more gets it, for all. */
	CHECK_INT(watch_mount(s.watch, s.tree_fd, WATCH_FILE_SYSTEM, &again, &kind, NULL), 0);
	CHECK(again == s.mount && kind == WATCH_FILE_SYSTEM);
	CHECK_INT(watch_mount(s.watch, fd, WATCH_POLL, &other, &kind, NULL), 0);
	CHECK(other != s.mount && kind == WATCH_POLL);
	CHECK_INT(watch_get_mounts(s.watch, info, 4), 2);
	CHECK(info[0].n_refs == 3 && info[0].mount == s.mount && info[1].n_refs == 1);
	for (int i = 0; i < 2; i++)
		watch_unmount(s.watch, s.mount, s.tree_fd);
	make(&s, "still");
	scene_sync(&s);
	CHECK(scene_told(&s, ino_at(s.tree_fd, ""), "still"));
	watch_unmount(s.watch, s.mount, s.tree_fd);
	CHECK_INT(watch_get_mounts(s.watch, info, 4), 1);
	make(&s, "not any more");
	scene_sync(&s);
	CHECK(!scene_told(&s, ino_at(s.tree_fd, ""), "not any more"));
	close(fd);
	scene_close(&s);
	place_close(&p);
}

TEST(watch, what_cannot_be_watched_is_refused_in_a_sentence)
{
	struct scene s;
	struct err err = {0};
	enum watch_kind kind;
	uint32_t mount;
	char *dir = test_dir();
	int fd;

	test_write(dir, "file", "");
	scene_open_with(&s, dir, (struct watch_opts){0});
	fd = openat(s.tree_fd, "file", O_RDONLY | O_CLOEXEC);
	CHECK_INT(watch_mount(s.watch, fd, WATCH_FILE_SYSTEM, &mount, &kind, &err), -ENOTDIR);
	CHECK(strstr(err.what, "could not watch"));
	CHECK_INT(watch_dir(s.watch, 77, s.tree_fd, 1), -ENOENT);
	watch_dir_end(s.watch, 77, 1);
	watch_unmount(s.watch, 77, -1);
	close(fd);
	scene_close(&s);
	test_dir_remove(dir);
}

TEST(watch, without_the_right_the_ladder_goes_down)
{
	struct scene s;
	struct watch_mount_info info;

	scene_open_with(&s, "/", (struct watch_opts){.allow_file_system = false});
	scene_mount(&s, WATCH_FILE_SYSTEM);
	CHECK_INT(s.kind, WATCH_DIRECTORIES);
	CHECK_INT(watch_get_mounts(s.watch, &info, 1), 1);
	CHECK_INT(info.why, -EPERM);
	CHECK_STR(watch_kind_name(info.kind), "directories");
	scene_close(&s);
}

TEST(watch, own_directories_are_not_told)
{
	struct place p = place_open("tmpfs");
	struct scene s;
	struct watch_stats st;
	uint64_t own;
	int fd;

	EACH_KIND(kind)
	{
		scene_open(&s, p.path, kind);
		CHECK(mkdirat(s.tree_fd, "own", 0755) == 0 || errno == EEXIST);
		fd = openat(s.tree_fd, "own", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		own = ino_at(fd, "");
		CHECK_INT(watch_own(s.watch, fd), 0);
		CHECK_INT(watch_own(s.watch, fd), 0);
		CHECK(watch_dir(s.watch, s.mount, fd, own) >= 0);
		for (int i = 0; i < 100; i++)
			make(&s, "own/file");
		make(&s, "beside");
		scene_sync(&s);
		CHECK(!scene_told(&s, own, "file"));
		CHECK(scene_told(&s, ino_at(s.tree_fd, ""), "beside"));
		watch_get_stats(s.watch, &st);
		CHECK(st.n_told < 50 && st.n_events < 150);
		CHECK_INT(unlinkat(s.tree_fd, "beside", 0), 0);
		close(fd);
		scene_close(&s);
	}
	place_close(&p);
}

TEST(watch, a_burst_on_one_file_is_told_a_few_times)
{
	struct place p = place_open("tmpfs");
	struct scene s;
	struct watch_stats st;

	scene_open(&s, p.path, WATCH_FILE_SYSTEM);
	for (int i = 0; i < 10000; i++)
		make(&s, "same");
	scene_sync(&s);
	watch_get_stats(s.watch, &st);
	CHECK(scene_told(&s, ino_at(s.tree_fd, ""), "same"));
	CHECK(s.n_names < 2000);
	CHECK_INT(st.n_events, st.n_told - st.n_cookies + st.n_coalesced);
	scene_close(&s);
	place_close(&p);
}

/* The drain thread is held up at its next read. */
struct hold {
	struct lock lock;
	struct cond changed;
	bool held, waits;
};

static void
hold_drain(void *ctx)
{
	struct hold *h = ctx;
	LOCK_SCOPE(&h->lock);

	while (h->held) {
		h->waits = true;
		cond_broadcast(&h->changed);
		cond_wait(&h->changed, &h->lock);
	}
	h->waits = false;
}

static void
hold_begin(struct hold *h, struct watch *w)
{
	LOCK_SCOPE(&h->lock);

	h->held = true;
	(void)watch_cookie(w);
	while (!h->waits)
		cond_wait(&h->changed, &h->lock);
}

static void
hold_end(struct hold *h)
{
	LOCK_SCOPE(&h->lock);

	h->held = false;
	cond_broadcast(&h->changed);
}

static unsigned
max_queued(const char *which)
{
	AUTO(strbuf_fini) struct strbuf text = {0};
	char path[128];
	uint64_t n;

	(void)snprintf(path, sizeof(path), "/proc/sys/fs/%s/max_queued_events", which);
	CHECK_INT(fd_slurp(AT_FDCWD, path, 64, &text), 0);
	CHECK_INT(parse_u64(span_trim(strbuf_view(&text)), &n), 0);
	return (unsigned)n;
}

/* After the overflow the queue works again, and the loss stands before the cookie. */
static void
overflow(enum watch_kind kind, const char *which)
{
	struct place p = place_open("tmpfs");
	struct hold h = {0};
	struct scene s;
	struct watch_stats st;
	unsigned n = max_queued(which);

	if (n > 100000)
		cr_skip_test("a queue that is too long to overflow");
	lock_init(&h.lock, RANK_LEAF, "hold");
	scene_open_with(&s, p.path,
		(struct watch_opts){.allow_file_system = true, .on_drain = hold_drain, .ctx = &h});
	scene_mount(&s, kind);
	CHECK(watch_dir(s.watch, s.mount, s.tree_fd, ino_at(s.tree_fd, "")) >= 0);
	for (int round = 0; round < 3; round++) {
		char name[32];

		hold_begin(&h, s.watch);
		for (unsigned i = 0; i < n + 100; i++) {
			(void)snprintf(name, sizeof(name), "%d.%u", round, i);
			make(&s, name);
		}
		hold_end(&h);
		scene_sync(&s);
		CHECK_INT(s.n_lost, round + 1);
		CHECK_INT(s.last_lost, s.mount);
		(void)snprintf(name, sizeof(name), "after%d", round);
		make(&s, name);
		scene_sync(&s);
		CHECK(scene_told(&s, ino_at(s.tree_fd, ""), name));
	}
	watch_get_stats(s.watch, &st);
	CHECK_INT(st.n_overflows, 3);
	CHECK_INT(st.n_lost, 3);
	scene_close(&s);
	lock_fini(&h.lock);
	place_close(&p);
}

TEST(watch, an_overflow_of_fanotify_is_a_loss_before_the_cookie)
{
	overflow(WATCH_FILE_SYSTEM, "fanotify");
}

TEST(watch, an_overflow_of_inotify_is_a_loss_before_the_cookie)
{
	overflow(WATCH_DIRECTORIES, "inotify");
}

/* Nobody receives, and the channel holds little: the loss and the cookie come all the same, and the
 * loss first. */
TEST(watch, a_channel_without_room_is_a_loss_before_the_cookie)
{
	struct place p = place_open("tmpfs");
	struct scene s;
	struct watch_stats st;
	struct watch_change c;
	uint64_t cookie;
	bool lost = false;

	scene_open_with(&s, p.path,
		(struct watch_opts){
			.allow_file_system = true, .max_mem_bytes = 4096, .max_disk_bytes = 1});
	scene_mount(&s, WATCH_FILE_SYSTEM);
	for (int i = 0; i < 2000; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "a rather long name %d", i);
		make(&s, name);
	}
	cookie = watch_cookie(s.watch);
	do
		watch_get_stats(s.watch, &st);
	while (st.n_cookies == 0);
	CHECK(st.n_refused > 0);
	for (;;) {
		CHECK_INT(watch_recv(s.watch, &c, 1, NULL, clock_deadline(PATIENCE)), 1);
		lost |= c.what == WATCH_LOST && c.mount == s.mount;
		if (c.what == WATCH_COOKIE)
			break;
	}
	CHECK(lost && c.cookie == cookie);
	while (scene_recv(&s, clock_deadline(1000)) > 0)
		; /* what there was before the loss */
	make(&s, "afterwards");
	scene_sync(&s);
	CHECK(scene_told(&s, ino_at(s.tree_fd, ""), "afterwards"));
	scene_close(&s);
	place_close(&p);
}

TEST(watch, more_than_memory_holds_goes_to_disk_and_comes_back)
{
	struct place p = place_open("tmpfs");
	struct scene s;
	struct watch_stats st;
	uint64_t root;
	char name[300];

	scene_open_with(
		&s, p.path, (struct watch_opts){.allow_file_system = true, .max_mem_bytes = 4096});
	scene_mount(&s, WATCH_FILE_SYSTEM);
	root = ino_at(s.tree_fd, "");
	for (int i = 0; i < 3000; i++) {
		(void)snprintf(name, sizeof(name), "%0200d", i);
		make(&s, name);
		if (i % 1000 == 999) { /* not more than the kernel's queue at once */
			uint64_t told = 0;

			while (told < (unsigned)i) {
				watch_get_stats(s.watch, &st);
				told = st.n_told;
			}
		}
	}
	scene_sync(&s);
	watch_get_stats(s.watch, &st);
	CHECK(st.n_spilled > 1000);
	CHECK_INT(s.n_lost, 0);
	for (int i = 0; i < 3000; i++) {
		(void)snprintf(name, sizeof(name), "%0200d", i);
		CHECK(scene_told(&s, root, name));
	}
	scene_close(&s);
	place_close(&p);
}

TEST(watch, what_was_not_received_is_forgotten_at_the_next_start)
{
	struct place p = place_open("tmpfs");
	struct scene s;
	struct watch_opts o = {.allow_file_system = true};
	struct watch_stats st;
	struct watch *again;

	scene_open(&s, p.path, WATCH_FILE_SYSTEM);
	make(&s, "unheard");
	(void)watch_cookie(s.watch);
	do
		watch_get_stats(s.watch, &st);
	while (st.n_cookies == 0);
	watch_destroy(s.watch);
	o.state_fd = s.state_fd;
	CHECK_INT(watch_create(&o, &again, NULL), 0);
	s.watch = again;
	scene_sync(&s);
	CHECK_INT(s.n_names, 0);
	CHECK_INT(s.n_cookies, 1);
	scene_close(&s);
	place_close(&p);
}

/* Threads write, each where nobody else does, and ask for themselves. */
struct writer {
	struct scene *s;
	struct thread thread;
	int index;
	uint64_t dir;
	_Atomic uint64_t asked; /* relaxed, as the rest: joined before they are read */
};

static int
write_and_ask(void *arg)
{
	struct writer *wr = arg;
	char name[64];

	for (int i = 0; i < 500; i++) {
		(void)snprintf(name, sizeof(name), "t%d/f%d", wr->index, i);
		make(wr->s, name);
		if (i % 10 == 0)
			store_rlx(&wr->asked, watch_cookie(wr->s->watch));
	}
	return 0;
}

TEST(watch, many_threads_change_and_ask_at_once)
{
	struct place p = place_open("tmpfs");
	struct writer writers[4] = {0};

	EACH_KIND(kind)
	{
		struct scene s;
		char name[64];

		scene_open(&s, p.path, kind);
		for (int i = 0; i < 4; i++) {
			int fd;

			(void)snprintf(name, sizeof(name), "t%d", i);
			CHECK(mkdirat(s.tree_fd, name, 0755) == 0 || errno == EEXIST);
			fd = openat(s.tree_fd, name, O_PATH | O_CLOEXEC);
			writers[i] = (struct writer){.s = &s, .index = i, .dir = ino_at(fd, "")};
			CHECK(watch_dir(s.watch, s.mount, fd, writers[i].dir) >= 0);
			close(fd);
		}
		for (int i = 0; i < 4; i++)
			CHECK_INT(thread_start(
					  &writers[i].thread, "writer", write_and_ask, &writers[i]),
				0);
		for (int i = 0; i < 4; i++)
			CHECK_INT(thread_join(&writers[i].thread), 0);
		scene_sync(&s);
		for (int i = 0; i < 4 && s.n_lost == 0; i++) {
			CHECK(s.cookie >= load_rlx(&writers[i].asked));
			for (int k = 0; k < 500; k++) {
				(void)snprintf(name, sizeof(name), "f%d", k);
				CHECK(scene_told(&s, writers[i].dir, name));
			}
		}
		scene_close(&s);
	}
	place_close(&p);
}

/* An idle watch does nothing. */
TEST(watch, sleeps_while_nothing_happens)
{
	struct place p = place_open("tmpfs");
	struct watch_stats a, b;
	struct scene s;

	scene_open(&s, p.path, WATCH_FILE_SYSTEM);
	scene_sync(&s);
	CHECK_INT(scene_recv(&s, clock_deadline(20000)), -ETIMEDOUT);
	watch_get_stats(s.watch, &a);
	CHECK_INT(scene_recv(&s, clock_deadline(100000)), -ETIMEDOUT);
	watch_get_stats(s.watch, &b);
	CHECK_INT(b.n_wakeups, a.n_wakeups);
	scene_close(&s);
	place_close(&p);
}
