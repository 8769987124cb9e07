#include "index/tree_frame.h"

#include <errno.h>
#include <stdlib.h>
#include <zstd.h>

#include "index/tree_name.h"
#include "index/tree_par.h"

#define FRAME_LEVEL 1

struct frame_packer {
	ZSTD_CCtx *zstd;
	char *room;
	size_t cap;
};

struct frame_packer *
frame_packer_create(void)
{
	struct frame_packer *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->zstd = ZSTD_createCCtx();
	if (!p->zstd) {
		frame_packer_destroy(p);
		return NULL;
	}
	return p;
}

void
frame_packer_destroy(struct frame_packer *p)
{
	if (!p)
		return;
	(void)ZSTD_freeCCtx(p->zstd);
	free(p->room);
	free(p);
}

static int
make_room(struct frame_packer *p, size_t len)
{
	size_t cap = ZSTD_compressBound(len);
	char *room;

	if (cap <= p->cap)
		return 0;
	room = realloc(p->room, cap);
	if (!room)
		return -ENOMEM;
	p->room = room;
	p->cap = cap;
	return 0;
}

int
frame_pack(struct frame_packer *p, struct span names, struct span *ret)
{
	size_t len;

	if (make_room(p, names.len) < 0)
		return -ENOMEM;
	len = ZSTD_compressCCtx(p->zstd, p->room, p->cap, names.data, names.len, FRAME_LEVEL);
	if (ZSTD_isError(len)) /* nothing else is left that could go wrong */
		return -ENOMEM;
	*ret = len < names.len ? (struct span){p->room, len} : names;
	return 0;
}

struct unpacking {
	const struct tree_cols *cols; /* counts */
	const struct frames_in *in;
	const uint64_t *packed_at; /* [n_frames + 1] in in->names */
	uint64_t *frame_at;        /* [n_frames + 1] in names */
	char *names;
	uint32_t *name_at;
	ZSTD_DCtx **zstd; /* by worker; made when first needed */
};

static int
unpack(const struct unpacking *u, unsigned worker, uint32_t frame)
{
	const struct tree_frame *f = &u->in->frames[frame];
	const char *packed = u->in->names + u->packed_at[frame];
	char *to = u->names + u->frame_at[frame];
	size_t len;

	if (f->packed == f->bytes) {
		memcpy(to, packed, f->bytes);
		return 0;
	}
	if (!u->zstd[worker])
		u->zstd[worker] = ZSTD_createDCtx();
	if (!u->zstd[worker])
		return -ENOMEM;
	len = ZSTD_decompressDCtx(u->zstd[worker], to, f->bytes, packed, f->packed);
	return !ZSTD_isError(len) && len == f->bytes ? 0 : -EBADMSG;
}

/* Starts of n names, and one past the NUL of the last: false unless there are just so many. Nothing
 * behind them is read: another thread may be writing there. */
static bool
find_starts(const char *names, uint32_t len, uint32_t n, uint32_t *ret)
{
	uint32_t i = 0;

	ret[i++] = 0;
	for (uint32_t at = 0; at < len; at += 8) {
		uint64_t word = UINT64_MAX;

		memcpy(&word, names + at, MIN(8u, len - at));
		for (uint64_t nuls = name_nuls(word); nuls; nuls &= nuls - 1) {
			if (i > n)
				return false;
			ret[i++] = at + (uint32_t)__builtin_ctzll(nuls) / 8 + 1;
		}
	}
	return i == n + 1 && ret[n] == len;
}

static int
unpack_some(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	const struct unpacking *u = ctx;
	int r = 0;

	for (; lo < hi && r == 0; lo++) {
		uint32_t first = (uint32_t)lo * TREE_CHUNK;
		uint32_t n = MIN(u->cols->n_entries - first, TREE_CHUNK);

		r = unpack(u, worker, (uint32_t)lo);
		if (r == 0 && !find_starts(u->names + u->frame_at[lo], u->in->frames[lo].bytes, n,
				      u->name_at + first + lo))
			r = -EBADMSG;
	}
	return r;
}

static int
unpack_all(struct unpacking *u, struct pool *pool)
{
	unsigned width = tree_par_width(pool);
	int r;

	u->zstd = calloc(width, sizeof(ZSTD_DCtx *));
	if (!u->zstd)
		return -ENOMEM;
	r = tree_par(pool, TASK_QUERY, tree_n_frames(u->cols), unpack_some, u, NULL);
	for (unsigned i = 0; i < width; i++)
		(void)ZSTD_freeDCtx(u->zstd[i]);
	free(u->zstd);
	return r;
}

static size_t
names_room(const struct tree_cols *c)
{
	return ALIGN_UP((size_t)c->names_bytes + TREE_NAMES_PAD, 8);
}

size_t
frames_room(const struct tree_cols *c)
{
	size_t n = tree_n_frames(c);

	return names_room(c) + (n + 1) * sizeof(uint64_t) + (c->n_entries + n) * sizeof(uint32_t);
}

int
frames_unpack(struct tree_cols *c, const struct frames_in *in, struct pool *pool, char *room)
{
	const uint32_t n = tree_n_frames(c);
	AUTO(freep) uint64_t *packed_at = calloc(n + (size_t)1, sizeof(*packed_at));
	struct unpacking u = {.cols = c, .in = in, .packed_at = packed_at, .names = room};

	if (!packed_at)
		return -ENOMEM;
	u.frame_at = (void *)(room + names_room(c));
	u.name_at = (void *)(u.frame_at + n + 1);
	for (uint32_t i = 0; i < n; i++) {
		packed_at[i + 1] = packed_at[i] + in->frames[i].packed;
		u.frame_at[i + 1] = u.frame_at[i] + in->frames[i].bytes;
	}
	if (packed_at[n] != in->len || u.frame_at[n] != c->names_bytes)
		return -EBADMSG;
	c->names = room;
	c->frame_at = u.frame_at;
	c->name_at = u.name_at;
	return unpack_all(&u, pool);
}
