/**
 * msg_impl: a parsed frame from inside, for msg and msg_parse only.
 *
 * Values of an array stand one after the other; those of an object too, each behind its name. All
 * of them, and a copy of the line in which strings were unescaped, lie in the frame's arena.
 */
#pragma once

#include "base/arena.h"
#include "proto/msg.h"

struct msg_val {
	enum msg_kind kind;
	uint32_t len; /* bytes of a string, which a NUL follows; values of an array; members */
	union {
		const char *text;
		const struct msg_val *item;
		int64_t integer;
		double real;
		bool truth;
	};
};

struct msg {
	struct msg_val root;
	struct arena arena;
};
