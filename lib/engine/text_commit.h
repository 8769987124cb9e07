/**
 * text_commit: text segments take their place among those of a root. Internal to lib/engine.
 *
 * The order is that of commit.h: the file is there, it is opened, the catalog names it with those
 * that stay, a snapshot with a new view is published, and the files that nobody names are unlinked.
 *
 * Threads: the root's thread, which alone changes the root's texts and view.
 * Errors:  -ECANCELED the root is to stop; -EBADMSG, -ENOMEM, those of the catalog; err says which.
 */
#pragma once

#include "engine/root.h"

/** The file `name` takes the place of the `n` segments from `at` on (n = 0: it comes as the last
 *  one). After a failure the file is removed, and all is as it was. */
int text_commit(struct root *r, const char *name, uint32_t at, uint32_t n, struct err *err);
/** The root has no text segments any more. */
int text_commit_none(struct root *r, struct err *err);
/** The catalog names the segments that r->texts has: after some could not be opened. */
int text_commit_same(struct root *r, struct err *err);
/** A view of r->stack beside r->texts, and of the same contents as r->view where nothing changed;
 *  NULL when there is nothing to view. `set` and `stack` are what it will be published with. */
int text_view_of(const struct root *r, const struct tree_stack *stack, struct text_set *set,
	struct text_view **ret);
