/**
 * progress: how far the walks of the roots, and the reading of their contents, are, as a bar on a
 * terminal.
 *
 * The daemon is asked ten times a second (an answer costs it some microseconds). Where stderr is no
 * terminal there is one line at the start and one at the end.
 */
#pragma once

#include "ask.h"

struct progress_opts {
	const struct common *common; /* its timeout bounds the whole wait */
	const struct texts *names;   /* roots to wait for; empty: all */
	bool quiet;
	const struct msg_val *before; /* NULL, or the roots as they were: a root counts as done only
	                                 when it was walked again since */
};

/** Until every root is indexed, contents too where it wants that. EXIT_FOUND, EXIT_INCOMPLETE when
 *  a root failed or time ran out, EXIT_NOTHING when there is no such root, or what went wrong. */
int progress_wait(struct wire *w, const struct progress_opts *opts);
/** The roots now; *ret_answer owns them. */
int progress_roots(struct wire *w, const struct common *c, struct msg **ret_answer,
	const struct msg_val **ret_roots);
