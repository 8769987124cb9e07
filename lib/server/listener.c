#include "server/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

#define BACKLOG 4096

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
};

static bool
is_loopback(const union address *a)
{
	if (a->any.sa_family == AF_INET)
		return ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
	if (IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr))
		return a->v6.sin6_addr.s6_addr[12] == 127;
	return IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
}

static int
beyond_loopback(const char *text, struct err *err)
{
	(void)err_set(err, -EINVAL,
		"cannot listen on \"%s\": a listener beyond loopback needs tokens or TLS, which "
		"this version does not have",
		text);
	(void)err_hint(err, "use 127.0.0.1 or [::1], or a Unix socket");
	return -EINVAL;
}

static int
cannot_listen(const char *where, int error, struct err *err)
{
	(void)err_set(err, error, "could not listen on %s: %s", where, err_reason(error));
	if (error == -EADDRINUSE)
		(void)err_hint(err,
			"another program, perhaps another trawld, has it: stop that, or "
			"choose another");
	return error;
}

static int
not_an_address(const char *text, struct err *err)
{
	(void)err_set(
		err, -EINVAL, "cannot listen on \"%s\": it is not an address and a port", text);
	(void)err_hint(err, "write 127.0.0.1:7411, [::1]:7411 or localhost:7411");
	return -EINVAL;
}

/* "host" without brackets into an address. */
static bool
parse_host(const char *host, union address *ret)
{
	if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	if (inet_pton(AF_INET, host, &ret->v4.sin_addr) == 1) {
		ret->any.sa_family = AF_INET;
		return true;
	}
	if (inet_pton(AF_INET6, host, &ret->v6.sin6_addr) == 1) {
		ret->any.sa_family = AF_INET6;
		return true;
	}
	return false;
}

static int
parse_address(const char *text, union address *ret, struct err *err)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	char host[INET6_ADDRSTRLEN + 2];
	uint64_t port;
	bool brackets = len >= 2 && text[0] == '[' && text[len - 1] == ']';

	*ret = (union address){0};
	if (brackets) {
		text++;
		len -= 2;
	}
	if (!colon || len == 0 || len >= sizeof(host) || parse_u64(span_of(colon + 1), &port) < 0 ||
		port > UINT16_MAX)
		return not_an_address(brackets ? text - 1 : text, err);
	memcpy(host, text, len);
	host[len] = '\0';
	if (!parse_host(host, ret))
		return not_an_address(brackets ? text - 1 : text, err);
	if (brackets != (ret->any.sa_family == AF_INET6))
		return not_an_address(brackets ? text - 1 : text, err);
	if (ret->any.sa_family == AF_INET)
		ret->v4.sin_port = htons((uint16_t)port);
	else
		ret->v6.sin6_port = htons((uint16_t)port);
	return is_loopback(ret) ? 0 : beyond_loopback(brackets ? text - 1 : text, err);
}

static int
port_of(const union address *a)
{
	return ntohs(a->any.sa_family == AF_INET ? a->v4.sin_port : a->v6.sin6_port);
}

static int
put_name(const union address *a, struct strbuf *out)
{
	char host[INET6_ADDRSTRLEN];

	if (a->any.sa_family == AF_INET)
		return strbuf_printf(out, "%s:%d",
			inet_ntop(AF_INET, &a->v4.sin_addr, host, sizeof(host)), port_of(a));
	return strbuf_printf(out, "[%s]:%d",
		inet_ntop(AF_INET6, &a->v6.sin6_addr, host, sizeof(host)), port_of(a));
}

int
listener_tcp_name(const char *text, struct strbuf *ret, struct err *err)
{
	union address a;
	int r = parse_address(text, &a, err);

	if (r < 0)
		return r;
	r = put_name(&a, ret);
	return r < 0 ? cannot_listen(text, r, err) : 0;
}

/* What the socket is bound to, as text of malloc. */
static char *
bound_to(int fd, int *ret_port)
{
	struct strbuf text = {0};
	union address a = {0};
	socklen_t len = sizeof(a) - 1; /* a Unix path keeps its NUL */

	if (getsockname(fd, &a.any, &len) < 0)
		return NULL;
	if (a.any.sa_family == AF_UNIX) {
		(void)strbuf_printf(&text, "unix:%s", a.local.sun_path);
	} else {
		(void)put_name(&a, &text);
		*ret_port = port_of(&a);
	}
	return strbuf_take(&text);
}

/* Takes over the descriptor. */
static struct listener *
listener_create(int fd, struct strbuf *name)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (!l) {
		closep(&fd);
		return NULL;
	}
	l->fd = fd;
	l->name = strbuf_take(name);
	l->address = bound_to(fd, &l->port);
	if (!l->name || !l->address) {
		listener_destroy(l);
		return NULL;
	}
	return l;
}

void
listener_destroy(struct listener *l)
{
	struct stat st;

	if (!l)
		return;
	if (l->event)
		event_free(l->event);
	closep(&l->fd);
	/* Only when it is still the one that we made: somebody may have put another there. */
	if (l->unlink_at && lstat(l->unlink_at, &st) == 0 && st.st_dev == l->dev &&
		st.st_ino == l->ino)
		(void)unlink(l->unlink_at);
	free(l->unlink_at);
	free(l->address);
	free(l->name);
	free(l);
}

static int
tcp_socket(const union address *a)
{
	AUTO(closep)
	int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;
	socklen_t len = a->any.sa_family == AF_INET ? sizeof(a->v4) : sizeof(a->v6);

	/* Reuse: connections of a daemon that has just ended do not keep the port. */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
		bind(fd, &a->any, len) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int
listener_open_tcp(const char *text, struct listener **ret, struct err *err)
{
	AUTO(strbuf_fini) struct strbuf name = {0};
	union address a;
	struct listener *l;
	int fd, r = parse_address(text, &a, err);

	if (r < 0)
		return r;
	fd = tcp_socket(&a);
	if (fd < 0)
		return cannot_listen(text, fd, err);
	(void)put_name(&a, &name);
	l = listener_create(fd, &name);
	if (!l)
		return cannot_listen(text, -ENOMEM, err);
	*ret = l;
	return 0;
}

/* A socket file left by a daemon that was killed: nobody listens there. */
static int
remove_stale(const union address *a, struct err *err)
{
	const char *path = a->local.sun_path;
	AUTO(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct stat st;

	if (fd < 0)
		return cannot_listen(path, -errno, err);
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : cannot_listen(path, -errno, err);
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, -EADDRINUSE,
			"could not listen on %s: there is a file that is not a socket", path);
	if (connect(fd, &a->any, sizeof(a->local)) == 0 || errno != ECONNREFUSED)
		return cannot_listen(path, -EADDRINUSE, err);
	return unlink(path) < 0 && errno != ENOENT ? cannot_listen(path, -errno, err) : 0;
}

/* The mode is set before bind() makes the file, so that it is never wider than asked; chmod() then
 * undoes what the umask took. */
static int
unix_socket(const union address *a, mode_t mode)
{
	AUTO(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || fchmod(fd, mode) < 0 || bind(fd, &a->any, sizeof(a->local)) < 0)
		return -errno;
	if (chmod(a->local.sun_path, mode) < 0 || listen(fd, BACKLOG) < 0) {
		int error = -errno;

		(void)unlink(a->local.sun_path);
		return error;
	}
	return TAKE_FD(fd);
}

int
listener_open_unix(const char *path, mode_t mode, struct listener **ret, struct err *err)
{
	AUTO(strbuf_fini) struct strbuf name = {0};
	union address a = {.local = {.sun_family = AF_UNIX}};
	struct listener *l;
	struct stat st;
	int fd, r;

	if (strlen(path) >= sizeof(a.local.sun_path))
		return err_set(err, -ENAMETOOLONG,
			"cannot listen on %s: the path of a socket has at most %zu bytes", path,
			sizeof(a.local.sun_path) - 1);
	memcpy(a.local.sun_path, path, strlen(path) + 1);
	r = remove_stale(&a, err);
	if (r < 0)
		return r;
	fd = unix_socket(&a, mode);
	if (fd < 0)
		return cannot_listen(path, fd, err);
	(void)strbuf_printf(&name, "unix:%s", path);
	l = listener_create(fd, &name);
	if (l)
		l->unlink_at = strdup(path);
	if (!l || !l->unlink_at) {
		listener_destroy(l);
		(void)unlink(path); /* nobody else would */
		return cannot_listen(path, -ENOMEM, err);
	}
	if (lstat(path, &st) == 0) {
		l->dev = st.st_dev;
		l->ino = st.st_ino;
	}
	*ret = l;
	return 0;
}

static int
check_inherited(int fd, union address *a, struct err *err)
{
	socklen_t len = sizeof(*a), opt_len = sizeof(int);
	AUTO(strbuf_fini) struct strbuf name = {0};
	int listening = 0;

	if (getsockname(fd, &a->any, &len) < 0 ||
		getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &opt_len) < 0)
		return err_set(err, -errno, "could not use the inherited descriptor %d: %s", fd,
			err_reason(-errno));
	if (!listening)
		return err_set(err, -EINVAL,
			"cannot use the inherited descriptor %d: it does not "
			"listen",
			fd);
	if (a->any.sa_family == AF_UNIX)
		return 0;
	if (a->any.sa_family != AF_INET && a->any.sa_family != AF_INET6)
		return err_set(err, -EINVAL,
			"cannot use the inherited descriptor %d: it is neither "
			"TCP nor a Unix socket",
			fd);
	if (is_loopback(a))
		return 0;
	(void)put_name(a, &name);
	return beyond_loopback(name.data, err);
}

int
listener_inherit(int fd, struct listener **ret, struct err *err)
{
	AUTO(strbuf_fini) struct strbuf name = {0};
	union address a = {0};
	int flags, copy, r = check_inherited(fd, &a, err);

	if (r < 0)
		return r;
	/* A copy: the listener closes its own, the service manager's stays as it was given. */
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	flags = copy < 0 ? -1 : fcntl(copy, F_GETFL);
	if (flags < 0 || fcntl(copy, F_SETFL, flags | O_NONBLOCK) < 0) {
		r = cannot_listen("an inherited socket", -errno, err);
		closep(&copy);
		return r;
	}
	(void)strbuf_printf(&name, "fd:%d", fd);
	*ret = listener_create(copy, &name);
	if (!*ret)
		return cannot_listen("an inherited socket", -ENOMEM, err);
	return 0;
}
