#include "walk/piece.h"

/* All parts have been read of a directory of which nothing was known. */
static int
end_new(struct piece_maker *p, const struct dir *d)
{
	struct walk_list *l = filler_last(&p->filler, d->number);
	enum walk_skip skip = load_rlx(&d->skip);

	/* It was not entered, and is not now? */
	p->tally.n_changed += p->known && (skip == SKIP_NONE || load_rlx(&d->n_listed) > 0);
	if (!l)
		return filler_add(&p->filler, (struct walk_list){
						      .dir = d->number,
						      .last = true,
						      .left_out = load_rlx(&d->left_out),
						      .skip = skip,
						      .was = WALK_NOT_KNOWN,
					      });
	l->last = true;
	l->left_out = load_rlx(&d->left_out);
	l->skip = skip;
	return 0;
}

/* Of a known directory: those whose names were not met. */
static int
list_gone(struct piece_maker *p, const struct dir *d, bool begun)
{
	int r = 0;

	if (begun && !d->found)
		return 0; /* it was trusted, or empty */
	for (uint32_t i = 0; i < d->known.n && r == 0; i++) {
		uint64_t found = d->found ? load_rlx(&d->found[i / 64]) : 0;

		if (!(found >> i % 64 & 1))
			r = filler_gone(&p->filler, p->known->id(p->known->ctx, &d->known, i));
	}
	return r;
}

/* Is the directory entered and read to the end as it was? */
static bool
same_state(const struct dir *d)
{
	enum walk_skip skip = load_rlx(&d->skip);

	/* Of one that cannot be read nothing is known, entered or not. */
	return (skip == SKIP_NONE || load_rlx(&d->n_listed) > 0 || d->known.n == 0) &&
	       d->was.broken_off == (skip != SKIP_NONE) &&
	       d->was.left_out == load_rlx(&d->left_out);
}

/* The names of the aim have been read: what else there is has not been looked at. */
static int
end_named(struct piece_maker *p, struct dir *d)
{
	bool same = d->was.left_out || !load_rlx(&d->left_out);

	p->tally.n_changed += !same;
	dir_forget(d);
	return same ? 0
	            : filler_add(&p->filler, (struct walk_list){
						     .dir = d->number,
						     .last = true,
						     .left_out = true,
						     .was = d->was.dir,
					     });
}

/* All parts of a known directory have been read, or, if it was not `begun`, it could not be. */
static int
end_known(struct piece_maker *p, struct dir *d, bool begun)
{
	size_t before = p->filler.gone.len, n_gone;
	int r = piece_know(p, d);
	bool same = r == 0 && same_state(d);

	if (r == 0)
		r = list_gone(p, d, begun);
	n_gone = p->filler.gone.len - before;
	p->tally.n_changed += n_gone + !same;
	dir_forget(d);
	if (r < 0 || (n_gone == 0 && same))
		return r;
	return filler_add(&p->filler, (struct walk_list){
					      .dir = d->number,
					      .last = !same,
					      .left_out = !same && load_rlx(&d->left_out),
					      .skip = same ? SKIP_NONE : load_rlx(&d->skip),
					      .was = d->was.dir,
				      });
}

int
piece_end(struct piece_maker *p, struct dir *d, enum walk_skip skip)
{
	bool begun = p->dir == d;

	if (skip != SKIP_NONE)
		store_rlx(&d->skip, (uint8_t)skip);
	if (begun) {
		(void)add_rlx(&d->n_listed, p->n_listed);
		if (p->left_out)
			store_rlx(&d->left_out, true);
	}
	p->dir = NULL;
	if (sub_ar(&d->n_parts, 1) != 1)
		return 0;
	piece_count_skip(p, load_rlx(&d->skip));
	if (!dir_is_known(d))
		return end_new(p, d);
	return begun && d->scope == DIR_NAMED ? end_named(p, d) : end_known(p, d, begun);
}
