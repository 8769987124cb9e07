/* The watch: what was marked is told, or lost with a word, whatever could not be had meanwhile. */
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "watch/watch.h"

#define N_DIRS 150 /* the table of marks grows on the way */
#define PATIENCE (30 * USEC_PER_SEC)

struct scene {
	struct watch *watch;
	int tree_fd, state_fd; /* made outside of what fails */
	uint32_t mount;
	uint64_t inos[N_DIRS];
	bool marked[N_DIRS], told[N_DIRS], lost;
};

static struct scene scene;

static void
setup(void *arg)
{
	char name[16];

	(void)arg;
	scene = (struct scene){.tree_fd = open(fault_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	FAULT_CHECK(scene.tree_fd >= 0 && mkdirat(scene.tree_fd, "state", 0700) == 0);
	scene.state_fd = openat(scene.tree_fd, "state", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FAULT_CHECK(scene.state_fd >= 0);
	for (int i = 0; i < N_DIRS; i++) {
		struct stat st;

		(void)snprintf(name, sizeof(name), "d%d", i);
		FAULT_CHECK(mkdirat(scene.tree_fd, name, 0755) == 0);
		FAULT_CHECK(fstatat(scene.tree_fd, name, &st, 0) == 0);
		scene.inos[i] = st.st_ino;
	}
}

static void
teardown(void *arg)
{
	(void)arg;
	close(scene.tree_fd);
	close(scene.state_fd);
}

static int
mark(int i)
{
	char name[16];
	AUTO(closep) int fd = -1;
	int r;

	(void)snprintf(name, sizeof(name), "d%d", i);
	fd = openat(scene.tree_fd, name, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = watch_dir(scene.watch, scene.mount, fd, scene.inos[i]);
	scene.marked[i] = r >= 0;
	return r;
}

static void
change(int i)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "d%d/a file with a name that takes some room", i);
	FAULT_CHECK(symlinkat("x", scene.tree_fd, name) == 0 || errno == EEXIST);
}

static void
hear(const struct watch_change *c)
{
	scene.lost |= c->what == WATCH_LOST;
	for (int i = 0; i < N_DIRS && c->what == WATCH_NAME; i++)
		scene.told[i] |= c->ino == scene.inos[i];
}

/* Up to the cookie: the first error on the way, or 0. */
static int
hear_all(uint64_t cookie)
{
	struct watch_change c[16];
	int failure = 0;

	for (;;) {
		int n = watch_recv(scene.watch, c, ARRAY_LEN(c), NULL, clock_deadline(PATIENCE));

		FAULT_CHECK(n > 0 || n == -ENOMEM || n == -EMFILE);
		failure = n < 0 ? n : failure;
		if (n < 0 && fault_lasts())
			(void)fault_off();
		for (int i = 0; i < n; i++) {
			hear(&c[i]);
			if (c[i].what == WATCH_COOKIE && c[i].cookie >= cookie)
				return failure;
		}
	}
}

static int
watch_tree(void *arg)
{
	struct watch_opts o = {.state_fd = scene.state_fd,
		.max_mem_bytes = 2048,
		.max_disk_bytes = 1 << 20,
		.allow_file_system = true};
	struct err err = {0};
	enum watch_kind kind;
	int failure, r = watch_create(&o, &scene.watch, &err);

	(void)arg;
	FAULT_CHECK(r == 0 || (err.code == r && err.what[0] != '\0'));
	if (r < 0)
		return r;
	failure = watch_mount(
		scene.watch, scene.tree_fd, WATCH_DIRECTORIES, &scene.mount, &kind, NULL);
	for (int i = 0; i < N_DIRS && failure != -ENOMEM; i++) {
		r = mark(i);
		failure = r < 0 ? r : failure;
	}
	for (int i = 0; i < N_DIRS; i++)
		change(i);
	r = hear_all(watch_cookie(scene.watch));
	for (int i = 0; i < N_DIRS; i++)
		FAULT_CHECK(!scene.marked[i] || scene.told[i] || scene.lost);
	watch_destroy(scene.watch);
	return r < 0 ? r : failure;
}

static const struct fault_case cases[] = {
	{.name = "watch",
		.run = watch_tree,
		.setup = setup,
		.teardown = teardown,
		.flags = FAULT_NEEDS_DIR,
		.min_calls = 10},
};
FAULT_MAIN(cases)
