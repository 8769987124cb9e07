/**
 * listen: the listening sockets and the taking in of connections.
 *
 * Listeners are named by what they are bound to ("127.0.0.1:7411", "[::1]:0", "unix:/path",
 * "fd:3"): a new configuration keeps those it names again.
 *
 * When descriptors run out, a spare one is given up so that the waiting client can be told `busy`
 * and closed; then accepting pauses, longer each time, instead of spinning on a queue that cannot
 * be emptied.
 */
#pragma once

#include "server/server_impl.h"

/** All or nothing: open what is new, close what is gone. 0 or -errno with err. */
int listeners_configure(struct server *s, const struct server_config *cfg, struct err *err);
void listeners_close(struct server *s);
/** Spare descriptor and back-off timer. */
int listen_init(struct server *s);
void listen_fini(struct server *s);
