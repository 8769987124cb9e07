#include "index/record_make.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/vec.h"
#include "index/tree_change_tell.h"

/* What is gone, or has come: which file it is, and its place among its like, in the order in which
 * it is told. */
struct candidate {
	uint64_t key;
	uint32_t at;
};

/* Of what has come, where it was; layer NOWHERE: it is new. */
#define NOWHERE UINT32_MAX

struct maker {
	const struct tree_stack *stack;
	uint64_t n; /* told that differ */

	/* First round. */
	VEC(struct candidate) gone;
	VEC(struct candidate) come;
	VEC(struct tree_at) places; /* of what is gone */

	/* Second round. */
	bool *moved;            /* of what is gone */
	struct tree_at *origin; /* of what has come */
	uint32_t n_gone, n_come;
	struct record_writer writer;
	struct strbuf from;
};

static void
fill_is(struct record *r, const struct walk_entry *e, const struct tree_class *cls)
{
	r->mode = cls->mode;
	r->uid = cls->uid;
	r->gid = cls->gid;
	r->dev = cls->dev;
	r->nlink = e->nlink;
	r->ino = e->ino;
	r->size = e->size;
	r->blocks = e->blocks;
	r->mtime_ns = e->mtime_ns;
	r->ctime_ns = e->ctime_ns;
}

static void
fill_was(struct record *r, const struct tree_stack *s, const struct tree_at *at)
{
	const struct tree_cols *c = tree_stack_cols(s, at->layer);
	const struct tree_class *cls = &c->classes[tree_cls(c, at->entry)];

	r->mode = cls->mode;
	r->uid = cls->uid;
	r->gid = cls->gid;
	r->dev = cls->dev;
	r->nlink = tree_nlink(c, at->entry);
	r->ino = tree_ino(c, at->entry);
	r->size = tree_size(c, at->entry);
	r->blocks = tree_blocks(c, at->entry);
	r->mtime_ns = tree_mtime(c, at->entry);
	r->ctime_ns = tree_ctime(c, at->entry);
}

static bool
same_row(const struct record *a, const struct record *b)
{
	return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid && a->dev == b->dev &&
	       a->nlink == b->nlink && a->ino == b->ino && a->size == b->size &&
	       a->blocks == b->blocks && a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

/* What has become of the path. */
enum fate { FATE_SAME, FATE_GONE, FATE_COME, FATE_CHANGED };

/* *r is filled but for its spans and kind. COME is also another file at the same path: it may have
 * come from elsewhere. */
static enum fate
look(const struct maker *m, const struct tree_told *t, struct record *r)
{
	struct record was = {0};

	*r = (struct record){0};
	if (t->was)
		fill_was(&was, m->stack, t->was);
	if (!t->is) {
		*r = was;
		return FATE_GONE;
	}
	fill_is(r, t->is, t->cls);
	if (!t->was || (t->path.len > 0 && (was.dev != r->dev || was.ino != r->ino)))
		return FATE_COME; /* the root comes from nowhere */
	return same_row(&was, r) ? FATE_SAME : FATE_CHANGED;
}

/* A number of an inode is used again at once by some file systems; a file that was only moved has
 * the time that it had. */
static uint64_t
key_of(const struct record *r)
{
	const uint64_t id[] = {r->dev, r->ino, r->mode & S_IFMT, (uint64_t)r->mtime_ns};

	return hash64(id, sizeof(id), 0);
}

static int
note(void *ctx, const struct tree_told *t)
{
	struct maker *m = ctx;
	struct record rec;
	enum fate fate = look(m, t, &rec);
	uint32_t n_gone = (uint32_t)m->gone.len, n_come = (uint32_t)m->come.len;
	int r = 0;

	if (fate != FATE_SAME && ++m->n > RECORD_MAX)
		return -E2BIG;
	if (t->path.len > RECORD_PATH_MAX)
		return -E2BIG;
	if (fate == FATE_GONE) {
		r = VEC_PUSH(&m->gone, (struct candidate){key_of(&rec), n_gone});
		if (r == 0)
			r = VEC_PUSH(&m->places, *t->was);
	} else if (fate == FATE_COME) {
		r = VEC_PUSH(&m->come, (struct candidate){key_of(&rec), n_come});
	}
	return r;
}

static int
cmp_candidate(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* One of what is gone for one of what has come, links of one file in their order. */
static int
match(struct maker *m)
{
	size_t i = 0, k = 0;

	m->moved = calloc(m->gone.len + 1, sizeof(*m->moved));
	m->origin = malloc((m->come.len + 1) * sizeof(*m->origin));
	if (!m->moved || !m->origin)
		return -ENOMEM;
	for (size_t c = 0; c < m->come.len; c++)
		m->origin[c].layer = NOWHERE;
	if (m->gone.len == 0 || m->come.len == 0)
		return 0;
	qsort(m->gone.data, m->gone.len, sizeof(*m->gone.data), cmp_candidate);
	qsort(m->come.data, m->come.len, sizeof(*m->come.data), cmp_candidate);
	while (i < m->gone.len && k < m->come.len) {
		const struct candidate *gone = &m->gone.data[i], *come = &m->come.data[k];

		i += gone->key <= come->key;
		k += come->key <= gone->key;
		if (gone->key != come->key)
			continue;
		m->moved[gone->at] = true;
		m->origin[come->at] = m->places.data[gone->at];
	}
	return 0;
}

static int
put(struct maker *m, struct record *r)
{
	int code = record_put(&m->writer, r);

	if (code == 0 && m->writer.out.len > RECORD_MAX_BYTES)
		return -E2BIG;
	return code == -ENAMETOOLONG ? -E2BIG : code;
}

/* What has come is a MODIFY where something was, unless it was somewhere else. */
static int
put_come(struct maker *m, const struct tree_told *t, struct record *r)
{
	struct tree_at origin = m->origin[m->n_come++];

	r->kind = t->was ? RECORD_MODIFY : RECORD_ADD;
	if (origin.layer == NOWHERE)
		return put(m, r);
	strbuf_reset(&m->from);
	if (tree_path(tree_stack_cols(m->stack, origin.layer), origin.entry, &m->from) < 0)
		return -ENOMEM;
	r->kind = RECORD_MOVE;
	r->from = strbuf_view(&m->from);
	return put(m, r);
}

static int
write_told(void *ctx, const struct tree_told *t)
{
	struct maker *m = ctx;
	struct record rec;
	enum fate fate = look(m, t, &rec);

	rec.path = t->path;
	rec.from = SPAN_LIT("");
	switch (fate) {
	case FATE_SAME:
		return 0;
	case FATE_COME:
		return put_come(m, t, &rec);
	case FATE_CHANGED:
		rec.kind = RECORD_MODIFY;
		return put(m, &rec);
	case FATE_GONE:
		rec.kind = RECORD_DELETE;
		return m->moved[m->n_gone++] ? 0 : put(m, &rec);
	}
	return 0;
}

static void
maker_fini(struct maker *m)
{
	VEC_FINI(&m->gone);
	VEC_FINI(&m->come);
	VEC_FINI(&m->places);
	free(m->moved);
	free(m->origin);
	record_writer_fini(&m->writer);
	strbuf_fini(&m->from);
}

int
record_make(struct tree_change *c, struct strbuf *ret, uint64_t *ret_n)
{
	AUTO(maker_fini) struct maker m = {.stack = tree_change_stack(c)};
	int r = tree_change_tell(c, note, &m);

	if (r == 0)
		r = match(&m);
	if (r == 0)
		r = tree_change_tell(c, write_told, &m);
	if (r < 0)
		return r;
	*ret_n = m.writer.n;
	return record_finish(&m.writer, ret);
}
