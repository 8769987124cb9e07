#include "query/names.h"

#include <errno.h>

static int
put_part(struct path_maker *p, struct span part)
{
	return p->put ? p->put(&p->path, part) : strbuf_span(&p->path, part);
}

/* The root's path, with a slash behind it. */
static int
begin_layer(struct path_maker *p, const struct snapshot *s, uint32_t layer)
{
	int r;

	p->known = false;
	p->above.len = 0;
	strbuf_reset(&p->path);
	r = put_part(p, span_of(snapshot_root(s, layer)->path));
	if (r < 0)
		return r;
	if (!span_ends(strbuf_view(&p->path), SPAN_LIT("/")) && strbuf_putc(&p->path, '/') < 0)
		return -ENOMEM;
	if (VEC_PUSH(&p->above, (struct path_above){0, r > 0, p->path.len}) < 0)
		return -ENOMEM;
	p->layer = layer;
	return 0;
}

/* The directory of place `k`, not the first, behind the one before it. */
static int
put_directory(struct path_maker *p, const struct tree_cols *c, size_t k)
{
	struct path_above *a = &p->above.data[k];
	int r = put_part(p, tree_name(c, c->dir_entry[a->dir]));

	if (r < 0 || strbuf_putc(&p->path, '/') < 0)
		return -ENOMEM;
	a->odd = a[-1].odd || r > 0;
	a->len = p->path.len;
	return 0;
}

/* Lists the directories from below the last of `above` down to `dir`. Numbers of directories above
 * are smaller; pages that a disk could not give are zeros. */
static int
list_between(struct path_maker *p, const struct tree_cols *c, uint32_t dir)
{
	size_t first = p->above.len, last;
	uint32_t top = p->above.data[first - 1].dir;

	for (uint32_t d = dir; d > top; d = tree_parent(c, c->dir_entry[d])) {
		if (VEC_PUSH(&p->above, (struct path_above){.dir = d}) < 0)
			return -ENOMEM;
	}
	last = p->above.len;
	for (; first + 1 < last; first++, last--) {
		struct path_above t = p->above.data[first];

		p->above.data[first] = p->above.data[last - 1];
		p->above.data[last - 1] = t;
	}
	return 0;
}

/* What answers in order have in common stays: mostly all but the last directory. */
static int
make_directory(struct path_maker *p, const struct snapshot *s, uint32_t layer, uint32_t dir)
{
	const struct tree_cols *c = snapshot_cols(s, layer);
	bool goes_on = p->known && p->layer == layer;
	size_t known;
	int r = goes_on ? 0 : begin_layer(p, s, layer);

	if (r < 0)
		return r;
	p->known = false;
	while (p->above.len > 1 && (dir < p->above.data[p->above.len - 1].dir ||
					   dir >= c->dir_end[p->above.data[p->above.len - 1].dir]))
		p->above.len--;
	known = p->above.len;
	strbuf_truncate(&p->path, p->above.data[known - 1].len);
	p->kept_len = goes_on ? p->path.len : 0;
	r = list_between(p, c, dir);
	for (; known < p->above.len && r == 0; known++)
		r = put_directory(p, c, known);
	p->dir = dir;
	p->dir_len = p->path.len;
	p->known = r == 0;
	return r;
}

int
path_make(struct path_maker *p, const struct snapshot *s, uint32_t layer, uint32_t entry,
	struct span *ret)
{
	const struct tree_cols *c = snapshot_cols(s, layer);
	uint32_t dir = tree_parent(c, entry);
	int r = 0;

	if (entry == 0) {
		*ret = span_of(snapshot_root(s, layer)->path);
		return 0;
	}
	if (!p->known || p->layer != layer || p->dir != dir)
		r = make_directory(p, s, layer, dir);
	if (r < 0)
		return r;
	strbuf_truncate(&p->path, p->dir_len);
	r = strbuf_span(&p->path, tree_name(c, entry));
	*ret = strbuf_view(&p->path);
	return r;
}

int
path_make_dir(struct path_maker *p, const struct snapshot *s, uint32_t layer, uint32_t dir,
	struct span *ret)
{
	int r = 0;

	if (!p->known || p->layer != layer || p->dir != dir)
		r = make_directory(p, s, layer, dir);
	if (r < 0)
		return r;
	*ret = strbuf_view(&p->path);
	return p->above.data[p->above.len - 1].odd;
}

void
path_maker_fini(struct path_maker *p)
{
	strbuf_fini(&p->path);
	VEC_FINI(&p->above);
}
