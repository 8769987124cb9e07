#include "rig.h"

#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "server/identity.h"

#define NOBODY 65534

/* Ask, and hear a first line that holds `part` and then, when `then_end`, nothing more: 0, else an
 * exit code. Allocates nothing: it runs in the child of a process with threads, one of which may
 * have held the allocator's lock at the fork. */
static int
ask_without_memory(int fd, const char *ask, const char *part, bool then_end)
{
	char text[4096] = "";
	const char *end;
	size_t n = 0;
	ssize_t k;

	if (fd_write_full(fd, ask, strlen(ask)) < 0)
		return 2;
	do {
		struct pollfd w = {.fd = fd, .events = POLLIN};

		if (poll(&w, 1, PATIENCE_MSEC) != 1)
			return 3;
		k = read(fd, text + n, sizeof(text) - n);
		n += k > 0 ? (size_t)k : 0;
	} while (k > 0 && (then_end || !memchr(text, '\n', n)));
	end = memchr(text, '\n', n);
	if (!end || !memmem(text, (size_t)(end - text), part, strlen(part)))
		return 3;
	return then_end && end + 1 != text + n ? 4 : 0;
}

/* A child that is uid `uid` connects and asks: did it hear what is expected? */
static bool
stranger_hears(struct rig *r, uid_t uid, bool tcp, const char *ask, const char *part, bool then_end)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct peer p;

		if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
			setresuid(uid, uid, uid) < 0)
			_exit(2);
		p = tcp ? peer_tcp(r) : peer_unix(r);
		_exit(ask_without_memory(p.fd, ask, part, then_end));
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Everybody must be able to reach the socket's directory. */
static void
open_door(struct rig *r)
{
	CHECK_INT(chmod(r->dir, 0755), 0);
}

TEST(identity, strangers_are_denied_on_both_kinds_of_socket)
{
	struct rig r;

	if (geteuid() != 0)
		cr_skip_test("needs root to become others");
	rig_open(&r, 1);
	open_door(&r);
	for (int tcp = 0; tcp < 2; tcp++) {
		CHECK(stranger_hears(&r, NOBODY, tcp, "{\"id\":5,\"op\":\"ping\"}\n{\"id\":6}\n",
			"{\"id\":5,\"ev\":\"error\",\"code\":\"denied\"", true));
		CHECK(stranger_hears(&r, NOBODY, tcp, "ping\n", "\"code\":\"denied\"", true));
		CHECK(stranger_hears(
			&r, NOBODY, tcp, "GET / HTTP/1.0\n", "\"code\":\"denied\"", true));
	}
	CHECK_INT(rig_stats(&r).n_denied, 6);
	rig_close(&r);
}

TEST(identity, those_who_are_allowed_by_name_may_ask_but_not_command)
{
	static const uid_t allowed[] = {4242, 4243}, admins[] = {4243};
	struct rig r;

	if (geteuid() != 0)
		cr_skip_test("needs root to become others");
	rig_init(&r, 1);
	r.config.allow_uids = allowed;
	r.config.n_allow_uids = 2;
	r.config.admin_uids = admins;
	r.config.n_admin_uids = 1;
	rig_start(&r);
	open_door(&r);
	for (int tcp = 0; tcp < 2; tcp++) {
		CHECK(stranger_hears(&r, 4242, tcp, "{\"id\":0,\"op\":\"hello\"}\n",
			"\"as\":\"uid:4242\",\"admin\":false", false));
		CHECK(stranger_hears(&r, 4242, tcp, "{\"id\":1,\"op\":\"rescan\"}\n",
			"\"code\":\"denied\"", false));
		CHECK(stranger_hears(
			&r, 4243, tcp, "{\"id\":1,\"op\":\"rescan\"}\n", "\"ev\":\"end\"", false));
		CHECK(stranger_hears(&r, 4244, tcp, "ping\n", "\"code\":\"denied\"", true));
	}
	rig_close(&r);
}

TEST(identity, members_of_an_allowed_group_may_ask)
{
	gid_t group = 65534; /* nobody's own group on Debian */
	struct rig r;

	if (geteuid() != 0)
		cr_skip_test("needs root to become others");
	rig_init(&r, 1);
	r.config.allow_gids = &group;
	r.config.n_allow_gids = 1;
	rig_start(&r);
	open_door(&r);
	for (int tcp = 0; tcp < 2; tcp++) {
		CHECK(stranger_hears(&r, NOBODY, tcp, "ping\n", "pong", false));
		CHECK(stranger_hears(&r, 4242, tcp, "ping\n", "\"code\":\"denied\"", true));
	}
	rig_close(&r);
}

/* Not through the server: the exact questions to the kernel. */
static struct server *
asker(void)
{
	static struct server s;

	s.diag_fd = identity_open_diag();
	CHECK(s.diag_fd >= 0);
	return &s;
}

static int
listen_on(int family, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*ret_len = family == AF_INET ? sizeof(v4) : sizeof(v6);
	memcpy(ret, family == AF_INET ? (void *)&v4 : (void *)&v6, *ret_len);
	CHECK_INT(bind(fd, (struct sockaddr *)ret, *ret_len), 0);
	CHECK_INT(listen(fd, 4), 0);
	CHECK_INT(getsockname(fd, (struct sockaddr *)ret, ret_len), 0);
	return fd;
}

TEST(identity, the_kernel_names_the_owner_on_both_families_and_of_a_mapped_address)
{
	struct server *s = asker();

	for (int kind = 0; kind < 3; kind++) {
		int family = kind == 1 ? AF_INET6 : AF_INET;
		struct sockaddr_storage a = {0};
		struct identity who;
		socklen_t len;
		int listener = listen_on(family, &a, &len), client, conn;

		client = socket(kind == 0 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (kind == 2) { /* a v6 socket to an IPv4 listener */
			struct sockaddr_in6 mapped = {.sin6_family = AF_INET6,
				.sin6_port = ((struct sockaddr_in *)&a)->sin_port};

			CHECK_INT(inet_pton(AF_INET6, "::ffff:127.0.0.1", &mapped.sin6_addr), 1);
			memcpy(&a, &mapped, sizeof(mapped));
			len = sizeof(mapped);
		}
		CHECK_INT(connect(client, (struct sockaddr *)&a, len), 0);
		conn = accept(listener, NULL, NULL);
		CHECK(conn >= 0);
		CHECK_INT(identity_find(s, conn, &who), 0);
		CHECK(who.known);
		CHECK_INT(who.uid, geteuid());
		/* Half closed is still somebody; closed is nobody, not uid 0. */
		CHECK_INT(shutdown(client, SHUT_WR), 0);
		CHECK_INT(identity_find(s, conn, &who), 0);
		closep(&client);
		CHECK(identity_find(s, conn, &who) < 0);
		CHECK(!who.known);
		closep(&conn);
		closep(&listener);
	}
	closep(&s->diag_fd);
}
