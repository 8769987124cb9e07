/**
 * watch_support: a watch with its state directory, what it has told so far, and file systems to
 * watch.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/vec.h"
#include "test.h"
#include "watch/watch.h"

#define PATIENCE (30 * USEC_PER_SEC)

/** What was told, by hash. Nothing is taken out but by told_reset(). */
struct told {
	uint64_t *keys; /* 0: free */
	size_t n_slots, n;
};

static inline uint64_t
told_key(uint32_t mount, uint64_t ino, struct span name)
{
	uint64_t h = hash64(name.data, name.len, ino * 31 + mount);

	return h ? h : 1;
}

static inline bool
told_has(const struct told *t, uint64_t key)
{
	size_t at = key & (t->n_slots - 1);

	while (t->n_slots > 0 && t->keys[at] != 0 && t->keys[at] != key)
		at = (at + 1) & (t->n_slots - 1);
	return t->n_slots > 0 && t->keys[at] == key;
}

static inline void
told_put_free(struct told *t, uint64_t key)
{
	size_t at = key & (t->n_slots - 1);

	while (t->keys[at] != 0 && t->keys[at] != key)
		at = (at + 1) & (t->n_slots - 1);
	t->n += t->keys[at] == 0;
	t->keys[at] = key;
}

static inline void
told_put(struct told *t, uint64_t key)
{
	if ((t->n + 1) * 2 > t->n_slots) {
		struct told n = {.n_slots = MAX(t->n_slots * 2, (size_t)1024)};

		n.keys = calloc(n.n_slots, sizeof(*n.keys));
		CHECK(n.keys);
		for (size_t i = 0; i < t->n_slots; i++)
			if (t->keys[i])
				told_put_free(&n, t->keys[i]);
		free(t->keys);
		*t = n;
	}
	told_put_free(t, key);
}

static inline void
told_reset(struct told *t)
{
	free(t->keys);
	*t = (struct told){0};
}

struct scene {
	char *state, *tree;
	int state_fd, tree_fd;
	struct watch *watch;
	uint32_t mount;
	enum watch_kind kind;

	struct told told;
	unsigned n_names, n_selves, n_lost, n_cookies;
	uint32_t last_lost;
	uint64_t cookie; /* the last that came */
};

static inline uint64_t
ino_at(int dirfd, const char *name)
{
	struct stat st;

	CHECK_INT(fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH), 0);
	return st.st_ino;
}

/** A watch without mounts; options that are 0 are those of tests. */
static inline void
scene_open_with(struct scene *s, const char *tree, struct watch_opts o)
{
	struct err err = {0};
	int r;

	*s = (struct scene){.state = test_dir(), .tree = strdup(tree)};
	s->state_fd = open(s->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	s->tree_fd = open(s->tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(s->state_fd >= 0 && s->tree_fd >= 0);
	o.state_fd = s->state_fd;
	r = watch_create(&o, &s->watch, &err);
	CHECK_SAY(r == 0, "%s", err.what);
}

static inline void
scene_mount(struct scene *s, enum watch_kind wanted)
{
	struct err err = {0};
	int r = watch_mount(s->watch, s->tree_fd, wanted, &s->mount, &s->kind, &err);

	CHECK_SAY(r == 0, "%s", err.what);
}

/** Watching `tree` as `wanted`; its first directory too. */
static inline void
scene_open(struct scene *s, const char *tree, enum watch_kind wanted)
{
	scene_open_with(s, tree, (struct watch_opts){.allow_file_system = true});
	scene_mount(s, wanted);
	CHECK(watch_dir(s->watch, s->mount, s->tree_fd, ino_at(s->tree_fd, "")) >= 0);
}

static inline void
scene_close(struct scene *s)
{
	watch_destroy(s->watch);
	close(s->state_fd);
	close(s->tree_fd);
	test_dir_remove(s->state);
	told_reset(&s->told);
	free(s->tree);
}

static inline void
scene_hear(struct scene *s, const struct watch_change *c)
{
	switch (c->what) {
	case WATCH_NAME:
		CHECK(c->name.len > 0 && c->mount != 0);
		told_put(&s->told, told_key(c->mount, c->ino, c->name));
		s->n_names++;
		return;
	case WATCH_SELF:
		CHECK(c->name.len == 0);
		told_put(&s->told, told_key(c->mount, c->ino, (struct span){0}));
		s->n_selves++;
		return;
	case WATCH_FILE:
		CHECK(c->name.len == 0 && c->mount != 0);
		return;
	case WATCH_LOST:
		s->last_lost = c->mount;
		s->n_lost++;
		return;
	case WATCH_COOKIE:
		CHECK(c->cookie > s->cookie);
		s->cookie = c->cookie;
		s->n_cookies++;
		return;
	}
	CHECK_SAY(false, "a change of no kind");
}

/** Receive once; -errno as of watch_recv(). */
static inline int
scene_recv(struct scene *s, usec_t deadline)
{
	struct watch_change c[64];
	int n = watch_recv(s->watch, c, ARRAY_LEN(c), NULL, deadline);

	for (int i = 0; i < n; i++)
		scene_hear(s, &c[i]);
	return n;
}

/** Everything up to now. */
static inline void
scene_sync(struct scene *s)
{
	uint64_t cookie = watch_cookie(s->watch);
	usec_t deadline = clock_deadline(PATIENCE);

	while (s->cookie < cookie)
		CHECK(scene_recv(s, deadline) > 0);
}

static inline bool
scene_told(const struct scene *s, uint64_t dir, const char *name)
{
	return told_has(&s->told, told_key(s->mount, dir, span_of(name)));
}

/** A private view of mounts, or false: not root. Processes of tests are theirs alone. */
static inline bool
may_mount(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/** A file system of its own. */
struct place {
	char *dir; /* all that is made for it */
	char path[256];
};

static inline int
shell(const char *script, const char *dir, const char *type)
{
	char *command;
	int r;

	CHECK(asprintf(&command, "exec >/dev/null 2>&1; D=%s; T=%s; %s", dir, type, script) > 0);
	r = system(command); /* NOLINT(cert-env33-c): tools of the machine that tests */
	free(command);
	return r;
}

static inline void
place_close(struct place *p)
{
	(void)shell("umount -l $D/on; umount -l $D/lay", p->dir, "");
	test_dir_remove(p->dir);
}

/** Skips the test, saying so, where it cannot be had. */
static inline struct place
place_open(const char *type)
{
	static const char script[] =
		"mkdir $D/on $D/lay && case $T in "
		"tmpfs) mount -t tmpfs -o mode=755 none $D/on ;; "
		"overlay) mount -t tmpfs none $D/lay && cd $D/lay && mkdir -p low/old up work && "
		"echo old >low/old/file && "
		"mount -t overlay -o lowerdir=low,upperdir=up,workdir=work none $D/on ;; "
		"*) truncate -s 320M $D/image && mkfs.$T -q $D/image && "
		"mount -o loop $D/image $D/on ;; esac";
	struct place p = {0};

	if (!may_mount())
		cr_skip_test("mounting is not permitted");
	p.dir = test_dir();
	(void)snprintf(p.path, sizeof(p.path), "%s/on", p.dir);
	if (shell(script, p.dir, type) != 0) {
		place_close(&p);
		cr_skip_test("no %s to be had here", type);
	}
	return p;
}
