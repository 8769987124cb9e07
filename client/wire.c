#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

#define SEND_SECONDS 5
#define READ_BYTES (64u << 10)

/* 0 there is input (or its end), -ETIMEDOUT, -errno. */
static int
wait_input(int fd, usec_t deadline)
{
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		usec_t now = clock_mono();
		uint64_t left_msec = deadline > now ? (deadline - now) / USEC_PER_MSEC + 1 : 0;
		int r = poll(&p, 1, (int)MIN(left_msec, (uint64_t)INT32_MAX));

		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r == 0 && clock_mono() >= deadline)
			return -ETIMEDOUT;
	}
}

/* SO_SNDTIMEO bounds connect() too: on TCP it then says EINPROGRESS, on a Unix socket whose backlog
 * is full EAGAIN. */
static int
connect_within(const struct sockaddr *addr, socklen_t len)
{
	static const struct timeval patience = {.tv_sec = SEND_SECONDS};
	AUTO(closep) int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
		return -errno;
	if (connect(fd, addr, len) < 0)
		return errno == EINPROGRESS || errno == EAGAIN ? -ETIMEDOUT : -errno;
	return TAKE_FD(fd);
}

static int
connect_unix(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	size_t len = strlen(path);

	if (len >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, len + 1);
	return connect_within((const struct sockaddr *)&addr, sizeof(addr));
}

/* "host:port" or "[v6]:port" into its halves. */
static int
split_host_port(const char *address, char host[256], const char **ret_port)
{
	const char *colon = strrchr(address, ':');
	size_t len = colon ? (size_t)(colon - address) : 0;

	if (!colon || !colon[1])
		return -EINVAL;
	if (len >= 2 && address[0] == '[' && address[len - 1] == ']') {
		address++;
		len -= 2;
	}
	if (len >= 256)
		return -EINVAL;
	memcpy(host, address, len);
	host[len] = '\0';
	*ret_port = colon + 1;
	return 0;
}

static int
resolve(const char *address, struct addrinfo **ret)
{
	static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	char host[256];
	const char *port;
	int r = split_host_port(address, host, &port);

	if (r < 0)
		return r;
	switch (getaddrinfo(*host ? host : "127.0.0.1", port, &hints, ret)) {
	case 0:
		return 0;
	case EAI_SYSTEM:
		return -errno;
	case EAI_SERVICE:
		return -EINVAL;
	default:
		return -EHOSTUNREACH;
	}
}

static int
connect_tcp(const char *address)
{
	struct addrinfo *list = NULL;
	int r = resolve(address, &list);

	for (struct addrinfo *a = list; a; a = a->ai_next) {
		r = connect_within(a->ai_addr, a->ai_addrlen);
		if (r >= 0)
			break;
	}
	if (list)
		freeaddrinfo(list);
	return r;
}

/* A descriptor or -errno. */
static int
connect_to(const char *address)
{
	return strchr(address, '/') ? connect_unix(address) : connect_tcp(address);
}

/* The address that `./dev run` left, or "". */
static void
read_address_file(char ret[256])
{
	AUTO(strbuf_fini) struct strbuf path = {0}, text = {0};
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	struct span line;

	*ret = '\0';
	if (state && *state)
		(void)strbuf_printf(&path, "%s/trawl/address", state);
	else if (home && *home)
		(void)strbuf_printf(&path, "%s/.local/state/trawl/address", home);
	if (path.failed || path.len == 0 || fd_slurp(AT_FDCWD, path.data, 4096, &text) < 0)
		return;
	line = strbuf_view(&text);
	for (size_t i = 0; i < line.len; i++)
		if (line.data[i] == '\n')
			line.len = i;
	line = span_trim(line);
	if (line.len < 256)
		(void)snprintf(ret, 256, "%.*s", (int)line.len, line.data);
}

static int
unreachable(struct err *err, int code, const char *where, const struct strbuf *others)
{
	if (code == -EINVAL)
		return err_set(err, code,
			"cannot use the address '%s': host:port or the path of a socket is "
			"expected",
			where);
	return err_set(err, code, "could not reach the daemon at %s: %s%s; is trawld running?",
		where, err_reason(code), others && others->data ? others->data : "");
}

static int
wire_start(struct wire *w, const char *address, int fd)
{
	*w = (struct wire){.open = true, .fd = fd};
	(void)snprintf(w->where, sizeof(w->where), "%s", address);
	line_reader_init(&w->in, WIRE_LINE_MAX_BYTES);
	return 0;
}

/* The usual places, in order. The sentence names the last; what came before is in brackets. */
static int
open_usual(struct wire *w, struct err *err)
{
	AUTO(strbuf_fini) struct strbuf others = {0};
	char from_file[256];
	const char *places[3] = {from_file, WIRE_DEFAULT_UNIX, WIRE_DEFAULT_TCP};
	int fd = -ENOENT;

	read_address_file(from_file);
	for (size_t i = *from_file ? 0 : 1; i < ARRAY_LEN(places); i++) {
		fd = connect_to(places[i]);
		if (fd >= 0)
			return wire_start(w, places[i], fd);
		if (i + 1 < ARRAY_LEN(places))
			(void)strbuf_printf(&others, "%s%s: %s", others.len ? "; " : " (",
				places[i], err_reason(fd));
	}
	(void)strbuf_putc(&others, ')');
	return unreachable(err, fd, WIRE_DEFAULT_TCP, &others);
}

int
wire_open(struct wire *w, const char *address, struct err *err)
{
	const char *from_env = getenv("TRAWL_ADDRESS");
	int fd;

	if (!address && from_env && *from_env)
		address = from_env;
	if (!address)
		return open_usual(w, err);
	fd = connect_to(address);
	if (fd < 0)
		return unreachable(err, fd, address, NULL);
	return wire_start(w, address, fd);
}

void
wire_close(struct wire *w)
{
	if (!w->open)
		return;
	w->open = false;
	closep(&w->fd);
	line_reader_fini(&w->in);
	ahead_fini(&w->ahead);
}

static int
lost(const struct wire *w, int code, struct err *err)
{
	if (code == -ETIMEDOUT)
		return err_set(err, code, "the daemon at %s did not answer in time", w->where);
	if (code == 0 || code == -ECONNRESET || code == -EPIPE)
		return err_set(err, -EPIPE,
			"the daemon at %s closed the connection before its answer was complete",
			w->where);
	return err_set(
		err, code, "could not talk to the daemon at %s: %s", w->where, err_reason(code));
}

int
wire_send(struct wire *w, struct strbuf *request, struct err *err)
{
	size_t done = 0;

	if (strbuf_putc(request, '\n') < 0 || request->failed)
		return err_set(err, -ENOMEM, "out of memory");
	while (done < request->len) {
		ssize_t n = send(w->fd, request->data + done, request->len - done, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return lost(w, errno == EAGAIN ? -ETIMEDOUT : -errno, err);
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* The number of bytes, 0 end of input, -errno. */
static ssize_t
receive(struct wire *w, void *buf, size_t size, usec_t silence_usec)
{
	ssize_t n = ahead_take(&w->ahead, buf, size);
	int r;

	if (n != 0)
		return n;
	do {
		r = wait_input(w->fd, clock_deadline(silence_usec));
		if (r < 0)
			return r;
		n = recv(w->fd, buf, size, 0);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* More input into the line reader: 1, 0 end of input, -errno. */
static int
fill(struct wire *w, usec_t silence_usec)
{
	char buf[READ_BYTES];
	ssize_t n = receive(w, buf, sizeof(buf), silence_usec);
	int r;

	if (n <= 0)
		return (int)n;
	r = line_reader_feed(&w->in, buf, (size_t)n);
	return r < 0 ? r : 1;
}

bool
wire_read_ahead(struct wire *w)
{
	char buf[READ_BYTES];
	ssize_t n;

	/* What is received must be kept: there must be room before. */
	if (ahead_reserve(&w->ahead, sizeof(buf)) < 0)
		return false;
	n = recv(w->fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	ahead_put(&w->ahead, buf, (size_t)n);
	return true;
}

static int
understand(const struct wire *w, struct span line, struct msg **ret, struct err *err)
{
	int r = msg_parse(line, ret, err);

	if (r < 0)
		(void)err_prefix(err, "could not understand what %s answered", w->where);
	return r;
}

int
wire_next(struct wire *w, usec_t silence_usec, struct msg **ret, struct err *err)
{
	for (;;) {
		struct span line;
		int r = line_reader_next(&w->in, &line);

		if (r > 0)
			return understand(w, line, ret, err);
		if (r == 0)
			r = fill(w, silence_usec);
		if (r <= 0)
			return lost(w, r, err);
	}
}
