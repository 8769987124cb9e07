#include "process/signals.h"

#include <errno.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/fd.h"

/* What cannot be blocked, must not be, or is ignored. */
static const int refused[] = {
	SIGKILL, SIGSTOP, SIGPIPE, SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};

static int
make_set(const int *signos, sigset_t *ret)
{
	(void)sigemptyset(ret);
	for (; *signos; signos++) {
		for (size_t i = 0; i < ARRAY_LEN(refused); i++)
			if (*signos == refused[i])
				return -EINVAL;
		if (sigaddset(ret, *signos) < 0)
			return -errno;
	}
	return 0;
}

int
signals_open(struct signals *s, const int *signos)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t set;
	int fd, r = make_set(signos, &set);

	s->fd = -1;
	if (r < 0)
		return r;
	/* Blocked before there is a descriptor: no moment in which one would end the process. */
	r = -pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (r < 0)
		return r;
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	(void)sigaction(SIGPIPE, &ignore, NULL);
	s->fd = fd;
	return 0;
}

int
signals_next(struct signals *s, struct signal_event *ret)
{
	struct signalfd_siginfo info;
	ssize_t n;

	do {
		n = read(s->fd, &info, sizeof(info));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	assert(n == (ssize_t)sizeof(info)); /* the kernel gives whole ones only */
	*ret = (struct signal_event){
		.signo = (int)info.ssi_signo, .pid = (pid_t)info.ssi_pid, .uid = info.ssi_uid};
	return 1;
}

void
signals_close(struct signals *s)
{
	closep(&s->fd);
	s->fd = -1;
}
