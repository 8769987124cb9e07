/**
 * each_run: a command for each change, without a shell.
 */
#pragma once

#include "change_out.h"

/** Run it and wait for its end, whatever that is: 0, or -errno after a line on stderr when it could
 *  not be run at all. `command` is NULL-terminated; {} in it is the path, which else comes last. */
int run_for(char *const *command, const struct change_row *row);
