#include "index/tree_stack.h"

#include <dirent.h>
#include <errno.h>

#include "index/tree_joint.h"

/* A directory that only one layer has needs no listing: its names differ by N5. The others are
 * listed, which is in proportion to what the layers above the base touch. */

static int
contradiction(const struct tree_stack *s, struct tree_at at, const char *rule, struct err *err)
{
	struct strbuf path = {0};
	int r = tree_path(tree_stack_cols(s, at.layer), at.entry, &path);

	if (r == 0)
		r = err_set(err, -EBADMSG,
			"the layers of the index contradict each other: %s: \"%s\"", rule,
			path.data ? path.data : "");
	if (r == -EBADMSG)
		(void)err_hint(err, "the index is made again by walking its root");
	strbuf_fini(&path);
	return r;
}

/* Y4 of a directory's children; how many there are. */
static int
check_names(
	const struct tree_stack *s, const struct tree_dirs *dirs, uint64_t *ret_n, struct err *err)
{
	struct span before = {0};
	struct tree_list list;
	struct tree_at at;

	*ret_n = 0;
	tree_list_open(&list, s, dirs);
	while (tree_list_next(&list, &at)) {
		struct span name = tree_name(tree_stack_cols(s, at.layer), at.entry);

		if (before.data && span_eq(name, before))
			return contradiction(s, at, "Y4: there twice", err);
		before = name;
		(*ret_n)++;
	}
	return 0;
}

/* Y5 and Y6 of a directory with n live children; `any` is one of its entries. */
static int
check_own(const struct tree_stack *s, const struct tree_dirs *dirs, struct tree_at any, uint64_t n,
	struct err *err)
{
	const struct tree_cols *c;
	struct tree_at own;
	uint8_t flags;

	if (tree_stack_own(s, dirs, &own) < 0)
		return n == 0 ? 0 : contradiction(s, any, "Y5: not there, and not empty", err);
	c = tree_stack_cols(s, own.layer);
	if (!tree_entered(c, own.entry))
		return n == 0 ? 0 : contradiction(s, own, "Y6: not entered, and not empty", err);
	flags = tree_flags(c, own.entry);
	if (!(flags & TREE_EMPTY_DIR) != (n > 0 || flags & TREE_NOT_ENTERED))
		return contradiction(s, own, "Y6: says wrongly whether it is empty", err);
	return 0;
}

static int
check_row(const struct tree_stack *s, const struct tree_dirs *dirs, struct err *err)
{
	struct tree_at any = {0};
	uint64_t n;
	int r = check_names(s, dirs, &n, err);

	for (uint32_t i = 0; i < s->n_layers; i++) {
		if (dirs->dir[i] != TREE_NO_DIR)
			any = (struct tree_at){i, tree_stack_cols(s, i)->dir_entry[dirs->dir[i]]};
	}
	return r < 0 ? r : check_own(s, dirs, any, n, err);
}

/* Of a directory of the base alone. */
static int
check_base_dir(const struct tree_stack *s, uint32_t dir, struct err *err)
{
	const struct tree_cols *c = tree_stack_cols(s, 0);
	uint32_t lo = c->dir_first[dir], hi = c->dir_first[dir + 1];
	uint32_t n = hi - lo - tree_dead_sum(s->layer[0].dead, c, lo, hi, NULL);
	struct tree_dirs dirs;

	tree_stack_dirs(s, 0, dir, &dirs);
	return check_own(s, &dirs, (struct tree_at){0, c->dir_entry[dir]}, n, err);
}

static int
check_root(const struct tree_stack *s, struct err *err)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->n_layers; i++)
		n += !tree_is_dead(s->layer[i].dead, 0);
	if (n == 1)
		return 0;
	return contradiction(
		s, (struct tree_at){0}, n ? "Y4: there twice" : "Y4: the root is not there", err);
}

int
tree_stack_check(const struct tree_stack *s, struct err *err)
{
	const struct tree_joint *j = s->joint;
	int r;

	if (!j)
		return 0;
	r = check_root(s, err);
	for (uint32_t i = 0; i < j->n_rows && r == 0; i++)
		r = check_row(s, &j->rows[i], err);
	for (uint32_t d = 0; d < tree_stack_cols(s, 0)->n_dirs && r == 0; d++) {
		if (!tree_joint_row(j, 0, d))
			r = check_base_dir(s, d, err);
	}
	return r;
}
