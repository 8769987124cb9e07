#include "walk/listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENTRY_MASK                                                                     \
	(STATX_TYPE | STATX_MODE | STATX_NLINK | STATX_UID | STATX_GID | STATX_MTIME | \
		STATX_CTIME | STATX_INO | STATX_SIZE | STATX_BLOCKS | STATX_MNT_ID)

int
listing_init(struct listing *l)
{
	*l = (struct listing){
		.buf = calloc(1, LISTING_BUF_BYTES + NAME_PAD_BYTES),
		.listed = malloc((size_t)2 * LISTING_MAX_NAMES * sizeof(l->listed[0])),
	};
	if (l->buf && l->listed)
		return 0;
	listing_fini(l);
	return -ENOMEM;
}

void
listing_fini(struct listing *l)
{
	free(l->buf);
	free(l->listed);
	*l = (struct listing){0};
}

static bool
is_dot(const char *name)
{
	return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

int
listing_read(struct listing *l, int fd)
{
	long n;

	l->n = 0;
	l->names_bytes = 0;
	l->at_end = false;
	do {
		n = syscall(SYS_getdents64, fd, l->buf, LISTING_BUF_BYTES);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : 0;
	for (long at = 0; at < n;) {
		/* The kernel's records, aligned to 8: struct dirent64 is their shape. */
		const struct dirent64 *d = (const void *)(l->buf + at);
		size_t len = strlen(d->d_name);

		at += d->d_reclen;
		l->at_end = d->d_off == INT64_MAX;
		if (is_dot(d->d_name) || l->n == LISTING_MAX_NAMES)
			continue;
		l->listed[l->n++] = (struct listed){
			.name = d->d_name,
			.ino = d->d_ino,
			.len = (uint16_t)len,
			.type = d->d_type,
		};
		l->names_bytes += len + 1;
	}
	names_sort(l->listed, l->listed + LISTING_MAX_NAMES, l->n);
	return 1;
}

int
entry_stat(int dirfd, const char *name, struct statx *ret)
{
	int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC;

	if (*name == '\0')
		flags |= AT_EMPTY_PATH;
	return statx(dirfd, name, flags, ENTRY_MASK, ret) < 0 ? -errno : 0;
}
