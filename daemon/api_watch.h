/**
 * api_watch: what the server asks about watching. For api.c.
 */
#pragma once

#include "daemon.h"
#include "proto/json.h"

/** server_ops.sync. */
int api_sync(void *ctx, usec_t deadline, server_done done, void *arg);
/** A member "watch" of a root, and of the whole. */
void api_put_root_watch(struct json *out, const struct engine_watch_status *w);
void api_put_watch(struct json *out, const struct engine_status *s);
/** The member "journal". */
void api_put_journal(struct json *out, const struct engine_status *s);
