/**
 * commands: every sub-command, one file each; main.c holds their table.
 */
#pragma once

#include "args.h"

extern const struct command cmd_clock, cmd_du, cmd_dupes, cmd_grep, cmd_help, cmd_reload,
	cmd_rescan, cmd_roots, cmd_search, cmd_since, cmd_sql, cmd_stat, cmd_stats, cmd_status,
	cmd_top, cmd_wait, cmd_watch, cmd_why;

/** In the order of the help; NULL ends it. */
extern const struct command *const commands[];

/** NULL: no such command. */
const struct command *command_find(const char *name);
