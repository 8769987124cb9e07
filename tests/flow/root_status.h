/**
 * root_status: what an engine says of its first root; its texts are left out, and so need no end.
 */
#pragma once

#include "test.h"

#include "engine/engine.h"

static inline struct engine_root_status
root_status(struct engine *e)
{
	struct engine_root_status root;
	struct engine_status s;

	CHECK_INT(engine_status(e, &s), 0);
	root = s.roots[0];
	root.name = root.path = NULL;
	engine_status_fini(&s);
	return root;
}
