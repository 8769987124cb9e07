#include "walk/known.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#include "base/clock.h"

/* The kernel stamps with a clock that goes on by jiffies, of 10 ms at most; twice that. */
#define TICK_NS (20 * 1000000ll)
/* A time without a fraction: this file system, or this inode, may keep no more than seconds. */
#define COARSE_NS (2 * NSEC_PER_SEC)

void
known_close(struct known_dir *d)
{
	free(d->list);
	*d = (struct known_dir){0};
}

bool
known_find(const struct walk_known *w, const struct known_dir *d, struct span name, uint32_t *at)
{
	uint32_t lo = 0, hi = d->n;

	/* Mostly it is the next one. */
	if (*at < hi && span_eq(w->name(w->ctx, d, *at), name))
		return true;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int cmp = span_cmp(w->name(w->ctx, d, mid), name);

		if (cmp == 0) {
			*at = mid;
			return true;
		}
		if (cmp < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

bool
known_same(const struct known_entry *was, const struct walk_entry *e, const struct walk_class *cls)
{
	const struct walk_entry *b = &was->entry;

	return e->ino == b->ino && e->ctime_ns == b->ctime_ns && e->mtime_ns == b->mtime_ns &&
	       e->size == b->size && e->blocks == b->blocks && e->nlink == b->nlink &&
	       cls->mode == was->cls.mode && cls->uid == was->cls.uid && cls->gid == was->cls.gid &&
	       cls->dev == was->cls.dev;
}

int64_t
known_granularity(int64_t time_ns)
{
	return time_ns % NSEC_PER_SEC == 0 ? COARSE_NS : TICK_NS;
}

static bool
lies_back(int64_t began_ns, int64_t time_ns)
{
	return time_ns < began_ns - known_granularity(time_ns);
}

bool
known_settled(const struct walk_known *w, const struct walk_entry *was)
{
	return lies_back(w->began_ns, was->ctime_ns) && lies_back(w->began_ns, was->mtime_ns);
}

bool
known_trusted(const struct walk_known *w, const struct known_entry *was)
{
	return was->dir != WALK_NOT_KNOWN && !was->broken_off && !was->left_out &&
	       known_settled(w, &was->entry);
}

bool
known_fs(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	switch ((uint32_t)fs.f_type) {
	case EXT4_SUPER_MAGIC: /* ext2 and ext3 too */
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case TMPFS_MAGIC:
	case F2FS_SUPER_MAGIC:
		return true;
	default:
		return false;
	}
}
