#include "walk/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "walk/mount_table.h"

/* Not in <linux/magic.h> of Debian 12. */
#define FUSECTL_MAGIC 0x65735543u
#define MQUEUE_FS_MAGIC 0x19800202u
#define CONFIGFS_FS_MAGIC 0x62656570u
#define RPC_PIPEFS_MAGIC 0x67596969u
#define NFSD_FS_MAGIC 0x6e667364u

#define MOUNT_TABLE "/proc/self/mountinfo"
#define TABLE_STEP_BYTES 65536u
#define MOUNT_TABLE_MAX_BYTES (64u << 20)

/* devtmpfs calls itself tmpfs in statfs, so only the mount table knows it. */
static const struct {
	const char *type;
	uint32_t magic;
} pseudo[] = {
	{"autofs", AUTOFS_SUPER_MAGIC},
	{"binfmt_misc", BINFMTFS_MAGIC},
	{"bpf", BPF_FS_MAGIC},
	{"cgroup", CGROUP_SUPER_MAGIC},
	{"cgroup2", CGROUP2_SUPER_MAGIC},
	{"configfs", CONFIGFS_FS_MAGIC},
	{"debugfs", DEBUGFS_MAGIC},
	{"devpts", DEVPTS_SUPER_MAGIC},
	{"devtmpfs", 0},
	{"efivarfs", EFIVARFS_MAGIC},
	{"fusectl", FUSECTL_MAGIC},
	{"hugetlbfs", HUGETLBFS_MAGIC},
	{"mqueue", MQUEUE_FS_MAGIC},
	{"nfsd", NFSD_FS_MAGIC},
	{"nsfs", NSFS_MAGIC},
	{"proc", PROC_SUPER_MAGIC},
	{"pstore", PSTOREFS_MAGIC},
	{"rpc_pipefs", RPC_PIPEFS_MAGIC},
	{"securityfs", SECURITYFS_MAGIC},
	{"selinuxfs", SELINUX_MAGIC},
	{"smackfs", SMACK_MAGIC},
	{"sysfs", SYSFS_MAGIC},
	{"tracefs", TRACEFS_MAGIC},
};

uint64_t
statx_dev(const struct statx *st)
{
	return makedev(st->stx_dev_major, st->stx_dev_minor);
}

uint64_t
statx_mnt(const struct statx *st)
{
	return st->stx_mask & STATX_MNT_ID ? st->stx_mnt_id : 0;
}

bool
mount_is_border(const struct statx *st, uint64_t parent_dev, uint64_t parent_mnt)
{
	if (st->stx_attributes_mask & STATX_ATTR_MOUNT_ROOT)
		return st->stx_attributes & STATX_ATTR_MOUNT_ROOT;
	if (statx_mnt(st) && parent_mnt)
		return statx_mnt(st) != parent_mnt;
	return statx_dev(st) != parent_dev;
}

static bool
is_pseudo_type(struct span type)
{
	for (size_t i = 0; i < ARRAY_LEN(pseudo); i++)
		if (span_eq(span_of(pseudo[i].type), type))
			return true;
	return false;
}

static void
parse_table_locked(struct mounts *m, struct span text)
{
	struct mount_line line;

	/* A row lost for want of memory is a mount that statfs decides. */
	while (mount_table_next(&text, &line))
		(void)VEC_PUSH(&m->rows, ((struct mount_row){line.id, is_pseudo_type(line.type)}));
}

void
mounts_init(struct mounts *m)
{
	*m = (struct mounts){.table_fd = open(MOUNT_TABLE, O_RDONLY | O_CLOEXEC)};
	lock_init(&m->lock, RANK_LEAF, "mounts");
}

void
mounts_fini(struct mounts *m)
{
	closep(&m->table_fd);
	VEC_FINI(&m->rows);
	lock_fini(&m->lock);
}

/* The whole table, which is as long as it is; through the descriptor that is open, because this
 * must not fail when descriptors are short. */
static int
read_table(int fd, struct strbuf *out)
{
	for (;;) {
		ssize_t n;

		if (out->len > MOUNT_TABLE_MAX_BYTES)
			return -EFBIG;
		if (strbuf_reserve(out, TABLE_STEP_BYTES) < 0)
			return -ENOMEM;
		n = fd_pread_full(fd, out->data + out->len, TABLE_STEP_BYTES, out->len);
		if (n <= 0)
			return (int)n;
		out->len += (size_t)n;
	}
}

/* poll() reports a change once, so it is asked before the table is read: what changes in between
 * is reported the next time. */
static void
refresh_locked(struct mounts *m)
{
	struct pollfd watch = {.fd = m->table_fd, .events = POLLPRI};
	AUTO(strbuf_fini) struct strbuf text = {0};

	if (m->loaded && poll(&watch, 1, 0) == 0)
		return;
	m->rows.len = 0;
	m->loaded = read_table(m->table_fd, &text) == 0;
	if (m->loaded)
		parse_table_locked(m, strbuf_view(&text));
}

enum mount_kind
mounts_lookup(struct mounts *m, uint64_t id)
{
	LOCK_SCOPE(&m->lock);

	if (id == 0 || m->table_fd < 0)
		return MOUNT_UNKNOWN;
	refresh_locked(m);
	VEC_EACH (&m->rows, row)
		if (row->id == id)
			return row->pseudo ? MOUNT_PSEUDO : MOUNT_REAL;
	return MOUNT_UNKNOWN;
}

bool
mount_is_pseudo(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(pseudo); i++)
		if (pseudo[i].magic && pseudo[i].magic == (uint32_t)fs.f_type)
			return true;
	return false;
}
