#include "watch/watch_handle.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>

#define TYPE_INO32 0x01
#define TYPE_INO64 0x81
#define TYPE_BTRFS 0x4d

/* Not in <linux/magic.h> of Debian 12. */
#define JFS_MAGIC 0x3153464au

/* File systems whose inode numbers are 32 bits wide by their format, so that 32 bits of a handle
 * are all of one. Others might cut theirs. */
static const uint32_t narrow[] = {
	EXT4_SUPER_MAGIC,
	F2FS_SUPER_MAGIC,
	XFS_SUPER_MAGIC,
	MSDOS_SUPER_MAGIC,
	EXFAT_SUPER_MAGIC,
	JFS_MAGIC,
};

static uint32_t
word_at(struct span bytes, size_t at)
{
	uint32_t v;

	memcpy(&v, bytes.data + at, sizeof(v));
	return v;
}

static uint64_t
long_at(struct span bytes, size_t at)
{
	uint64_t v;

	memcpy(&v, bytes.data + at, sizeof(v));
	return v;
}

int
handle_decode(int type, struct span bytes, struct handle_id *ret)
{
	struct handle_id id = {0};

	if (type == TYPE_INO32 && bytes.len == 8)
		id.ino = word_at(bytes, 0);
	else if (type == TYPE_INO32 && bytes.len == 12)
		id.ino = word_at(bytes, 4) | (uint64_t)word_at(bytes, 8) << 32;
	else if (type == TYPE_INO64 && bytes.len == 12)
		id.ino = long_at(bytes, 0);
	else if (type == TYPE_BTRFS && bytes.len == 20)
		id = (struct handle_id){long_at(bytes, 0), long_at(bytes, 8)};
	else
		return -EOPNOTSUPP;
	*ret = id;
	return 0;
}

static bool
is_narrow(uint32_t magic)
{
	for (size_t i = 0; i < ARRAY_LEN(narrow); i++)
		if (narrow[i] == magic)
			return true;
	return false;
}

int
handle_check(int fd, uint32_t magic, uint64_t ino, struct handle_id *ret)
{
	union {
		struct file_handle head;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} h = {.head.handle_bytes = MAX_HANDLE_SZ};
	struct handle_id id;
	struct span bytes;
	int mount_id;
	int r;

	if (name_to_handle_at(fd, "", &h.head, &mount_id, AT_EMPTY_PATH) < 0)
		return -errno;
	bytes = (struct span){(const char *)h.head.f_handle, h.head.handle_bytes};
	r = handle_decode(h.head.handle_type, bytes, &id);
	if (r < 0)
		return r;
	if (id.ino != ino || (bytes.len == 8 && !is_narrow(magic)))
		return -EOPNOTSUPP;
	*ret = id;
	return 0;
}
