/**
 * dispatch: from a line to an answer or a running request.
 */
#pragma once

#include "base/str.h"

struct conn;

/** One line without its end, on the loop's thread. Answers are appended to the connection; bad
 *  input may finish it. */
void dispatch_line(struct conn *c, struct span line);
/** The answer to a peer that may not ask, before it said anything; ends the connection. */
void dispatch_denied(struct conn *c);
/** A line longer than the limit: an error and the end of the connection. */
void dispatch_overlong(struct conn *c);
