#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/vec.h"
#include "process/child_impl.h"

static const char *const clean_env[] = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8", NULL};

/* The child's ends, by the number that they have there. All are above that range here, so that
 * moving one to its place never runs over another. */
struct ends {
	int fd[EXEC_REPORT_FD + 1];
};

static void
ends_close(const struct ends *e)
{
	for (size_t i = 0; i < ARRAY_LEN(e->fd); i++)
		closep(&e->fd[i]);
}

static int
lift(int fd)
{
	int lifted = fcntl(fd, F_DUPFD_CLOEXEC, EXEC_REPORT_FD + 1);

	return lifted < 0 ? -errno : lifted;
}

/* A pipe whose end `ours` (0 reads, 1 writes) stays here and does not block. */
static int
open_pipe(int ours, int *ret_ours, int *ret_theirs)
{
	int fds[2], lifted;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	lifted = lift(fds[!ours]);
	closep(&fds[!ours]);
	if (lifted < 0 || fcntl(fds[ours], F_SETFL, O_NONBLOCK) < 0) {
		int r = lifted < 0 ? lifted : -errno;

		closep(&fds[ours]);
		closep(&lifted);
		return r;
	}
	*ret_ours = fds[ours];
	*ret_theirs = lifted;
	return 0;
}

static int
open_null(int *ret_theirs)
{
	AUTO(closep) int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret_theirs = lift(fd);
	return MIN(*ret_theirs, 0);
}

static int
open_stream(const struct child_stream *s, int ours, int *ret_ours, int *ret_theirs)
{
	switch (s->io) {
	case CHILD_NULL:
		return open_null(ret_theirs);
	case CHILD_PIPE:
		return open_pipe(ours, ret_ours, ret_theirs);
	case CHILD_FD:
		*ret_theirs = lift(s->fd);
		return MIN(*ret_theirs, 0);
	}
	return -EINVAL;
}

static int
open_ends(struct child *c, struct ends *e)
{
	int r = open_stream(&c->o.in, 1, &c->in_fd, &e->fd[0]);

	if (r == 0)
		r = open_stream(&c->o.out, 0, &c->outputs[0].fd, &e->fd[1]);
	if (r == 0)
		r = open_stream(&c->o.err, 0, &c->outputs[1].fd, &e->fd[2]);
	if (r == 0)
		r = open_pipe(0, &c->report_fd, &e->fd[EXEC_REPORT_FD]);
	return r;
}

/* The helper's command line. */
struct words {
	VEC(char *) list;
	struct arena arena;
	bool failed;
};

static void
words_fini(struct words *w)
{
	VEC_FINI(&w->list);
	arena_fini(&w->arena);
}

static void
add_word(struct words *w, const char *word)
{
	char *copy = word ? arena_copy(&w->arena, word, strlen(word)) : NULL;

	if ((word && !copy) || VEC_PUSH(&w->list, copy) < 0)
		w->failed = true;
}

static void
add_number(struct words *w, const char *option, intmax_t value)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%jd", value);
	add_word(w, option);
	add_word(w, text);
}

static void
add_limit(struct words *w, const struct child_limit *l)
{
	char text[64];

	/* RLIM_INFINITY is -1 in the helper's signed numbers, and 2^63 and more is infinite. */
	(void)snprintf(text, sizeof(text), "%d=%" PRId64, l->resource, (int64_t)l->value);
	add_word(w, "-l");
	add_word(w, text);
}

static int
make_words(const struct child_options *o, struct words *w)
{
	add_word(w, "trawl-exec");
	add_word(w, "-C");
	add_word(w, o->cwd ? o->cwd : "/");
	for (size_t i = 0; i < o->n_limits; i++)
		add_limit(w, &o->limits[i]);
	if (o->nice)
		add_number(w, "-n", o->nice);
	if (o->oom_score_adj)
		add_number(w, "-o", o->oom_score_adj);
	if (o->flags & CHILD_DIES_WITH_PARENT)
		add_number(w, "-p", getpid());
	add_word(w, "--");
	for (const char *const *a = o->argv; *a; a++)
		add_word(w, *a);
	add_word(w, NULL);
	return w->failed ? -ENOMEM : 0;
}

/* Everything of the process that the kernel can set before the helper runs: in particular its group
 * is there when posix_spawn() returns, so that a kill of the group never comes too early. */
static int
set_attr(posix_spawnattr_t *attr, enum child_flags flags)
{
	sigset_t none, all;
	int how = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	int r;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	how |= flags & CHILD_SESSION ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP;
	r = posix_spawnattr_setflags(attr, (short)how);
	if (r == 0)
		r = posix_spawnattr_setsigmask(attr, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attr, &all);
	if (r == 0)
		r = posix_spawnattr_setpgroup(attr, 0);
	return r;
}

static int
spawn_with(struct child *c, const struct ends *e, posix_spawn_file_actions_t *actions,
	const posix_spawnattr_t *attr, char *const *argv)
{
	const char *const *env = c->o.env ? c->o.env : clean_env;
	char path[32];
	int r = 0;

	for (int i = 0; i < (int)ARRAY_LEN(e->fd) && r == 0; i++)
		r = posix_spawn_file_actions_adddup2(actions, e->fd[i], i);
	if (r)
		return -r;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", c->o.helper_fd);
	/* posix_spawn(3) writes neither; its type is older than const. */
	return -posix_spawn(
		&c->pid, path, actions, attr, argv, (char *const *)(uintptr_t)(const void *)env);
}

static int
spawn_helper(struct child *c, const struct ends *e, char *const *argv)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int r = posix_spawn_file_actions_init(&actions);

	if (r)
		return -r;
	r = posix_spawnattr_init(&attr);
	if (r == 0) {
		r = -set_attr(&attr, c->o.flags);
		if (r == 0)
			r = spawn_with(c, e, &actions, &attr, argv);
		(void)posix_spawnattr_destroy(&attr);
	}
	(void)posix_spawn_file_actions_destroy(&actions);
	return r;
}

int
child_spawn(struct child *c, enum exec_step *ret_step)
{
	AUTO(ends_close) struct ends e = {.fd = {-1, -1, -1, -1}};
	AUTO(words_fini) struct words w = {0};
	int r = make_words(&c->o, &w);

	*ret_step = EXEC_STEP_PREPARE;
	if (r == 0)
		r = open_ends(c, &e);
	if (r < 0)
		return r;
	*ret_step = EXEC_STEP_SPAWN;
	r = spawn_helper(c, &e, w.list.data);
	if (r < 0)
		c->pid = 0;
	return r;
}
