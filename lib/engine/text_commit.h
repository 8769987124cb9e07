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
/** A view of what there is, where none could be made before. */
int text_commit_view(struct root *r, struct err *err);
/** What the root has after its start: the catalog names these, and their view is published. */
int text_commit_adopted(
	struct root *r, struct text_set *set, struct files *files, bool all, struct err *err);

/** A reference to the root's view, which a reload may drop at any time; or NULL. */
struct text_view *text_view_now(struct root *r);

/** A view, and the settings that it was made under. */
struct text_fresh_view {
	struct text_view *view; /* NULL: contents are not indexed, or there is no stack */
	uint64_t settings;
};
/** A view of what the root will have: a reference in ret->view; what has not changed since the
 *  root's present one is taken over. -ENOMEM, -ECANCELED. */
int text_view_make(const struct root *r, const struct tree_stack *stack, struct text_set *set,
	struct text_fresh_view *ret);
/** The root's view is v->view, or none when the settings have changed meanwhile; v->view is what is
 *  to be let go. */
void text_view_install_locked(struct root *r, struct text_fresh_view *v);
