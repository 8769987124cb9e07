#include "index/tree_frame.h"
#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/vec.h"

/* The names of a tree as tree_write lays them out. */
struct packed_names {
	struct tree_cols cols;
	struct strbuf names, frames;
	struct tree_frame *table;
	uint32_t n_frames;
};

static void
add_frame(struct packed_names *p, struct frame_packer *packer, size_t from)
{
	struct span frame;

	CHECK_INT(frame_pack(
			  packer, (struct span){p->names.data + from, p->names.len - from}, &frame),
		0);
	p->table[p->n_frames++] =
		(struct tree_frame){(uint32_t)frame.len, (uint32_t)(p->names.len - from)};
	CHECK_INT(strbuf_span(&p->frames, frame), 0);
}

static void
pack_all(struct packed_names *p, uint32_t n, bool alike)
{
	struct frame_packer *packer = frame_packer_create();
	size_t from = 0;

	*p = (struct packed_names){.cols.n_entries = n};
	p->table = calloc(tree_n_frames(&p->cols), sizeof(*p->table));
	for (uint32_t e = 0; e < n; e++) {
		uint64_t h = hash64(&e, sizeof(e), 7);

		if (alike)
			CHECK_INT(strbuf_printf(&p->names, "file%07u.txt", e), 0);
		else /* of all lengths */
			CHECK_INT(strbuf_printf(&p->names, "%.*s%08x", (int)(h % 37),
					  "abcdefghijklmnopqrstuvwxyzabcdefghijklmnop",
					  (unsigned)(h >> 32)),
				0);
		CHECK_INT(strbuf_putc(&p->names, '\0'), 0);
		if ((e + 1) % TREE_CHUNK == 0 || e + 1 == n) {
			add_frame(p, packer, from);
			from = p->names.len;
		}
	}
	CHECK_INT(p->n_frames, tree_n_frames(&p->cols));
	p->cols.names_bytes = p->names.len;
	frame_packer_destroy(packer);
}

static void
packed_fini(struct packed_names *p)
{
	free(p->table);
	strbuf_fini(&p->names);
	strbuf_fini(&p->frames);
}

/* Into fresh room, which the caller frees. */
static int
unpack_into(struct packed_names *p, struct pool *pool, char **ret)
{
	struct frames_in in = {p->table, p->frames.data, p->frames.len};

	*ret = calloc(1, frames_room(&p->cols));
	return frames_unpack(&p->cols, &in, pool, *ret);
}

static int
unpack(struct packed_names *p)
{
	char *room;
	int r = unpack_into(p, NULL, &room);

	free(room);
	return r;
}

static void
check_same(const struct packed_names *p)
{
	const char *name = p->names.data;

	CHECK(memcmp(p->cols.names, p->names.data, p->names.len) == 0);
	CHECK(memcmp(p->cols.names + p->names.len, (char[64]){0}, 64) == 0);
	for (uint32_t e = 0; e < p->cols.n_entries; e++) {
		struct span found = tree_name(&p->cols, e);

		CHECK(span_eq(found, span_of(name)));
		CHECK_INT(tree_name_at(&p->cols, e), name - p->names.data);
		name += found.len + 1;
	}
	CHECK_INT(tree_name_at(&p->cols, p->cols.n_entries), p->names.len);
}

TEST(tree_frame, names_come_back_as_they_were)
{
	static const uint32_t sizes[] = {
		1, 63, 64, TREE_CHUNK - 1, TREE_CHUNK, TREE_CHUNK + 1, 5 * TREE_CHUNK + 77};
	struct pool *pool;

	CHECK_INT(pool_create("t", 2, &pool), 0);
	for (size_t i = 0; i < 2 * ARRAY_LEN(sizes); i++) {
		struct packed_names p;
		char *room;

		pack_all(&p, sizes[i / 2], i % 2);
		CHECK_INT(unpack_into(&p, i % 3 ? pool : NULL, &room), 0);
		check_same(&p);
		/* Names that are alike in a frame of some size take less. */
		CHECK(!(i % 2) || sizes[i / 2] < 64 || p.frames.len < p.names.len / 2);
		free(room);
		packed_fini(&p);
	}
	pool_destroy(pool);
}

TEST(tree_frame, what_does_not_hold_its_names_is_refused)
{
	struct packed_names p;
	struct tree_frame good;

	pack_all(&p, 3 * TREE_CHUNK, true);
	good = p.table[1];
	CHECK_INT(unpack(&p), 0);
	p.cols.names_bytes--;
	CHECK_INT(unpack(&p), -EBADMSG);
	p.cols.names_bytes++;
	p.cols.n_entries--; /* a name more in the last frame */
	CHECK_INT(unpack(&p), -EBADMSG);
	p.cols.n_entries++;
	p.table[1].packed++;
	CHECK_INT(unpack(&p), -EBADMSG);
	p.table[2].packed--; /* the lengths add up, the places are wrong */
	CHECK_INT(unpack(&p), -EBADMSG);
	p.table[1] = good;
	p.table[2].packed++;
	p.table[1].bytes += 17;
	p.table[2].bytes -= 17;
	CHECK_INT(unpack(&p), -EBADMSG);
	p.table[1] = good;
	p.table[2].bytes += 17;
	p.frames.data[0] ^= 0x55; /* the first frame's magic */
	CHECK_INT(unpack(&p), -EBADMSG);
	p.frames.data[0] ^= 0x55;
	p.frames.len--;
	CHECK_INT(unpack(&p), -EBADMSG);
	packed_fini(&p);
}

/* A frame that is no shorter packed stands as it is; so each of its bytes can be wrong. */
TEST(tree_frame, a_frame_that_is_not_packed_must_hold_its_names_too)
{
	struct packed_names p;

	pack_all(&p, 3, false);
	CHECK_INT(p.table[0].packed, p.table[0].bytes);
	CHECK_INT(unpack(&p), 0);
	p.frames.data[p.frames.len - 1] = 'x'; /* the last NUL */
	CHECK_INT(unpack(&p), -EBADMSG);
	p.frames.data[p.frames.len - 1] = '\0';
	p.frames.data[1] = '\0'; /* one name more */
	CHECK_INT(unpack(&p), -EBADMSG);
	packed_fini(&p);
}
