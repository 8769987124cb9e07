/**
 * plan: the answer of `explain` for people.
 */
#pragma once

#include "out.h"
#include "proto/msg.h"

/** Print the `end` of an explain that was run. */
void plan_print(const struct msg_val *end, struct out *o);
