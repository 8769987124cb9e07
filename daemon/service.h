/**
 * service: what a service manager says to the daemon, and what it is told.
 *
 * The notify protocol of systemd (sd_notify(3)): datagrams "KEY=VALUE\n..." to $NOTIFY_SOCKET, a
 * path or an abstract address. Listening sockets arrive as descriptors from 3 on
 * (sd_listen_fds(3)). Without a manager everything here does nothing.
 *
 * Threads: any, after service_open().
 */
#pragma once

#include "base/clock.h"
#include "base/defs.h"

/** Read and clear the environment; once, before threads. */
void service_open(void);
void service_close(void);

void service_ready(void);
/** RELOADING=1 with the monotonic time; service_ready() ends it. */
void service_reloading(void);
void service_stopping(void);
void service_watchdog(void);
void service_status(const char *fmt, ...) PRINTF_LIKE(1, 2);

/** Half of what the manager waits for a sign of life; 0 when it does not watch. */
usec_t service_watchdog_interval(void);

/** Descriptors of listening sockets that were passed; *ret is valid for ever. */
size_t service_listen_fds(const int **ret);
