/**
 * config: the configuration file and its drop-ins as one checked structure.
 *
 * `FILE` is read, then every FILE.d/NAME.conf in byte order of the names; a later value replaces an
 * earlier one. Keys are rows of one table in config.c, which reads, prints and documents them.
 *
 * Ownership: config_load() allocates, config_free().
 * Threads:   immutable once loaded.
 * Errors:    -errno with one sentence "file:line: ...".
 */
#pragma once

#include <sys/types.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/vec.h"
#include "engine/engine.h"
#include "server/server.h"

#define CONFIG_DEFAULT_FILE "/etc/trawl/trawld.conf"

struct config {
	/* [daemon] */
	char *state_dir;
	uint32_t threads, io_threads; /* 0: by the number of CPUs */
	uint64_t index_bytes;
	uint32_t pressure_percent; /* 0: never */
	uint32_t watch_max_dirs;   /* 0: half of what the kernel allows */
	enum log_level log_level;

	/* [listen] */
	char **tcp;
	char *unix_path;
	uint32_t unix_mode;
	char **allow, **admin; /* as written */
	VEC(uid_t) allow_uids;
	VEC(gid_t) allow_gids;
	VEC(uid_t) admin_uids;

	/* [limits] */
	struct server_limits limits;
	uint64_t hash_cache_bytes;

	/* [root NAME] */
	VEC(struct engine_root) roots;
};

/** Read and check. `file` NULL: the built-in values alone. */
int config_load(const char *file, struct config **ret, struct err *err);
void config_free(struct config *c); /* NULL is legal */
/** Are the roots there? The first one that is not, as an error. */
int config_check_roots(const struct config *c, struct err *err);
/** The effective configuration in the file's own form. */
int config_print(const struct config *c, struct strbuf *out);
