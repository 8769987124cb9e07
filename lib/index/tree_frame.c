#include "index/tree_frame.h"

#include <errno.h>
#include <stdlib.h>
#include <zstd.h>

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
	const struct tree_cols *cols;
	struct span frames; /* behind the lengths */
	const uint64_t *at; /* [n_frames + 1] where each begins in them */
	char *to;
	ZSTD_DCtx **zstd; /* by worker; made when first needed */
};

/* Where the names of a frame are: false where name_base cannot be right. */
static bool
names_of(const struct tree_cols *c, uint32_t frame, uint64_t *ret_lo, uint64_t *ret_hi)
{
	const uint32_t groups = TREE_CHUNK / TREE_NAME_GROUP;

	*ret_lo = c->name_base[frame * groups];
	*ret_hi =
		frame + 1 < tree_n_frames(c) ? c->name_base[(frame + 1) * groups] : c->names_bytes;
	return *ret_lo <= *ret_hi && *ret_hi <= c->names_bytes && (frame > 0 || *ret_lo == 0);
}

static int
unpack(const struct unpacking *u, unsigned worker, uint32_t frame)
{
	struct span packed = {u->frames.data + u->at[frame], u->at[frame + 1] - u->at[frame]};
	uint64_t lo, hi;
	size_t len;

	if (!names_of(u->cols, frame, &lo, &hi))
		return -EBADMSG;
	if (packed.len == hi - lo) {
		memcpy(u->to + lo, packed.data, packed.len);
		return 0;
	}
	if (!u->zstd[worker])
		u->zstd[worker] = ZSTD_createDCtx();
	if (!u->zstd[worker])
		return -ENOMEM;
	len = ZSTD_decompressDCtx(u->zstd[worker], u->to + lo, hi - lo, packed.data, packed.len);
	return !ZSTD_isError(len) && len == hi - lo ? 0 : -EBADMSG;
}

static int
unpack_some(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	int r = 0;

	for (; lo < hi && r == 0; lo++)
		r = unpack(ctx, worker, (uint32_t)lo);
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

int
frames_unpack(const struct tree_cols *c, struct span section, struct pool *pool, char *to)
{
	const uint32_t n = tree_n_frames(c);
	struct unpacking u = {.cols = c, .to = to};
	AUTO(freep) uint64_t *at = malloc((n + (size_t)1) * sizeof(*at));

	if (!at)
		return -ENOMEM;
	if (section.len / sizeof(uint32_t) < n)
		return -EBADMSG;
	u.frames = (struct span){
		section.data + n * sizeof(uint32_t), section.len - n * sizeof(uint32_t)};
	at[0] = 0;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t len;

		memcpy(&len, section.data + i * sizeof(len), sizeof(len));
		at[i + 1] = at[i] + len;
	}
	if (at[n] != u.frames.len)
		return -EBADMSG;
	u.at = at;
	return unpack_all(&u, pool);
}
