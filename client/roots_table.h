/**
 * roots_table: the roots of an answer to `status` or `roots`, one line each.
 */
#pragma once

#include "out.h"
#include "proto/msg.h"

/** `roots` is the array of the answer; NULL prints that there are none. */
void roots_print(struct out *o, const struct msg_val *roots);
