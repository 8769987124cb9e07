#include "query/delta.h"

#include <errno.h>

#include "query/ghosts.h"

enum delta_phase {
	DELTA_GONE,
	DELTA_THERE,
	DELTA_LEFT,
	DELTA_OTHERS_THERE,
	DELTA_OTHERS_GONE,
	DELTA_ENDED,
};

struct delta {
	struct changes changes;
	struct snapshot *snapshot; /* a reference */
	struct query *query;       /* a reference */
	struct cursor_opts opts;

	/* What is there. */
	struct entry_set set;
	struct change_place *place;
	size_t n_place;
	struct cursor *there;

	struct ghosts ghosts;
	/* By index of a change. */
	uint32_t *ghost; /* 1 + index of its place, when what it was matches; 0: it does not */
	bool *source;    /* something that is there came from it */
	bool *told;      /* as the source of a move, or by itself */

	bool others;
	enum delta_phase phase;
	size_t at; /* in ghosts.place, or place */
};

/* Of what is there now: where. A path that the snapshot lacks is of a root that has left it. */
static int
place_change(struct delta *d, uint32_t i)
{
	const struct change *ch = &d->changes.list.data[i];
	const struct snapshot *s = d->snapshot;
	struct tree_at at;

	for (uint32_t k = 0; k < s->n_roots; k++) {
		const struct snap_root *root = &s->roots[k];

		if (root->id != ch->root || !root->stack ||
			tree_stack_lookup(root->stack, ch->path, &at) < 0)
			continue;
		at.layer += root->first_layer;
		d->place[d->n_place++] = (struct change_place){at.layer, at.entry, i};
		return entry_set_add(&d->set, at.layer, at.entry);
	}
	return 0;
}

static int
place_changes(struct delta *d)
{
	const struct change_list *list = &d->changes.list;
	int r = entry_set_init(&d->set, d->snapshot->n_layers);

	d->place = calloc(list->len + 1, sizeof(*d->place));
	d->ghost = calloc(list->len + 1, sizeof(*d->ghost));
	d->source = calloc(list->len + 1, sizeof(*d->source));
	d->told = calloc(list->len + 1, sizeof(*d->told));
	if (!d->place || !d->ghost || !d->source || !d->told)
		r = -ENOMEM;
	for (uint32_t i = 0; i < list->len && r == 0; i++) {
		if (!list->data[i].now)
			continue;
		if (change_kind(&d->changes, i) == CHANGE_MOVE)
			d->source[list->data[i].origin] = true;
		r = place_change(d, i);
	}
	if (r < 0)
		return r;
	entry_set_seal(&d->set);
	change_places_sort(d->place, d->n_place);
	return 0;
}

int
delta_open(struct query *q, struct snapshot *s, struct changes *changes,
	const struct cursor_opts *opts, struct delta **ret, struct err *err)
{
	struct delta *d = calloc(1, sizeof(*d));
	int r;

	if (!d) {
		changes_fini(changes);
		return err_set(err, -ENOMEM, "out of memory");
	}
	d->changes = *changes;
	*changes = (struct changes){0};
	d->snapshot = snapshot_ref(s);
	d->query = query_ref(q);
	d->opts = *opts;
	r = place_changes(d);
	if (r == 0)
		r = ghosts_make(&d->changes, s, &d->ghosts);
	d->opts.only = &d->set;
	if (r == 0)
		r = cursor_open(q, s, &d->opts, &d->there, err);
	if (r < 0) {
		delta_close(d);
		return err_set(err, r, "could not look up what has changed: %s", err_reason(r));
	}
	*ret = d;
	return 0;
}

void
delta_close(struct delta *d)
{
	if (!d)
		return;
	cursor_close(d->there);
	ghosts_fini(&d->ghosts);
	entry_set_fini(&d->set);
	free(d->place);
	free(d->ghost);
	free(d->source);
	free(d->told);
	changes_fini(&d->changes);
	snapshot_unref(d->snapshot);
	query_unref(d->query);
	free(d);
}

/* Which of those that are gone matched. */
static int
ask_ghosts(struct delta *d)
{
	struct cursor_opts opts = d->opts;
	struct ghosts *g = &d->ghosts;
	struct cursor *c;
	struct hit hit;
	int r;

	if (!g->snapshot)
		return 0;
	opts.only = &g->set;
	opts.blind = true;
	r = cursor_open(d->query, g->snapshot, &opts, &c, NULL);
	if (r < 0)
		return r;
	while ((r = cursor_next(c, &hit)) == 1) {
		const struct change_place *p =
			change_place_find(g->place, g->n, hit.layer, hit.entry);

		if (p)
			d->ghost[p->change] = (uint32_t)(p - g->place) + 1;
	}
	cursor_close(c);
	return r;
}

static struct delta_row
row_of(enum change_kind kind, const struct snapshot *s, uint32_t layer, uint32_t entry)
{
	return (struct delta_row){.kind = kind, .snapshot = s, .layer = layer, .entry = entry};
}

/* The next ghost that matched: first those that are deletions, in the end what moved to where
 * nothing was told of it. */
static bool
next_ghost(struct delta *d, bool source, struct delta_row *ret)
{
	const struct ghosts *g = &d->ghosts;

	while (d->at < g->n) {
		const struct change_place *p = &g->place[d->at++];

		if (!d->ghost[p->change] || d->source[p->change] != source || d->told[p->change])
			continue;
		*ret = row_of(CHANGE_DELETE, g->snapshot, p->layer, p->entry);
		d->told[p->change] = true;
		return true;
	}
	d->at = 0;
	return false;
}

static bool
next_other(struct delta *d, const struct snapshot *s, const struct change_place *place, size_t n,
	struct delta_row *ret)
{
	while (d->others && d->at < n) {
		const struct change_place *p = &place[d->at++];

		if (d->told[p->change])
			continue;
		*ret = row_of(CHANGE_OTHER, s, p->layer, p->entry);
		return true;
	}
	d->at = 0;
	return false;
}

static void
describe(struct delta *d, uint32_t i, struct delta_row *ret)
{
	uint32_t origin = d->changes.list.data[i].origin, ghost;

	ret->kind = change_kind(&d->changes, i);
	d->told[i] = true;
	if (ret->kind != CHANGE_MOVE)
		return;
	ghost = d->ghost[origin];
	if (!ghost) {
		ret->kind = CHANGE_ADD;
		return;
	}
	d->told[origin] = true;
	ret->from = d->ghosts.snapshot;
	ret->from_layer = d->ghosts.place[ghost - 1].layer;
	ret->from_entry = d->ghosts.place[ghost - 1].entry;
}

static int
next_there(struct delta *d, struct delta_row *ret)
{
	const struct change_place *p;
	struct hit hit;
	int r = cursor_next(d->there, &hit);

	if (r <= 0)
		return r;
	p = change_place_find(d->place, d->n_place, hit.layer, hit.entry);
	*ret = row_of(CHANGE_MODIFY, d->snapshot, hit.layer, hit.entry);
	if (p)
		describe(d, p->change, ret);
	return 1;
}

/* A row of the phase at hand: 1, 0 it has none left, or an error. */
static int
next_of_phase(struct delta *d, struct delta_row *ret)
{
	const struct ghosts *g = &d->ghosts;

	switch (d->phase) {
	case DELTA_GONE:
		return next_ghost(d, false, ret);
	case DELTA_THERE:
		return next_there(d, ret);
	case DELTA_LEFT:
		return next_ghost(d, true, ret);
	case DELTA_OTHERS_THERE:
		return next_other(d, d->snapshot, d->place, d->n_place, ret);
	case DELTA_OTHERS_GONE:
		return next_other(d, g->snapshot, g->place, g->n, ret);
	case DELTA_ENDED:
		break;
	}
	return 0;
}

int
delta_next(struct delta *d, struct delta_row *ret)
{
	int r = d->phase == DELTA_GONE && d->at == 0 ? ask_ghosts(d) : 0;

	while (r == 0 && d->phase != DELTA_ENDED) {
		r = next_of_phase(d, ret);
		if (r == 0)
			d->phase++;
	}
	return r;
}

void
delta_tell_others(struct delta *d)
{
	d->others = true;
}

void
delta_get_stats(const struct delta *d, struct cursor_stats *ret)
{
	cursor_get_stats(d->there, ret);
}
