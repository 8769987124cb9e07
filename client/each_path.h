/**
 * each_path: the commands that ask one question about each path given: stat, why.
 */
#pragma once

#include "ask.h"
#include "out.h"

/** Asks `op` with the member "path" for every operand, over one connection, and shows each answer
 *  (as JSON when asked so). The exit code of the worst. */
int each_path(const struct command *cmd, char **argv, const char *op,
	void (*show)(struct out *o, const struct msg_val *end));
