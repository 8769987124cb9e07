#include "walk/judge.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "walk/listing.h"

#define CACHEDIR_TAG "CACHEDIR.TAG"
#define CACHEDIR_SIGNATURE "Signature: 8a477f597d28d172789f06886806bc55"
#define GITIGNORE_MAX_BYTES (4u << 20)

/* The part of an absolute path that is below the root; empty when it is not below. */
static struct span
below_root(const char *root, const char *path)
{
	struct span base = span_of(root), p = span_of(path);

	while (base.len > 0 && base.data[base.len - 1] == '/')
		base.len--;
	while (p.len > 0 && p.data[p.len - 1] == '/')
		p.len--;
	if (!span_starts(p, base) || p.len <= base.len + 1 || p.data[base.len] != '/')
		return (struct span){0};
	return (struct span){p.data + base.len + 1, p.len - base.len - 1};
}

/* Note the inode of a directory, whose descriptor may be -errno: it is not there (yet), so not in
 * the tree either. */
static int
add_inode(struct inodes *v, int fd)
{
	struct statx st;

	if (fd < 0 || entry_stat(fd, "", &st) < 0)
		return 0;
	return VEC_PUSH(&v->ids, (struct inode_id){statx_dev(&st), st.stx_ino});
}

/* A root of which the kernel has the whole path in its cache, as it has of what was opened lately:
 * -EAGAIN otherwise. To go and look would hang when that root is on a dead mount, and roots do not
 * wait for each other. */
static int
open_cached(const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_CACHED,
	};
	long fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* By path, and by inode, for it may be reached through a bind mount. */
static int
add_other_roots(struct judge *j)
{
	for (const char *const *p = j->opts->other_roots; p && *p; p++) {
		AUTO(closep) int fd = open_cached(*p);
		struct span rel = below_root(j->opts->root, *p);

		if (rel.len > 0 && VEC_PUSH(&j->others, rel) < 0)
			return -ENOMEM;
		if (add_inode(&j->other_inodes, fd) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* By inode alone: it is where the path leads now that counts. */
static int
add_own_dirs(struct judge *j)
{
	for (const char *const *p = j->opts->own_dirs; p && *p; p++) {
		AUTO(closep) int fd = fd_open_long(*p, O_PATH | O_DIRECTORY);

		if (add_inode(&j->own, fd) < 0)
			return -ENOMEM;
	}
	return 0;
}

int
judge_init(struct judge *j, const struct walk_opts *opts)
{
	*j = (struct judge){.opts = opts};
	mounts_init(&j->mounts);
	if (add_other_roots(j) < 0 || add_own_dirs(j) < 0)
		return -ENOMEM;
	j->has_rules = opts->rules && !rules_empty(opts->rules);
	j->needs_path = j->has_rules || opts->gitignore || j->others.len > 0;
	return 0;
}

void
judge_fini(struct judge *j)
{
	VEC_FINI(&j->own.ids);
	VEC_FINI(&j->others);
	VEC_FINI(&j->other_inodes.ids);
	mounts_fini(&j->mounts);
}

struct judgement
judge_name(const struct judge *j, const struct dir *in, struct span path, bool is_dir)
{
	struct judgement v = {0};
	enum rule_hit hit = RULE_MISS;

	if (j->has_rules)
		hit = rules_match(j->opts->rules, path, is_dir, &v.rule);
	if (hit != RULE_ENTRY && in->ignore &&
		gitignore_match(in->ignore, path, is_dir, &v.rule, &v.rule_base)) {
		v.skip = SKIP_GITIGNORE;
		v.leave_out = true;
		return v;
	}
	if (hit != RULE_MISS) {
		v.skip = SKIP_EXCLUDED;
		v.leave_out = hit == RULE_ENTRY;
	}
	return v;
}

static bool
is_among(const struct inodes *v, const struct statx *st)
{
	VEC_EACH (&v->ids, id)
		if (id->ino == st->stx_ino && id->dev == statx_dev(st))
			return true;
	return false;
}

static bool
is_other_root(const struct judge *j, struct span path, const struct statx *st)
{
	VEC_EACH (&j->others, other)
		if (span_eq(*other, path))
			return true;
	return is_among(&j->other_inodes, st);
}

/* What the mount table does not know is looked at again when it is open: judge_inside(). */
static enum walk_skip
judge_mount(struct judge *j, const struct dir *in, const struct statx *st)
{
	if (mounts_lookup(&j->mounts, statx_mnt(st)) == MOUNT_PSEUDO)
		return SKIP_PSEUDO_FS;
	if (j->opts->one_file_system && statx_dev(st) != in->dev)
		return SKIP_OTHER_FS;
	return dir_is_within(in, statx_dev(st), st->stx_ino) ? SKIP_LOOP : SKIP_NONE;
}

struct judgement
judge_dir(struct judge *j, const struct dir *in, struct span path, const struct statx *st)
{
	struct judgement v = {0};

	if (is_among(&j->own, st))
		v.skip = SKIP_OWN;
	else if (is_other_root(j, path, st))
		v.skip = SKIP_OTHER_ROOT;
	else if (st->stx_attributes & STATX_ATTR_AUTOMOUNT)
		v.skip = SKIP_PSEUDO_FS; /* entering it would mount what is behind it */
	else if (mount_is_border(st, in->dev, in->mnt)) {
		v.on_mount = true;
		v.skip = judge_mount(j, in, st);
	}
	return v;
}

int
dir_open(const struct dir *d, int parent_fd, int root_fd, struct span path, int how)
{
	int flags = how | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int fd;

	if (parent_fd < 0)
		return fd_open_beneath(root_fd, path, how | O_DIRECTORY);
	fd = openat(parent_fd, d->name, flags | O_NOATIME);
	if (fd < 0 && errno == EPERM) /* only the owner may ask for O_NOATIME */
		fd = openat(parent_fd, d->name, flags);
	return fd < 0 ? -errno : fd;
}

/* A regular file, looked at before it is opened: opening a FIFO or device has effects. */
static int
open_regular(int dirfd, const char *name)
{
	int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	AUTO(closep) int fd = -1;
	struct statx st;
	struct stat opened;
	int r = entry_stat(dirfd, name, &st);

	if (r < 0)
		return r;
	if (!S_ISREG(st.stx_mode))
		return -ENODEV;
	fd = openat(dirfd, name, flags | O_NOATIME);
	if (fd < 0 && errno == EPERM)
		fd = openat(dirfd, name, flags);
	if (fd < 0 || fstat(fd, &opened) < 0)
		return -errno;
	return S_ISREG(opened.st_mode) ? TAKE_FD(fd) : -ENODEV;
}

/* Errors that say nothing about the file. */
static bool
is_want(int code)
{
	return code == -EMFILE || code == -ENFILE || code == -ENOMEM;
}

/* 1, 0, or want of something. */
static int
has_cachedir_tag(int dirfd)
{
	AUTO(closep) int fd = open_regular(dirfd, CACHEDIR_TAG);
	char head[sizeof(CACHEDIR_SIGNATURE) - 1];

	if (fd < 0)
		return is_want(fd) ? fd : 0;
	return fd_read_full(fd, head, sizeof(head)) == (ssize_t)sizeof(head) &&
	       memcmp(head, CACHEDIR_SIGNATURE, sizeof(head)) == 0;
}

/* A .gitignore that cannot be read or is too large counts as missing. 0, or want of something. */
static int
load_gitignore(struct dir *d, int dirfd, struct span path)
{
	AUTO(closep) int fd = open_regular(dirfd, ".gitignore");
	AUTO(strbuf_fini) struct strbuf text = {0};
	struct gitignore *own = NULL;
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return is_want(fd) ? fd : 0;
	if (fstat(fd, &st) < 0 || st.st_size == 0 || st.st_size > (off_t)GITIGNORE_MAX_BYTES)
		return 0;
	if (strbuf_reserve(&text, (size_t)st.st_size) < 0)
		return -ENOMEM;
	n = fd_read_full(fd, text.data, (size_t)st.st_size);
	if (n <= 0)
		return 0;
	if (gitignore_create(d->ignore, path, (struct span){text.data, (size_t)n}, &own) < 0)
		return -ENOMEM;
	gitignore_unref(d->ignore);
	d->ignore = own;
	return 0;
}

/* Its rules: its tag and its .gitignore on top of its parent's. */
static int
judge_tags(struct judge *j, struct dir *d, int fd, struct span path, enum walk_skip *ret_skip)
{
	int r = 0;

	/* The root is what the administrator asked for, tagged or not. */
	if (j->opts->exclude_caches && d->parent)
		r = has_cachedir_tag(fd);
	if (r != 0) {
		*ret_skip = SKIP_CACHEDIR;
		return MIN(r, 0);
	}
	if (d->parent && !d->ignore)
		d->ignore = gitignore_ref(d->parent->ignore);
	*ret_skip = SKIP_NONE;
	return j->opts->gitignore ? load_gitignore(d, fd, path) : 0;
}

int
judge_inside(struct judge *j, struct dir *d, int fd, struct span path, enum walk_skip *ret_skip)
{
	struct statx st;
	int r = entry_stat(fd, "", &st);

	if (r < 0) {
		*ret_skip = skip_of_error(r);
		return 0;
	}
	/* Something was mounted there since its entry was judged. */
	*ret_skip = SKIP_GONE;
	if (d->parent && !d->on_mount && mount_is_border(&st, d->parent->dev, d->parent->mnt))
		return 0;
	*ret_skip = SKIP_PSEUDO_FS;
	if (d->on_mount && mount_is_pseudo(fd))
		return 0;
	d->dev = statx_dev(&st);
	d->ino = st.stx_ino;
	d->ctime_ns = clock_ns(st.stx_ctime.tv_sec, st.stx_ctime.tv_nsec);
	d->mnt = statx_mnt(&st);
	return judge_tags(j, d, fd, path, ret_skip);
}

enum walk_skip
skip_of_error(int code)
{
	switch (code) {
	case -ENOENT:
	case -ENOTDIR:
	case -ELOOP: /* replaced by a symbolic link */
	case -ESTALE:
	case -EXDEV:
		return SKIP_GONE;
	case -EACCES:
	case -EPERM:
		return SKIP_UNREADABLE;
	default:
		return SKIP_IO_ERROR;
	}
}

/* Of a symbolic link as the last component, the kernel says only that it is no directory. */
static bool
is_link(const char *path)
{
	AUTO(closep) int fd = fd_open_absolute(span_of(path), O_PATH);
	struct statx st;

	return fd >= 0 && entry_stat(fd, "", &st) == 0 && S_ISLNK(st.stx_mode);
}

int
judge_open_root(struct judge *j, struct statx *ret_st, struct err *err)
{
	const char *root = j->opts->root;
	AUTO(closep) int fd = fd_open_absolute(span_of(root), O_RDONLY | O_DIRECTORY);
	int r = fd == -ENOTDIR && is_link(root) ? -ELOOP : fd;

	if (r < 0)
		return err_set(err, r, "could not open root \"%s\": %s", root,
			r == -ELOOP ? "it is or lies below a symbolic link" : err_reason(r));
	r = entry_stat(fd, "", ret_st);
	if (r < 0)
		return err_set(err, r, "could not look at root \"%s\": %s", root, err_reason(r));
	if (mounts_lookup(&j->mounts, statx_mnt(ret_st)) == MOUNT_PSEUDO || mount_is_pseudo(fd))
		return err_set(err, -EINVAL,
			"cannot index root \"%s\": it is on a pseudo file system", root);
	return TAKE_FD(fd);
}
