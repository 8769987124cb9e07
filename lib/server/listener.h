/**
 * listener: one listening socket: opened, found on loopback only, and put away.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

struct event;

struct listener {
	char *name;    /* what the configuration calls it */
	char *address; /* what it is bound to: "127.0.0.1:7411", "[::1]:7411", "unix:/path" */
	int fd;
	int port;        /* TCP; 0 else */
	char *unlink_at; /* Unix socket that we made: removed when it is still ours */
	dev_t dev;
	ino_t ino;
	struct event *event;
};

/** The name that `text` ("localhost:7411") stands for, appended: 0 or -EINVAL with err. Beyond
 *  loopback is an error. */
int listener_tcp_name(const char *text, struct strbuf *ret, struct err *err);

int listener_open_tcp(const char *text, struct listener **ret, struct err *err);
/** A socket file that nobody answers at is removed first. */
int listener_open_unix(const char *path, mode_t mode, struct listener **ret, struct err *err);
/** A listening socket of the service manager; it stays open when the listener is destroyed. */
int listener_inherit(int fd, struct listener **ret, struct err *err);
void listener_destroy(struct listener *l); /* NULL is legal */
