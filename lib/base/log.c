#include "base/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log_line.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

enum sink { SINK_TERMINAL, SINK_STREAM, SINK_JOURNAL };

/* Written before threads start and after they ended; read by all. */
static enum sink sink;
static int journal_fd = -1;
static struct sockaddr_un journal;

/* Relaxed: a change of level may reach a thread a moment later. */
static _Atomic int max_level = LOG_LEVEL_INFO;

static bool
stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	const char *colon = stream ? strchr(stream, ':') : NULL;
	uint64_t dev = 0, ino = 0;
	struct stat st;

	return colon && parse_u64((struct span){stream, (size_t)(colon - stream)}, &dev) == 0 &&
	       parse_u64(span_of(colon + 1), &ino) == 0 && fstat(STDERR_FILENO, &st) == 0 &&
	       st.st_dev == dev && st.st_ino == ino;
}

static int
journal_connect(int fd)
{
	return connect(fd, (const struct sockaddr *)&journal, sizeof(journal)) < 0 ? -errno : 0;
}

int
log_open_journal(const char *socket_path)
{
	AUTO(closep) int fd = -1;
	int r;

	journal = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(socket_path) >= sizeof(journal.sun_path))
		return -ENAMETOOLONG;
	memcpy(journal.sun_path, socket_path, strlen(socket_path));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	r = journal_connect(fd);
	if (r < 0)
		return r;
	log_close();
	journal_fd = TAKE_FD(fd);
	sink = SINK_JOURNAL;
	return 0;
}

void
log_open(void)
{
	log_close();
	if (stderr_is_journal() && log_open_journal(JOURNAL_SOCKET) < 0)
		sink = SINK_STREAM;
}

void
log_close(void)
{
	closep(&journal_fd);
	journal_fd = -1;
	sink = SINK_TERMINAL;
}

void
log_set_level(enum log_level level)
{
	atomic_store_explicit(&max_level, (int)level, memory_order_relaxed);
}

enum log_level
log_get_level(void)
{
	return (enum log_level)atomic_load_explicit(&max_level, memory_order_relaxed);
}

int
log_level_parse(const char *word, enum log_level *ret)
{
	static const char *const words[] = {"error", "warn", "info", "debug"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(word, words[i]) == 0) {
			*ret = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* A restarted journal has a new socket under the old name: connect again, once. */
static bool
journal_send(struct span datagram)
{
	for (int tries = 0; tries < 2; tries++) {
		if (send(journal_fd, datagram.data, datagram.len, MSG_NOSIGNAL) >= 0)
			return true;
		if (errno == EMSGSIZE || journal_connect(journal_fd) < 0)
			return false;
	}
	return false;
}

/* To the journal, or as a line where that fails: nothing is lost for a restart of the journal. */
static void
write_event(enum log_level level, const struct log_field *fields, struct span message)
{
	struct strbuf out = {0};
	bool sent = false;

	if (sink == SINK_JOURNAL) {
		log_line_journal(&out, level, fields, message);
		sent = !out.failed && journal_send(strbuf_view(&out));
		strbuf_reset(&out);
	}
	if (!sent && sink == SINK_TERMINAL)
		log_line_terminal(&out, level, clock_real(), fields, message);
	else if (!sent)
		log_line_stream(&out, level, fields, message);
	if (!sent && !out.failed)
		(void)fd_write_full(STDERR_FILENO, out.data, out.len);
	strbuf_fini(&out);
}

void
log_write(enum log_level level, const struct log_field *fields, const char *fmt, ...)
{
	struct strbuf message = {0};
	int saved = errno;
	va_list ap;

	if (level > log_get_level())
		return;
	va_start(ap, fmt);
	/* Out of memory: the bare format still says which event it was. */
	if (strbuf_vprintf(&message, fmt, ap) < 0)
		(void)fd_write_full(STDERR_FILENO, fmt, strlen(fmt));
	else
		write_event(level, fields, strbuf_view(&message));
	va_end(ap);
	strbuf_fini(&message);
	errno = saved;
}
