#include "catalog/state_lock.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_NAME "lock"
#define PID_BYTES 24u

static int
cannot_write(int code, const char *path, struct err *err)
{
	(void)err_set(err, code, "cannot write to the state directory \"%s\": %s", path,
		err_reason(code));
	if (code == -EACCES || code == -EPERM)
		(void)err_hint(err, "it must belong to the user that runs trawld");
	else if (code == -ENOSPC || code == -EDQUOT)
		(void)err_hint(err, "make room on its file system");
	return code;
}

/* Told apart here, because later each of them would look like a fault of the database. */
static int
check_directory(int dirfd, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(dirfd, &st) < 0)
		return cannot_write(-errno, path, err);
	if (!S_ISDIR(st.st_mode))
		return err_set(
			err, -ENOTDIR, "the state directory \"%s\" is not a directory", path);
	if (faccessat(dirfd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return cannot_write(-errno, path, err);
	return 0;
}

static int
held_by_another(int fd, const char *path, struct err *err)
{
	char pid[PID_BYTES] = "";
	ssize_t n = fd_pread_full(fd, pid, sizeof(pid) - 1, 0);
	size_t digits = n > 0 ? strspn(pid, "0123456789") : 0;

	if (digits > 0)
		(void)err_set(err, -EBUSY,
			"another trawld (pid %.*s) uses the state directory \"%s\"", (int)digits,
			pid, path);
	else
		(void)err_set(err, -EBUSY, "another trawld uses the state directory \"%s\"", path);
	(void)err_hint(err, "stop it, or give this one a state directory of its own");
	return -EBUSY;
}

static int
write_pid(int fd)
{
	char pid[PID_BYTES];
	int n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());

	if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	return fd_write_full(fd, pid, (size_t)n);
}

int
state_lock(int dirfd, const char *path, bool *ret_unclean, struct err *err)
{
	AUTO(closep) int fd = -1;
	int r = check_directory(dirfd, path, err);
	struct stat st;

	if (r < 0)
		return r;
	fd = openat(dirfd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0)
		return cannot_write(-errno, path, err);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? held_by_another(fd, path, err)
		                            : cannot_write(-errno, path, err);
	if (fstat(fd, &st) < 0)
		return cannot_write(-errno, path, err);
	r = write_pid(fd);
	if (r < 0)
		return cannot_write(r, path, err);
	*ret_unclean = st.st_size > 0;
	return TAKE_FD(fd);
}

/* A truncation that fails leaves the pid: the next run then looks closer, which is right. */
void
state_unlock(int fd, bool clean)
{
	if (fd < 0)
		return;
	if (clean)
		(void)!ftruncate(fd, 0);
	(void)close(fd);
}
