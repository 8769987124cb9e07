#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

void
closep(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	errno = saved;
}

ssize_t
fd_read_full(int fd, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, (char *)buf + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

ssize_t
fd_pread_full(int fd, void *buf, size_t len, uint64_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)buf + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int
fd_write_full(int fd, const void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, (const char *)buf + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

/* One name or several, as openat(2) takes them. */
static int
open_noatime(int dirfd, const char *name, int flags)
{
	int fd;

	do {
		fd = openat(dirfd, name, flags);
		if (fd < 0 && errno == EPERM && (flags & O_NOATIME)) {
			flags &= ~O_NOATIME; /* only the owner may ask for it */
			errno = EINTR;
		}
	} while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

/* Without openat2 (an old kernel, a container's system call filter): a component at a time, none of
 * them a symbolic link. `piece` is cut up on the way. */
static int
open_steps(int dirfd, char *piece, int flags)
{
	AUTO(closep) int at = -1;
	char *slash;

	while ((slash = strchr(piece, '/'))) {
		int fd;

		*slash = '\0';
		fd = *piece ? openat(at >= 0 ? at : dirfd, piece,
				      O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
		            : fcntl(at >= 0 ? at : dirfd, F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			return errno == ENOTDIR ? -ELOOP : -errno;
		closep(&at);
		at = fd;
		piece = slash + 1;
	}
	return open_noatime(at >= 0 ? at : dirfd, *piece ? piece : ".", flags | O_NOFOLLOW);
}

/* One piece of a path, shorter than PATH_MAX and NUL terminated. */
static int
open_piece(int dirfd, char *piece, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)flags,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	do {
		fd = syscall(SYS_openat2, dirfd, piece, &how, sizeof(how));
		if (fd < 0 && errno == EPERM && (how.flags & O_NOATIME)) {
			how.flags &= ~(uint64_t)O_NOATIME;
			errno = EINTR;
		}
		/* Not on EAGAIN: there is no ".." whose resolution a rename could disturb, so it
		 * says that somebody holds a lease on the file, for as long as he likes. */
	} while (fd < 0 && errno == EINTR);
	/* EPERM is how some filters say that the call is not to be had. */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		return open_steps(dirfd, piece, flags);
	return fd < 0 ? -errno : (int)fd;
}

/* Length of the longest prefix of whole components that fits one system call. */
static size_t
piece_len(struct span path)
{
	size_t n;

	if (path.len < PATH_MAX)
		return path.len;
	for (n = PATH_MAX - 1; n > 0 && path.data[n] != '/'; n--)
		;
	return n;
}

static bool
has_dots(struct span path)
{
	size_t start = 0;

	for (size_t i = 0; i <= path.len; i++) {
		if (i < path.len && path.data[i] != '/')
			continue;
		if ((i - start == 1 && path.data[start] == '.') ||
			(i - start == 2 && path.data[start] == '.' && path.data[start + 1] == '.'))
			return true;
		start = i + 1;
	}
	return false;
}

int
fd_open_beneath(int dirfd, struct span path, int flags)
{
	int final = flags | O_CLOEXEC | O_NOFOLLOW;
	AUTO(closep) int at = -1;
	char piece[PATH_MAX];

	if (!(flags & O_PATH))
		final |= O_NOATIME | O_NONBLOCK | O_NOCTTY; /* openat2 refuses them with O_PATH */
	if (path.len == 0)
		return open_noatime(dirfd, ".", final);
	if (path.data[0] == '/' || memchr(path.data, '\0', path.len))
		return -EXDEV;
	if (has_dots(path))
		return -EXDEV;
	for (;;) {
		size_t n = piece_len(path);
		bool last = n == path.len;
		int fd;

		if (n == 0)
			return -ENAMETOOLONG;
		memcpy(piece, path.data, n);
		piece[n] = '\0';
		fd = open_piece(at >= 0 ? at : dirfd, piece,
			last ? final : O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 || last)
			return fd;
		closep(&at);
		at = fd;
		path.data += n + 1;
		path.len -= n + 1;
	}
}

bool
fd_is_gone(int error)
{
	switch (error) {
	case -ENOENT:
	case -ENOTDIR:
	case -ELOOP: /* a link now */
	case -EXDEV:
	case -ENXIO: /* a pipe or a socket now */
	case -ENODEV:
	case -ESTALE:
		return true;
	default:
		return false;
	}
}

int
fd_open_long(const char *path, int flags)
{
	AUTO(closep) int at = -1;
	struct span left = span_of(path);
	char piece[PATH_MAX];

	for (;;) {
		size_t n = piece_len(left);
		bool last = n == left.len;
		int fd;

		if (n == 0 && !last)
			return -ENAMETOOLONG;
		memcpy(piece, left.data, n);
		piece[n] = '\0';
		fd = openat(at >= 0 ? at : AT_FDCWD, piece,
			last ? flags | O_CLOEXEC : O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		if (last)
			return fd;
		closep(&at);
		at = fd;
		left.data += n + 1;
		left.len -= n + 1;
	}
}

int
fd_open_absolute(struct span path, int flags)
{
	AUTO(closep) int slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (slash < 0)
		return -errno;
	if (path.len == 0 || path.data[0] != '/')
		return -EINVAL;
	while (path.len > 0 && path.data[0] == '/') {
		path.data++;
		path.len--;
	}
	return fd_open_beneath(slash, path, flags);
}

int
fd_slurp(int dirfd, const char *path, size_t max_bytes, struct strbuf *out)
{
	AUTO(closep) int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t n;
	int r;

	if (fd < 0)
		return -errno;
	for (;;) {
		if (out->len > max_bytes)
			return -EFBIG;
		r = strbuf_reserve(out, 4096);
		if (r < 0)
			return r;
		n = fd_read_full(fd, out->data + out->len, 4096);
		if (n <= 0)
			break;
		out->len += (size_t)n;
		out->data[out->len] = '\0';
	}
	if (n < 0)
		return (int)n;
	return out->len > max_bytes ? -EFBIG : 0;
}

int
fd_sync(int fd)
{
	return fsync(fd) < 0 ? -errno : 0;
}

static int
write_synced(int dirfd, const char *name, const void *data, size_t len, mode_t mode)
{
	AUTO(closep)
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	int r;

	if (fd < 0)
		return -errno;
	r = fd_write_full(fd, data, len);
	return r < 0 ? r : fd_sync(fd);
}

int
fd_replace(int dirfd, const char *name, const void *data, size_t len, mode_t mode)
{
	char temp[NAME_MAX + 1];
	int r;

	if (snprintf(temp, sizeof(temp), "%s.tmp", name) >= (int)sizeof(temp))
		return -ENAMETOOLONG;
	r = write_synced(dirfd, temp, data, len, mode);
	if (r == 0 && renameat(dirfd, temp, dirfd, name) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(dirfd, temp, 0);
		return r;
	}
	return fd_sync(dirfd);
}
