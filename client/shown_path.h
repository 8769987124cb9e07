/**
 * shown_path: paths as the user named them: `du src` shows src/lib, though the index says
 * /home/me/src/lib.
 *
 * Ownership: struct operands is the caller's; operands_fini().
 */
#pragma once

#include "ask.h"
#include "out.h"

struct operand {
	const char *typed;
	char *absolute; /* of malloc */
};

struct operands {
	VEC(struct operand) all;
	size_t next; /* those before have had their last row */
};

/** Add a path: 0 or -ENOMEM. One that ends with a slash is where it leads. */
int operands_add(struct operands *o, const char *typed);
void operands_fini(struct operands *o);
/** A path at or below one of the operands, as that one was typed. Rows come in the order of the
 *  operands, the one of the operand itself last. */
void operands_show(struct operands *o, struct span path, struct out *out);
