#include "server/identity.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/fd.h"

/* One end of a connection. IPv4 is kept in its v6-mapped form, so that both ends, the question and
 * the answer compare alike whatever family each socket was made with. */
struct endpoint {
	uint32_t addr[4];
	uint16_t port; /* network order, as addr */
};

static bool
endpoint_is_v4(const struct endpoint *e)
{
	return e->addr[0] == 0 && e->addr[1] == 0 && e->addr[2] == htonl(0xffff);
}

static int
endpoint_of(const struct sockaddr_storage *from, struct endpoint *ret)
{
	if (from->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)from;

		*ret = (struct endpoint){{0, 0, htonl(0xffff), in->sin_addr.s_addr}, in->sin_port};
		return 0;
	}
	if (from->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const void *)from;

		memcpy(ret->addr, &in->sin6_addr, sizeof(ret->addr));
		ret->port = in->sin6_port;
		return 0;
	}
	return -EAFNOSUPPORT;
}

int
identity_open_diag(void)
{
	static const struct timeval patience = {.tv_sec = 1};
	AUTO(closep) int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	/* The kernel answers within the call to send(); the limit is for a kernel that does not. */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int
diag_ask(struct server *s, const struct endpoint *peer, const struct endpoint *us)
{
	bool v4 = endpoint_is_v4(peer);
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 req;
	} q = {
		.head = {.nlmsg_len = sizeof(q),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST,
			.nlmsg_seq = ++s->diag_seq},
		.req = {.sdiag_family = v4 ? AF_INET : AF_INET6,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = UINT32_MAX,
			.id = {.idiag_sport = peer->port,
				.idiag_dport = us->port,
				.idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}},
	};

	memcpy(q.req.id.idiag_src, v4 ? &peer->addr[3] : peer->addr, v4 ? 4 : 16);
	memcpy(q.req.id.idiag_dst, v4 ? &us->addr[3] : us->addr, v4 ? 4 : 16);
	return send(s->diag_fd, &q, sizeof(q), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static bool
endpoint_matches(const struct endpoint *e, uint8_t family, const __be32 addr[4], __be16 port)
{
	struct endpoint other = {.port = port};

	if (family == AF_INET)
		memcpy(other.addr, (uint32_t[4]){0, 0, htonl(0xffff), addr[0]}, 16);
	else
		memcpy(other.addr, addr, 16);
	return other.port == e->port && memcmp(other.addr, e->addr, 16) == 0;
}

/* The kernel falls back to a listening socket when the connection is gone, and an orphan (closed by
 * its process, still sending) has lost its owner and would show as uid 0: only the exact connection
 * that a process holds (it has an inode) counts. */
static int
diag_read(const struct inet_diag_msg *d, const struct endpoint *peer, const struct endpoint *us,
	uid_t *ret)
{
	if (!endpoint_matches(peer, d->idiag_family, d->id.idiag_src, d->id.idiag_sport) ||
		!endpoint_matches(us, d->idiag_family, d->id.idiag_dst, d->id.idiag_dport))
		return -EACCES;
	if (d->idiag_inode == 0)
		return -EACCES;
	*ret = d->idiag_uid;
	return 0;
}

static int
diag_answer(struct server *s, const struct endpoint *peer, const struct endpoint *us, uid_t *ret)
{
	_Alignas(struct nlmsghdr) char buf[4096];
	struct nlmsghdr *head = (void *)buf;

	for (;;) {
		ssize_t n = recv(s->diag_fd, buf, sizeof(buf), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!NLMSG_OK(head, (size_t)n) || head->nlmsg_seq != s->diag_seq)
			continue; /* a late answer to a question that timed out */
		if (head->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
			head->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
			return -EACCES;
		return diag_read(NLMSG_DATA(head), peer, us, ret);
	}
}

static int
find_tcp(struct server *s, int fd, const struct sockaddr_storage *peer_addr, uid_t *ret)
{
	struct sockaddr_storage own = {0};
	socklen_t len = sizeof(own);
	struct endpoint peer, us;
	int r;

	if (getsockname(fd, (struct sockaddr *)&own, &len) < 0)
		return -errno;
	if (endpoint_of(peer_addr, &peer) < 0 || endpoint_of(&own, &us) < 0)
		return -EACCES;
	r = diag_ask(s, &peer, &us);
	return r < 0 ? r : diag_answer(s, &peer, &us, ret);
}

static int
find_unix(int fd, uid_t *ret)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	if (cred.uid == (uid_t)-1)
		return -EACCES;
	*ret = cred.uid;
	return 0;
}

int
identity_find(struct server *s, int fd, struct identity *ret)
{
	struct sockaddr_storage peer = {0};
	socklen_t len = sizeof(peer);
	uid_t uid = 0;
	int r;

	*ret = (struct identity){.known = false, .text = "nobody"};
	if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
		return -errno;
	r = peer.ss_family == AF_UNIX ? find_unix(fd, &uid) : find_tcp(s, fd, &peer, &uid);
	if (r < 0)
		return r;
	ret->known = true;
	ret->uid = uid;
	(void)snprintf(ret->text, sizeof(ret->text), "uid:%u", uid);
	return 0;
}
