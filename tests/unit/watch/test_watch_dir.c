/* Marks of directories: the budget, directories that come and go, unmounting. */

#include "watch_support.h"

static uint64_t
add_dir(struct scene *s, const char *name, int *ret_error)
{
	int fd = openat(s->tree_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint64_t ino;

	CHECK(fd >= 0);
	ino = ino_at(fd, "");
	*ret_error = watch_dir(s->watch, s->mount, fd, ino);
	close(fd);
	return ino;
}

static void
make(const struct scene *s, const char *name)
{
	int fd = openat(s->tree_fd, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

	CHECK(fd >= 0);
	close(fd);
}

static struct watch_stats
stats_of(const struct scene *s)
{
	struct watch_stats st;

	watch_get_stats(s->watch, &st);
	return st;
}

static uint64_t
dirs_of_mount(const struct scene *s)
{
	struct watch_mount_info info;

	CHECK_INT(watch_get_mounts(s->watch, &info, 1), 1);
	return info.n_dirs;
}

TEST(watch_dir, the_budget_is_kept)
{
	char *dir = test_dir(), name[32];
	struct scene s;
	int r;

	scene_open_with(&s, dir, (struct watch_opts){.max_dirs = 10});
	scene_mount(&s, WATCH_FILE_SYSTEM);
	for (int i = 0; i < 20; i++) {
		(void)snprintf(name, sizeof(name), "d%d", i);
		CHECK_INT(mkdirat(s.tree_fd, name, 0755), 0);
		(void)add_dir(&s, name, &r);
		CHECK_INT(r, i < 10 ? 1 : -ENOSPC);
	}
	(void)add_dir(&s, "d3", &r); /* what is watched costs nothing */
	CHECK_INT(r, 0);
	CHECK_INT(stats_of(&s).n_dirs, 10);
	CHECK_INT(stats_of(&s).n_dirs_refused, 10);
	/* A directory that goes gives its place back. */
	CHECK_INT(unlinkat(s.tree_fd, "d3", AT_REMOVEDIR), 0);
	scene_sync(&s);
	(void)add_dir(&s, "d15", &r);
	CHECK_INT(r, 1);
	(void)add_dir(&s, "d16", &r);
	CHECK_INT(r, -ENOSPC);
	watch_dir_end(s.watch, s.mount, ino_at(s.tree_fd, "d15"));
	(void)add_dir(&s, "d16", &r);
	CHECK_INT(r, 1);
	scene_close(&s);
	test_dir_remove(dir);
}

TEST(watch_dir, without_a_number_half_of_the_limit_is_the_budget)
{
	struct scene s;

	scene_open_with(&s, "/", (struct watch_opts){0});
	CHECK(stats_of(&s).max_dirs >= 1000);
	scene_close(&s);
}

TEST(watch_dir, what_ended_is_not_told)
{
	char *dir = test_dir();
	struct scene s;
	uint64_t ino;
	int r;

	scene_open(&s, dir, WATCH_DIRECTORIES);
	CHECK_INT(mkdirat(s.tree_fd, "d", 0755), 0);
	ino = add_dir(&s, "d", &r);
	make(&s, "d/one");
	scene_sync(&s);
	CHECK(scene_told(&s, ino, "one"));
	watch_dir_end(s.watch, s.mount, ino);
	watch_dir_end(s.watch, s.mount, ino);
	make(&s, "d/two");
	scene_sync(&s);
	CHECK(!scene_told(&s, ino, "two"));
	CHECK_INT(stats_of(&s).n_dirs, 1);
	scene_close(&s);
	test_dir_remove(dir);
}

/* The file system gives the number of a removed directory to the next one at once: the end of the
 * old one, which is read later, does not end the new one. */
TEST(watch_dir, an_inode_number_may_come_back)
{
	struct place p = place_open("ext4");
	struct scene s;
	uint64_t ino, last = 0;
	unsigned n_same = 0;
	int r;

	scene_open(&s, p.path, WATCH_DIRECTORIES);
	for (int i = 0; i < 200; i++) {
		CHECK_INT(mkdirat(s.tree_fd, "d", 0755), 0);
		ino = add_dir(&s, "d", &r);
		CHECK_INT(r, 1); /* though the last one's end has not been read */
		(void)add_dir(&s, "d", &r);
		CHECK_INT(r, 0);
		if (i % 3 == 0)
			scene_sync(&s);
		told_reset(&s.told);
		make(&s, "d/file");
		scene_sync(&s);
		CHECK(scene_told(&s, ino, "file"));
		CHECK_INT(unlinkat(s.tree_fd, "d/file", 0), 0);
		CHECK_INT(unlinkat(s.tree_fd, "d", AT_REMOVEDIR), 0);
		n_same += ino == last;
		last = ino;
	}
	scene_sync(&s);
	CHECK(n_same > 0);
	CHECK_INT(stats_of(&s).n_dirs, 1);
	CHECK_INT(dirs_of_mount(&s), 1);
	scene_close(&s);
	place_close(&p);
}

TEST(watch_dir, an_unmounted_file_system_is_lost)
{
	struct place p = place_open("tmpfs");
	struct scene s;

	scene_open(&s, p.path, WATCH_DIRECTORIES);
	CHECK_INT(dirs_of_mount(&s), 1);
	close(s.tree_fd);
	CHECK_INT(umount2(p.path, 0), 0); /* the watch does not keep it */
	scene_sync(&s);
	CHECK(s.n_lost == 1 && s.last_lost == s.mount);
	CHECK_INT(dirs_of_mount(&s), 0);
	s.tree_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scene_close(&s);
	place_close(&p);
}

/* The mark of a file system goes with it. When it comes back, with the same numbers even, a mount
 * that is added again is watched again. */
TEST(watch_dir, what_is_mounted_again_is_watched_again)
{
	struct place p = place_open("ext4");
	struct scene s;
	enum watch_kind kind;
	uint32_t again;

	scene_open(&s, p.path, WATCH_FILE_SYSTEM);
	close(s.tree_fd);
	CHECK_INT(shell("umount $D/on && mount -o loop $D/image $D/on", p.dir, ""), 0);
	s.tree_fd = open(p.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	make(&s, "before");
	CHECK_INT(watch_mount(s.watch, s.tree_fd, WATCH_FILE_SYSTEM, &again, &kind, NULL), 0);
	CHECK_INT(kind, WATCH_FILE_SYSTEM);
	s.mount = again;
	make(&s, "after");
	scene_sync(&s);
	CHECK(!scene_told(&s, ino_at(s.tree_fd, ""), "before"));
	CHECK(scene_told(&s, ino_at(s.tree_fd, ""), "after"));
	scene_close(&s);
	place_close(&p);
}

TEST(watch_dir, all_directories_of_a_mount_end_with_it)
{
	char *dir = test_dir(), name[32];
	struct scene s;
	unsigned n = 2000;
	int r;

	scene_open_with(&s, dir, (struct watch_opts){.max_dirs = n});
	scene_mount(&s, WATCH_DIRECTORIES);
	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(name, sizeof(name), "d%u", i);
		CHECK_INT(mkdirat(s.tree_fd, name, 0755), 0);
		(void)add_dir(&s, name, &r);
		if (r == -ENOSPC)
			cr_skip_test("others use what the kernel allows");
		CHECK_INT(r, 1);
	}
	CHECK_INT(dirs_of_mount(&s), n);
	watch_unmount(s.watch, s.mount, -1);
	CHECK_INT(stats_of(&s).n_dirs, 0);
	make(&s, "d7/file");
	scene_sync(&s);
	CHECK_INT(s.n_names, 0);
	scene_mount(&s, WATCH_DIRECTORIES);
	(void)add_dir(&s, "d7", &r);
	CHECK_INT(r, 1);
	make(&s, "d7/again");
	scene_sync(&s);
	CHECK(scene_told(&s, ino_at(s.tree_fd, "d7"), "again"));
	scene_close(&s);
	test_dir_remove(dir);
}
