#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

static char *dir;
static int dirfd_;

static void
make_dir(void)
{
	dir = test_dir();
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(dirfd_ >= 0);
}

static void
remove_dir(void)
{
	closep(&dirfd_);
	test_dir_remove(dir);
}

/* Opens, reads one byte and closes; a negative result as it came. */
static int
first_byte(int fd)
{
	char c = 0;

	if (fd < 0)
		return fd;
	CHECK_INT(fd_read_full(fd, &c, 1), 1);
	closep(&fd);
	return c;
}

TEST(fd, beneath_opens_plain_paths_and_the_directory_itself, .init = make_dir, .fini = remove_dir)
{
	int fd;

	test_write(dir, "a/b/file", "x");
	CHECK_INT(first_byte(fd_open_beneath(dirfd_, SPAN_LIT("a/b/file"), O_RDONLY)), 'x');
	fd = fd_open_beneath(dirfd_, SPAN_LIT(""), O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0);
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	closep(&fd);
	CHECK_INT(fd_open_beneath(dirfd_, SPAN_LIT("a/none"), O_RDONLY), -ENOENT);
	fd = fd_open_beneath(dirfd_, SPAN_LIT("a/b"), O_PATH);
	CHECK(fd >= 0);
	closep(&fd);
}

TEST(fd, beneath_refuses_links_dots_and_absolute_paths, .init = make_dir, .fini = remove_dir)
{
	test_write(dir, "real/file", "x");
	CHECK_INT(symlinkat("real", dirfd_, "link"), 0);
	CHECK_INT(symlinkat("real/file", dirfd_, "flink"), 0);
	CHECK_INT(fd_open_beneath(dirfd_, SPAN_LIT("link/file"), O_RDONLY), -ELOOP);
	CHECK_INT(fd_open_beneath(dirfd_, SPAN_LIT("flink"), O_RDONLY), -ELOOP);
	CHECK_INT(fd_open_beneath(dirfd_, SPAN_LIT("real/../real/file"), O_RDONLY), -EXDEV);
	CHECK_INT(fd_open_beneath(dirfd_, SPAN_LIT("./real/file"), O_RDONLY), -EXDEV);
	CHECK_INT(fd_open_beneath(dirfd_, SPAN_LIT("real/.."), O_RDONLY), -EXDEV);
	CHECK_INT(fd_open_beneath(dirfd_, SPAN_LIT("/etc/passwd"), O_RDONLY), -EXDEV);
	CHECK_INT(fd_open_beneath(dirfd_, (struct span){"real\0x", 6}, O_RDONLY), -EXDEV);
}

TEST(fd, absolute_paths_lead_through_no_link, .init = make_dir, .fini = remove_dir)
{
	char path[PATH_MAX];

	test_write(dir, "real/file", "x");
	CHECK_INT(symlinkat("real", dirfd_, "link"), 0);
	(void)snprintf(path, sizeof(path), "%s/real/file", dir);
	CHECK_INT(first_byte(fd_open_absolute(span_of(path), O_RDONLY)), 'x');
	(void)snprintf(path, sizeof(path), "%s/link/file", dir);
	CHECK_INT(fd_open_absolute(span_of(path), O_RDONLY), -ELOOP);
	CHECK_INT(fd_open_absolute(SPAN_LIT("relative"), O_RDONLY), -EINVAL);
	CHECK(fd_open_absolute(SPAN_LIT("/"), O_RDONLY | O_DIRECTORY) >= 0);
}

/* From here on openat2() fails with `error` in this process, as under a container's filter. */
static void
forbid_openat2(unsigned error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {.len = ARRAY_LEN(code), .filter = code};

	CHECK_INT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	CHECK_INT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

static void
check_without_openat2(unsigned error)
{
	int fd;

	test_write(dir, "a/b/file", "x");
	CHECK_INT(symlinkat("a", dirfd_, "link"), 0);
	CHECK_INT(symlinkat("a/b/file", dirfd_, "flink"), 0);
	forbid_openat2(error);
	CHECK_INT(first_byte(fd_open_beneath(dirfd_, SPAN_LIT("a/b/file"), O_RDONLY)), 'x');
	CHECK_INT(fd_open_beneath(dirfd_, SPAN_LIT("link/b/file"), O_RDONLY), -ELOOP);
	CHECK_INT(fd_open_beneath(dirfd_, SPAN_LIT("flink"), O_RDONLY), -ELOOP);
	CHECK_INT(fd_open_beneath(dirfd_, SPAN_LIT("a/none/file"), O_RDONLY), -ENOENT);
	fd = fd_open_beneath(dirfd_, SPAN_LIT("a/b"), O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0);
	closep(&fd);
}

TEST(fd, without_openat2_it_goes_a_component_at_a_time, .init = make_dir, .fini = remove_dir)
{
	check_without_openat2(ENOSYS);
}

TEST(fd, a_filter_that_says_eperm_is_no_obstacle, .init = make_dir, .fini = remove_dir)
{
	check_without_openat2(EPERM);
}

TEST(fd, names_of_dots_that_are_not_dots_are_names, .init = make_dir, .fini = remove_dir)
{
	test_write(dir, "...", "x");
	test_write(dir, "..a", "y");
	CHECK_INT(first_byte(fd_open_beneath(dirfd_, SPAN_LIT("..."), O_RDONLY)), 'x');
	CHECK_INT(first_byte(fd_open_beneath(dirfd_, SPAN_LIT("..a"), O_RDONLY)), 'y');
}

TEST(fd, a_fifo_is_opened_without_waiting_for_a_writer, .init = make_dir, .fini = remove_dir)
{
	int fd;

	CHECK_INT(mkfifoat(dirfd_, "fifo", 0600), 0);
	fd = fd_open_beneath(dirfd_, SPAN_LIT("fifo"), O_RDONLY);
	CHECK(fd >= 0);
	closep(&fd);
}

/* Builds a path of `levels` directories below dirfd_, with a file at its end. */
static struct strbuf
deep_path(int levels)
{
	struct strbuf path = {0};
	int at = dup(dirfd_);

	for (int i = 0; i < levels; i++) {
		char name[101];
		int next;

		(void)snprintf(name, sizeof(name), "%0100d", i);
		CHECK_INT(mkdirat(at, name, 0700), 0);
		next = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		CHECK(next >= 0);
		closep(&at);
		at = next;
		CHECK_INT(strbuf_printf(&path, "%s/", name), 0);
	}
	CHECK_INT(fd_replace(at, "file", "deep", 4, 0600), 0);
	closep(&at);
	CHECK_INT(strbuf_puts(&path, "file"), 0);
	return path;
}

/* nftw() of the common clean-up cannot go below PATH_MAX. */
static void
remove_deep(int at, int levels)
{
	char name[101];
	int next;

	(void)snprintf(name, sizeof(name), "%0100d", levels);
	next = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (next >= 0)
		remove_deep(next, levels + 1);
	else
		(void)unlinkat(at, "file", 0);
	closep(&next);
	(void)unlinkat(at, name, AT_REMOVEDIR);
}

TEST(fd, paths_past_path_max_open_in_pieces, .init = make_dir, .fini = remove_dir)
{
	struct strbuf path = deep_path(100), whole = {0};

	CHECK(path.len > 2 * PATH_MAX);
	CHECK_INT(first_byte(fd_open_beneath(dirfd_, strbuf_view(&path), O_RDONLY)), 'd');
	CHECK_INT(strbuf_printf(&whole, "%s/%s", dir, path.data), 0);
	CHECK_INT(first_byte(fd_open_long(whole.data, O_RDONLY)), 'd');
	remove_deep(dirfd_, 0);
	strbuf_fini(&path);
	strbuf_fini(&whole);
}

TEST(fd, one_name_that_is_too_long_is_said_so, .init = make_dir, .fini = remove_dir)
{
	char name[PATH_MAX + 10];

	memset(name, 'x', sizeof(name));
	CHECK_INT(fd_open_beneath(dirfd_, (struct span){name, sizeof(name)}, O_RDONLY),
		-ENAMETOOLONG);
	CHECK_INT(fd_open_beneath(dirfd_, (struct span){name, 300}, O_RDONLY), -ENAMETOOLONG);
	name[sizeof(name) - 1] = '\0';
	CHECK_INT(fd_open_long(name, O_RDONLY), -ENAMETOOLONG);
}

TEST(fd, slurp_reads_all_and_refuses_more_than_its_limit, .init = make_dir, .fini = remove_dir)
{
	struct strbuf big = {0}, got = {0};

	for (int i = 0; i < 3000; i++)
		CHECK_INT(strbuf_printf(&big, "line %d\n", i), 0);
	CHECK_INT(fd_replace(dirfd_, "big", big.data, big.len, 0600), 0);
	CHECK_INT(fd_slurp(dirfd_, "big", big.len, &got), 0);
	CHECK(span_eq(strbuf_view(&big), strbuf_view(&got)));
	strbuf_fini(&got);
	CHECK_INT(fd_slurp(dirfd_, "big", big.len - 1, &got), -EFBIG);
	CHECK_INT(fd_slurp(dirfd_, "none", 10, &got), -ENOENT);
	strbuf_fini(&got);
	strbuf_fini(&big);
}

TEST(fd, replace_leaves_the_new_file_and_no_temporary_one, .init = make_dir, .fini = remove_dir)
{
	struct strbuf got = {0};

	CHECK_INT(fd_replace(dirfd_, "f", "one", 3, 0600), 0);
	CHECK_INT(fd_replace(dirfd_, "f", "second", 6, 0600), 0);
	CHECK_INT(fd_slurp(dirfd_, "f", 100, &got), 0);
	CHECK_STR(got.data, "second");
	CHECK_INT(faccessat(dirfd_, "f.tmp", F_OK, 0), -1);
	strbuf_fini(&got);
}

TEST(fd, a_replace_that_fails_keeps_the_old_file, .init = make_dir, .fini = remove_dir)
{
	test_write(dir, "d/inside", "x");
	CHECK_INT(fd_replace(dirfd_, "d", "new", 3, 0600), -EISDIR);
	CHECK_INT(faccessat(dirfd_, "d/inside", F_OK, 0), 0);
	CHECK_INT(faccessat(dirfd_, "d.tmp", F_OK, 0), -1);
}

static void *
write_slowly(void *arg)
{
	int *ends = arg;

	for (int i = 0; i < 10; i++)
		CHECK_INT(fd_write_full(ends[1], "0123456789", 10), 0);
	(void)close(ends[1]);
	return NULL;
}

TEST(fd, a_whole_read_gathers_short_ones)
{
	pthread_t writer;
	char buf[200];
	int ends[2];

	CHECK_INT(pipe(ends), 0);
	CHECK_INT(pthread_create(&writer, NULL, write_slowly, ends), 0);
	CHECK_INT(fd_read_full(ends[0], buf, 95), 95);
	CHECK_INT(fd_read_full(ends[0], buf, sizeof(buf)), 5);
	CHECK_INT(fd_read_full(ends[0], buf, sizeof(buf)), 0);
	CHECK_INT(pthread_join(writer, NULL), 0);
	(void)close(ends[0]);
	CHECK_INT(fd_read_full(-1, buf, 1), -EBADF);
	CHECK_INT(fd_write_full(-1, buf, 1), -EBADF);
	CHECK_INT(fd_pread_full(-1, buf, 1, 0), -EBADF);
	CHECK_INT(fd_sync(-1), -EBADF);
}

TEST(fd, closep_keeps_errno_and_passes_over_minus_one)
{
	int fd = -1;

	errno = ENOENT;
	closep(&fd);
	CHECK_INT(errno, ENOENT);
	fd = 12345; /* not open: close() fails */
	closep(&fd);
	CHECK_INT(errno, ENOENT);
}
