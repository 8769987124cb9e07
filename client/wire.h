/**
 * wire: one connection to the daemon: a request line out, events in.
 *
 * Where the daemon is looked for, in order: the address given (--address, $TRAWL_ADDRESS: then only
 * there), the address file that `./dev run` leaves in ${XDG_STATE_HOME:-~/.local/state}/trawl/, the
 * Unix socket of the service, the loopback port of the service.
 *
 * Ownership: struct wire is the caller's; wire_close() is legal on a zeroed one and twice.
 * Errors:    -errno with a sentence in err; -ETIMEDOUT when a deadline passed, -EPIPE when the
 *            daemon closed the connection.
 */
#pragma once

#include "ahead.h"
#include "base/clock.h"
#include "base/err.h"
#include "proto/line.h"
#include "proto/msg.h"

#define WIRE_DEFAULT_UNIX "/run/trawl/trawl.sock"
#define WIRE_DEFAULT_TCP "127.0.0.1:7411"
/* A row may be longer than a frame usually is: a path has no longest length. */
#define WIRE_LINE_MAX_BYTES (256u << 20)

struct wire {
	bool open;
	int fd;
	struct line_reader in;
	struct ahead ahead; /* received, and not yet in `in` */
	char where[256];    /* for messages */
};

/** `address` NULL: look in the usual places. */
int wire_open(struct wire *w, const char *address, struct err *err);
void wire_close(struct wire *w);
/** Send a request; the newline is added. */
int wire_send(struct wire *w, struct strbuf *request, struct err *err);
/** The next event, to be freed by the caller. Waits until the deadline for each piece of input. */
int wire_next(struct wire *w, usec_t silence_usec, struct msg **ret, struct err *err);
/** Receive what is there without waiting, for a later wire_next(): the daemon drops a client that
 *  takes nothing for long. False: there is nothing more to come, or no room for it. */
bool wire_read_ahead(struct wire *w);
