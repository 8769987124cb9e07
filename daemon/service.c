#include "service.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"

#define LISTEN_FD_FIRST 3
#define LISTEN_FDS_MAX 16u

/* Written by service_open() before threads start, read afterwards. */
static struct {
	int fd; /* connected to the manager, -1 when there is none */
	usec_t watchdog;
	int listen_fds[LISTEN_FDS_MAX];
	size_t n_listen_fds;
} service = {.fd = -1};

static int
notify_connect(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t n = strlen(path);
	int fd;

	if ((path[0] != '/' && path[0] != '@') || n >= sizeof(to.sun_path))
		return -1;
	memcpy(to.sun_path, path, n);
	if (path[0] == '@')
		to.sun_path[0] = '\0'; /* abstract */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)&to,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* The number in the environment variable `name` when the matching *_PID is ours or absent. */
static bool
env_number(const char *name, const char *pid_name, uint64_t *ret)
{
	const char *text = getenv(name);
	const char *pid_text = getenv(pid_name);
	uint64_t pid;

	if (pid_text && (parse_u64(span_of(pid_text), &pid) < 0 || pid != (uint64_t)getpid()))
		return false;
	return text && parse_u64(span_of(text), ret) == 0;
}

static void
take_listen_fds(uint64_t n)
{
	for (uint64_t i = 0; i < n && i < LISTEN_FDS_MAX; i++) {
		int fd = LISTEN_FD_FIRST + (int)i;

		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
		service.listen_fds[service.n_listen_fds++] = fd;
	}
}

void
service_open(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	uint64_t n;

	if (path)
		service.fd = notify_connect(path);
	if (env_number("WATCHDOG_USEC", "WATCHDOG_PID", &n))
		service.watchdog = n / 2;
	if (getenv("LISTEN_PID") && env_number("LISTEN_FDS", "LISTEN_PID", &n))
		take_listen_fds(n);
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
}

void
service_close(void)
{
	if (service.fd >= 0)
		(void)close(service.fd);
	service.fd = -1;
}

/* A manager that does not listen any more is no reason to stop. */
static void
notify(const char *text)
{
	if (service.fd >= 0)
		(void)send(service.fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void
service_ready(void)
{
	notify("READY=1\n");
}

void
service_reloading(void)
{
	char text[64];

	(void)snprintf(
		text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\n", clock_mono());
	notify(text);
}

void
service_stopping(void)
{
	notify("STOPPING=1\n");
}

void
service_watchdog(void)
{
	notify("WATCHDOG=1\n");
}

void
service_status(const char *fmt, ...)
{
	char text[256] = "STATUS=";
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text + strlen(text), sizeof(text) - strlen(text), fmt, ap);
	va_end(ap);
	notify(text);
}

usec_t
service_watchdog_interval(void)
{
	return service.watchdog;
}

size_t
service_listen_fds(const int **ret)
{
	*ret = service.listen_fds;
	return service.n_listen_fds;
}
