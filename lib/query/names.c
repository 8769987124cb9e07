#include "query/names.h"

#include <errno.h>

static int
make_directory(struct path_maker *p, const struct snapshot *s, uint32_t layer, uint32_t dir)
{
	const struct tree_cols *c = snapshot_cols(s, layer);
	int r;

	p->known = false;
	strbuf_reset(&p->path);
	r = snapshot_path(s, layer, c->dir_entry[dir], &p->path);
	if (r == 0 && !span_ends(strbuf_view(&p->path), SPAN_LIT("/")))
		r = strbuf_putc(&p->path, '/');
	p->layer = layer;
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

void
path_maker_fini(struct path_maker *p)
{
	strbuf_fini(&p->path);
}
