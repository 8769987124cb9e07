/**
 * identity: who is at the other end, and whether they may ask.
 *
 * A Unix peer is known by SO_PEERCRED, a TCP peer on this machine by the uid that the kernel's
 * socket table gives for the peer's end of the connection. Both are questions to the kernel that
 * take some 20 us, asked once, right after accept, on the loop's thread. Memberships of groups come
 * from the name service, which may wait for a network: they are looked up on the I/O pool and
 * remembered for a minute.
 */
#pragma once

#include "server/server_impl.h"

/** A persistent netlink socket, or -errno. */
int identity_open_diag(void);
/** Fill *ret from the connected socket: 0; -EACCES when the kernel knows no single owner. */
int identity_find(struct server *s, int fd, struct identity *ret);

int rights_copy(const struct server_config *cfg, struct rights *ret);
void rights_fini(struct rights *r);
bool rights_admin(const struct rights *r, uid_t uid);

/* May a uid ask? PENDING: its groups must be looked up first. */
enum rights_verdict { RIGHTS_DENIED, RIGHTS_ALLOWED, RIGHTS_PENDING };
enum rights_verdict rights_check(struct server *s, uid_t uid);

/** Look up the groups of `uid` on the I/O pool, then call done(arg) in the loop. The caller may
 *  forget about it by setting lookup->done to NULL. NULL: could not start. */
struct group_lookup {
	struct mail mail;
	struct task task;
	struct server *server;
	uid_t uid;
	gid_t *gids; /* the result; NULL: none */
	int n_gids;
	void (*done)(void *arg); /* loop only */
	void *arg;
};
struct group_lookup *rights_lookup(struct server *s, uid_t uid, void (*done)(void *arg), void *arg);
void rights_forget(struct server *s); /* drop what is remembered */
