#include "query/names.h"

#include <errno.h>

static int
make_directory(struct path_maker *p, const struct snapshot *s, uint32_t root, uint32_t dir)
{
	const struct tree_cols *c = tree_cols(s->roots[root].tree);
	int r;

	if (!p->known || p->root != root)
		p->names = (struct name_reader){0};
	p->known = false;
	strbuf_reset(&p->path);
	r = snapshot_path(s, root, c->dir_entry[dir], &p->path);
	if (r == 0 && !span_ends(strbuf_view(&p->path), SPAN_LIT("/")))
		r = strbuf_putc(&p->path, '/');
	p->root = root;
	p->dir = dir;
	p->dir_len = p->path.len;
	p->known = r == 0;
	return r;
}

int
path_make(struct path_maker *p, const struct snapshot *s, uint32_t root, uint32_t entry,
	struct span *ret)
{
	const struct tree_cols *c = tree_cols(s->roots[root].tree);
	uint32_t dir = tree_parent(c, entry);
	int r = 0;

	if (entry == 0) {
		*ret = span_of(s->roots[root].path);
		return 0;
	}
	if (!p->known || p->root != root || p->dir != dir)
		r = make_directory(p, s, root, dir);
	if (r < 0)
		return r;
	strbuf_truncate(&p->path, p->dir_len);
	r = strbuf_span(&p->path, name_read(&p->names, c, entry));
	*ret = strbuf_view(&p->path);
	return r;
}

void
path_maker_fini(struct path_maker *p)
{
	strbuf_fini(&p->path);
}
