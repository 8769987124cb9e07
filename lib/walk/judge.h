/**
 * judge: whether an entry belongs to the index, one directory entry at a time.
 *
 * The walk and `why` ask the same functions in the same order: judge_name() before the entry is
 * looked at, judge_dir() when it is a directory, dir_open() and judge_inside() when it is entered.
 *
 * Threads: a struct judge is shared by all workers of a walk.
 */
#pragma once

#include "base/vec.h"
#include "walk/dirq.h"
#include "walk/mount.h"

struct inode_id {
	uint64_t dev, ino;
};

struct inodes {
	VEC(struct inode_id) ids;
};

struct judge {
	/* Fixed after init. */
	const struct walk_opts *opts;
	struct inodes own, other_inodes;
	VEC(struct span) others; /* paths relative to the root; point into opts */
	bool has_rules;          /* opts->rules has any */
	bool needs_path;         /* judge_name() or judge_dir() looks at `path` */

	struct mounts mounts; /* has its own lock */
};

/** 0 or -ENOMEM. judge_fini() in both cases. */
int judge_init(struct judge *j, const struct walk_opts *opts);
void judge_fini(struct judge *j);

struct judgement {
	enum walk_skip skip;   /* SKIP_NONE: nothing against it */
	bool leave_out;        /* the entry itself; else only what is in it */
	bool on_mount;         /* a directory that is a mount point and may be entered */
	const char *rule;      /* the rule's text, or NULL; valid as long as rules and dir */
	struct span rule_base; /* of a .gitignore rule: its directory */
};

/** By name alone. `path` is relative to the root and read only when needs_path. */
struct judgement judge_name(
	const struct judge *j, const struct dir *in, struct span path, bool is_dir);

/** A directory found in the directory `in`. */
struct judgement judge_dir(
	struct judge *j, const struct dir *in, struct span path, const struct statx *st);

/** Open d by name in parent_fd, or by `path` below root_fd when parent_fd is negative. `how` is
 *  O_RDONLY, or O_PATH to look only at what is in it. */
int dir_open(const struct dir *d, int parent_fd, int root_fd, struct span path, int how);

/** Look at the opened directory itself and load its .gitignore. 0 with *ret_skip (SKIP_NONE: list
 *  it); -EMFILE, -ENFILE or -ENOMEM when its rules could not be read for want of that: try again,
 *  for without them too much would be indexed. */
int judge_inside(
	struct judge *j, struct dir *d, int fd, struct span path, enum walk_skip *ret_skip);

/** What to say of a directory or entry that gave -errno. */
enum walk_skip skip_of_error(int code);

/** Open the root: a descriptor, or -errno with the sentence in err. *ret_st is its statx. */
int judge_open_root(struct judge *j, struct statx *ret_st, struct err *err);
