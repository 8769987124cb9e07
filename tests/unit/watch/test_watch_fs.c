/* Random operations on every file system that is to be had: each name that was touched must have
 * been told when the cookie comes. The oracle is the test itself, which knows what it did. */

#include "watch_support.h"

#include <sys/mman.h>
#include <sys/time.h>
#include <sys/xattr.h>

#define N_DIRS 24
#define N_NAMES 12

/** A name that must be told; or, of a directory itself, `self` (0: none). */
struct owed {
	uint64_t dir, self;
	char name[24];
	const char *op;
};

struct fuzz {
	struct scene s;
	unsigned seed;
	struct dir {
		int fd; /* -1: none */
		uint64_t ino;
		int parent; /* -1: the tree's root */
		char name[24];
	} dirs[N_DIRS];
	VEC(struct owed) owed;
	unsigned n_ops, n_rounds, n_excused;
	uint32_t lost_before;
};

static unsigned
pick(struct fuzz *f, unsigned n)
{
	return (unsigned)rand_r(&f->seed) / 7 % n;
}

static void
owe(struct fuzz *f, const struct dir *d, const char *name, const char *op)
{
	struct owed o = {.dir = d->ino, .op = op};

	(void)snprintf(o.name, sizeof(o.name), "%s", name);
	CHECK_INT(VEC_PUSH(&f->owed, o), 0);
}

/* File systems tell a directory's own changes of itself or as a name of its parent's. */
static void
owe_dir(struct fuzz *f, const struct dir *d, const char *op)
{
	owe(f, d->parent >= 0 ? &f->dirs[d->parent] : d, d->parent >= 0 ? d->name : "", op);
	f->owed.data[f->owed.len - 1].self = d->ino;
}

static struct dir *
any_dir(struct fuzz *f)
{
	struct dir *d;

	do
		d = &f->dirs[pick(f, N_DIRS)];
	while (d->fd < 0);
	return d;
}

static void
file_name(struct fuzz *f, char ret[24])
{
	(void)snprintf(ret, 24, "n%u", pick(f, N_NAMES));
}

static bool
is_below(const struct fuzz *f, const struct dir *d, const struct dir *top)
{
	for (; d != top; d = &f->dirs[d->parent])
		if (d->parent < 0)
			return false;
	return true;
}

static void
op_write(struct fuzz *f)
{
	struct dir *d = any_dir(f);
	char name[24];
	int fd;

	file_name(f, name);
	fd = openat(d->fd, name,
		O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW | (pick(f, 2) ? O_APPEND : O_TRUNC),
		0644);
	if (fd < 0)
		return;
	(void)!write(fd, name, pick(f, 3));
	owe(f, d, name, "write");
	close(fd);
}

static void
op_map(struct fuzz *f)
{
	struct dir *d = any_dir(f);
	char name[24], *map;
	int fd;

	file_name(f, name);
	fd = openat(d->fd, name, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 || ftruncate(fd, 4096) < 0)
		return;
	owe(f, d, name, "map");
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return;
	scene_sync(&f->s); /* what was told of the creation is over */
	map[0]++;
	munmap(map, 4096);
}

static void
op_meta(struct fuzz *f)
{
	struct dir *d = any_dir(f);
	char name[24];
	int fd;

	file_name(f, name);
	switch (pick(f, 4)) {
	case 0:
		fd = openat(d->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (fd >= 0 && fchmod(fd, pick(f, 2) ? 0600 : 0755) == 0)
			owe(f, d, name, "chmod");
		if (fd >= 0)
			close(fd);
		break;
	case 1:
		if (utimensat(d->fd, name, (struct timespec[]){{1, 2}, {pick(f, 100), 4}},
			    AT_SYMLINK_NOFOLLOW) == 0)
			owe(f, d, name, "utimes");
		break;
	case 2:
		fd = openat(d->fd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (fd >= 0 && ftruncate(fd, pick(f, 9000)) == 0)
			owe(f, d, name, "truncate");
		if (fd >= 0)
			close(fd);
		break;
	default:
		if (fchmodat(d->fd, ".", pick(f, 2) ? 0700 : 0755, 0) == 0)
			owe_dir(f, d, "chmod of a directory");
	}
}

static void
op_unlink(struct fuzz *f)
{
	struct dir *d = any_dir(f);
	char name[24];

	file_name(f, name);
	if (unlinkat(d->fd, name, 0) == 0)
		owe(f, d, name, "unlink");
}

static void
op_link(struct fuzz *f)
{
	struct dir *d = any_dir(f), *to = any_dir(f);
	char name[24], as[24];
	int fd;

	file_name(f, name);
	file_name(f, as);
	switch (pick(f, 3)) {
	case 0:
		if (linkat(d->fd, name, to->fd, as, 0) == 0)
			owe(f, to, as, "link");
		break;
	case 1:
		if (symlinkat(name, to->fd, as) == 0)
			owe(f, to, as, "symlink");
		break;
	default:
		fd = openat(d->fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644);
		if (fd >= 0) {
			char path[64];

			(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
			if (linkat(AT_FDCWD, path, to->fd, as, AT_SYMLINK_FOLLOW) == 0)
				owe(f, to, as, "link of a nameless file");
			close(fd);
		}
	}
}

static void
op_rename(struct fuzz *f)
{
	struct dir *d = any_dir(f), *to = any_dir(f);
	char name[24], as[24];
	unsigned how = pick(f, 3) ? 0 : RENAME_EXCHANGE;

	file_name(f, name);
	file_name(f, as);
	if (renameat2(d->fd, name, to->fd, as, how) < 0 || (d == to && strcmp(name, as) == 0))
		return;
	/* Two names of one file: nothing was done. */
	if (how == 0 && faccessat(d->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return;
	owe(f, d, name, how ? "exchange, one" : "rename, from");
	owe(f, to, as, how ? "exchange, other" : "rename, to");
}

static void
op_mkdir(struct fuzz *f)
{
	struct dir *d = any_dir(f), *made = NULL;

	for (int i = 1; i < N_DIRS && !made; i++)
		if (f->dirs[i].fd < 0)
			made = &f->dirs[i];
	if (!made)
		return;
	*made = (struct dir){.fd = -1, .parent = (int)(d - f->dirs)};
	(void)snprintf(made->name, sizeof(made->name), "d%d.%u", (int)(made - f->dirs), pick(f, 3));
	if (mkdirat(d->fd, made->name, 0755) < 0)
		return;
	owe(f, d, made->name, "mkdir");
	made->fd = openat(d->fd, made->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(made->fd >= 0);
	made->ino = ino_at(made->fd, "");
	CHECK(watch_dir(f->s.watch, f->s.mount, made->fd, made->ino) >= 0);
}

static void
op_rmdir(struct fuzz *f)
{
	struct dir *d = any_dir(f);

	if (d->parent < 0 || unlinkat(f->dirs[d->parent].fd, d->name, AT_REMOVEDIR) < 0)
		return;
	owe(f, &f->dirs[d->parent], d->name, "rmdir");
	close(d->fd);
	d->fd = -1;
}

static void
op_move_dir(struct fuzz *f)
{
	struct dir *d = any_dir(f), *to = any_dir(f);
	char as[24];

	if (d->parent < 0 || is_below(f, to, d))
		return;
	(void)snprintf(as, sizeof(as), "d%d.%u", (int)(d - f->dirs), pick(f, 3));
	if (to == &f->dirs[d->parent] && strcmp(as, d->name) == 0)
		return;
	if (renameat(f->dirs[d->parent].fd, d->name, to->fd, as) < 0)
		return;
	owe(f, &f->dirs[d->parent], d->name, "directory, from");
	owe(f, to, as, "directory, to");
	d->parent = (int)(to - f->dirs);
	memcpy(d->name, as, sizeof(d->name));
}

static void (*const ops[])(struct fuzz *) = {op_write, op_write, op_write, op_map, op_meta, op_meta,
	op_unlink, op_link, op_rename, op_rename, op_mkdir, op_rmdir, op_move_dir};

static bool
was_told(const struct fuzz *f, const struct owed *o)
{
	return scene_told(&f->s, o->dir, o->name) || (o->self && scene_told(&f->s, o->self, ""));
}

static void
round_of(struct fuzz *f, unsigned n)
{
	f->owed.len = 0;
	told_reset(&f->s.told);
	f->lost_before = f->s.n_lost;
	for (unsigned i = 0; i < n; i++)
		ops[pick(f, ARRAY_LEN(ops))](f);
	scene_sync(&f->s);
	f->n_ops += n;
	f->n_rounds++;
	if (f->s.n_lost != f->lost_before) {
		f->n_excused++;
		return;
	}
	VEC_EACH (&f->owed, o)
		CHECK_SAY(was_told(f, o), "seed %s: %s of \"%s\" in directory %llu was not told",
			getenv("TRAWL_SEED") ? getenv("TRAWL_SEED") : "1", o->op, o->name,
			(unsigned long long)o->dir);
}

static void
fuzz_place(const char *path, enum watch_kind wanted, enum watch_kind expected)
{
	struct fuzz f = {.seed = getenv("TRAWL_SEED")
	                                 ? (unsigned)strtoul(getenv("TRAWL_SEED"), NULL, 10)
	                                 : 1};
	unsigned long n = 300 + test_scale(100000);

	scene_open(&f.s, path, wanted);
	CHECK_INT(f.s.kind, expected);
	for (int i = 0; i < N_DIRS; i++)
		f.dirs[i] = (struct dir){.fd = -1, .parent = -1};
	f.dirs[0].fd = dup(f.s.tree_fd);
	f.dirs[0].ino = ino_at(f.s.tree_fd, "");
	while (f.n_ops < n)
		round_of(&f, 1 + pick(&f, pick(&f, 4) ? 20 : 300));
	CHECK(f.n_excused * 10 <= f.n_rounds);
	for (int i = 0; i < N_DIRS; i++)
		if (f.dirs[i].fd >= 0)
			close(f.dirs[i].fd);
	VEC_FINI(&f.owed);
	scene_close(&f.s);
}

static void
fuzz_file_system(const char *type, enum watch_kind wanted, enum watch_kind expected)
{
	struct place p = place_open(type);

	fuzz_place(p.path, wanted, expected);
	place_close(&p);
}

TEST(watch_fs, ext4_tells_everything)
{
	fuzz_file_system("ext4", WATCH_FILE_SYSTEM, WATCH_FILE_SYSTEM);
}

TEST(watch_fs, tmpfs_tells_everything)
{
	fuzz_file_system("tmpfs", WATCH_FILE_SYSTEM, WATCH_FILE_SYSTEM);
}

TEST(watch_fs, xfs_tells_everything)
{
	fuzz_file_system("xfs", WATCH_FILE_SYSTEM, WATCH_FILE_SYSTEM);
}

TEST(watch_fs, btrfs_tells_everything)
{
	fuzz_file_system("btrfs", WATCH_FILE_SYSTEM, WATCH_FILE_SYSTEM);
}

TEST(watch_fs, an_overlay_tells_everything_by_its_directories)
{
	fuzz_file_system("overlay", WATCH_FILE_SYSTEM, WATCH_DIRECTORIES);
}

TEST(watch_fs, directories_of_ext4_tell_everything)
{
	fuzz_file_system("ext4", WATCH_DIRECTORIES, WATCH_DIRECTORIES);
}

TEST(watch_fs, directories_of_tmpfs_tell_everything)
{
	fuzz_file_system("tmpfs", WATCH_DIRECTORIES, WATCH_DIRECTORIES);
}

/* Where the machine's own files are, with all that others do there. */
TEST(watch_fs, the_place_of_temporary_files_tells_everything)
{
	char *dir = test_dir();
	struct scene s;
	enum watch_kind kind;

	scene_open(&s, dir, WATCH_FILE_SYSTEM);
	kind = s.kind;
	scene_close(&s);
	if (kind == WATCH_POLL) {
		test_dir_remove(dir);
		cr_skip_test("on a file system of other machines");
	}
	fuzz_place(dir, WATCH_FILE_SYSTEM, kind);
	test_dir_remove(dir);
}

/* A subvolume has inode numbers of its own. Its events come with the top's, as the top's until it
 * has a number. */
TEST(watch_fs, subvolumes_are_told_with_the_top_and_then_apart)
{
	struct place p = place_open("btrfs");
	enum watch_kind kind;
	uint32_t sub;
	struct scene s;
	int fd, file;

	if (shell("btrfs subvolume create $D/on/sub", p.dir, "") != 0) {
		place_close(&p);
		cr_skip_test("no btrfs program");
	}
	scene_open(&s, p.path, WATCH_FILE_SYSTEM);
	fd = openat(s.tree_fd, "sub", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(fd >= 0);
	CHECK(ino_at(fd, "") == ino_at(s.tree_fd, "")); /* 256, both */
	file = openat(fd, "common", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	close(file);
	scene_sync(&s);
	CHECK(scene_told(&s, ino_at(fd, ""), "common"));
	CHECK_INT(watch_mount(s.watch, fd, WATCH_FILE_SYSTEM, &sub, &kind, NULL), 0);
	CHECK(sub != s.mount && kind == WATCH_FILE_SYSTEM);
	file = openat(fd, "seen", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	close(file);
	scene_sync(&s);
	CHECK(!scene_told(&s, ino_at(fd, ""), "seen"));
	CHECK(told_has(&s.told, told_key(sub, ino_at(fd, ""), SPAN_LIT("seen"))));
	close(fd);
	scene_close(&s);
	place_close(&p);
}

/* Mounted by itself a subvolume cannot be marked. */
TEST(watch_fs, a_subvolume_alone_is_watched_by_its_directories)
{
	struct place p = place_open("btrfs");
	struct scene s;

	if (shell("btrfs subvolume create $D/on/sub && umount $D/on && "
		  "mount -o loop,subvol=sub $D/image $D/on",
		    p.dir, "") != 0) {
		place_close(&p);
		cr_skip_test("no btrfs program");
	}
	scene_open(&s, p.path, WATCH_FILE_SYSTEM);
	CHECK_INT(s.kind, WATCH_DIRECTORIES);
	scene_close(&s);
	place_close(&p);
}
