/*
 * Looking again, now and then, at what nobody told of (note: verification, live.h).
 */
#include "engine/indexer.h"
#include "engine/live_impl.h"

/* Of a step. */
#define VERIFY_DIRS 64u
/* Between two, at least; and so many times as long as the last one took. */
#define VERIFY_PAUSE_USEC (100 * USEC_PER_MSEC)
#define VERIFY_SHARE 20u

struct verifying {
	struct root *root;
	struct walk_aim *aim;
	struct strbuf path;
	uint64_t n;
};

static int
add_dirs(struct verifying *v, uint64_t ino)
{
	const struct root *r = v->root;
	struct tree_inode_at at = {0};
	struct tree_at dir;
	int code = 0;

	while (code == 0 && tree_inodes_next(r->live.inodes, r->stack, ino, &at, &dir)) {
		strbuf_reset(&v->path);
		code = tree_path(tree_stack_cols(r->stack, dir.layer), dir.entry, &v->path);
		if (code == 0)
			code = aim_add(v->aim, strbuf_view(&v->path), AIM_LIST);
		v->n++;
	}
	return code;
}

int
verify_add(struct root *r, struct walk_aim *aim, uint64_t *ret_n)
{
	struct live_root *l = &r->live;
	struct verifying v = {.root = r, .aim = aim};
	int code = 0;

	l->verify_through = false;
	while (v.n < VERIFY_DIRS && code == 0 && !l->verify_through) {
		l->verify_through = !tree_inodes_after(l->inodes, l->verify_ino, &l->verify_ino);
		if (!l->verify_through)
			code = add_dirs(&v, l->verify_ino);
	}
	strbuf_fini(&v.path);
	*ret_n = v.n;
	return code;
}

void
live_verify_later_locked(struct root *r)
{
	struct live_root *l = &r->live;
	bool told = l->kind == WATCH_FILE_SYSTEM || l->kind == WATCH_DIRECTORIES;

	l->verify_ino = 0;
	l->verify_at = told && r->cfg.verify_usec > 0 ? clock_deadline(r->cfg.verify_usec) : 0;
	cond_broadcast(&r->changed);
}

bool
live_verify_wanted_locked(const struct root *r, usec_t *ret_at)
{
	const struct live_root *l = &r->live;

	if (!l->verify_at)
		return false;
	*ret_at = MIN(*ret_at, l->verify_at);
	return clock_mono() >= l->verify_at;
}

void
live_verify(struct root *r)
{
	struct live_root *l = &r->live;
	usec_t began = clock_mono(), at = manners_ask(&r->engine->manners, began), pause;

	if (at == 0)
		verify_apply(r);
	pause = MAX(VERIFY_SHARE * (clock_mono() - began), VERIFY_PAUSE_USEC);
	LOCK_SCOPE(&r->engine->lock);
	if (at == 0 && l->verify_through) {
		l->verified_usec = clock_real();
		live_verify_later_locked(r);
	} else if (l->verify_at) {
		l->verify_at = at ? at : clock_deadline(pause);
	}
}
