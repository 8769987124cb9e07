/**
 * plan: the answer of `explain` for people.
 */
#pragma once

#include "ask.h"
#include "out.h"
#include "proto/msg.h"

/** Print the `end` of an explain that was run, as JSON if that was asked for: the exit code, which
 *  says whether there were answers. */
int plan_print(const struct msg_val *end, const struct common *c, struct out *o);
