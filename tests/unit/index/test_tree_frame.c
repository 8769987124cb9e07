#include "index/tree_frame.h"
#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/vec.h"

/* The names of a tree as tree_write lays them out, with what a reader knows of them. */
struct packed_names {
	struct tree_cols cols;
	uint64_t *base;
	struct strbuf names, section;
};

static void
pack_all(struct packed_names *p, uint32_t n, bool alike)
{
	struct frame_packer *packer = frame_packer_create();
	struct strbuf frames = {0};
	size_t from = 0;

	*p = (struct packed_names){.cols.n_entries = n};
	p->cols.name_base = p->base = calloc(n / TREE_NAME_GROUP + 1, sizeof(uint64_t));
	for (uint32_t e = 0; e <= n; e++) {
		if (e % TREE_NAME_GROUP == 0)
			p->base[e / TREE_NAME_GROUP] = p->names.len;
		if ((e % TREE_CHUNK == 0 || e == n) && p->names.len > from) {
			struct span frame;
			uint32_t len;

			CHECK_INT(frame_pack(packer,
					  (struct span){p->names.data + from, p->names.len - from},
					  &frame),
				0);
			len = (uint32_t)frame.len;
			CHECK_INT(strbuf_add(&p->section, (const char *)&len, sizeof(len)), 0);
			CHECK_INT(strbuf_span(&frames, frame), 0);
			from = p->names.len;
		}
		if (e < n && alike)
			CHECK_INT(strbuf_printf(&p->names, "file%07u.txt", e), 0);
		else if (e < n)
			CHECK_INT(strbuf_printf(&p->names, "%016lx",
					  (unsigned long)hash64(&e, sizeof(e), 7)),
				0);
		if (e < n)
			CHECK_INT(strbuf_putc(&p->names, '\0'), 0);
	}
	p->cols.names_bytes = p->names.len;
	CHECK_INT(strbuf_span(&p->section, strbuf_view(&frames)), 0);
	strbuf_fini(&frames);
	frame_packer_destroy(packer);
}

static void
packed_fini(struct packed_names *p)
{
	free(p->base);
	strbuf_fini(&p->names);
	strbuf_fini(&p->section);
}

static int
unpack_section(const struct packed_names *p, struct pool *pool, char *to)
{
	return frames_unpack(&p->cols, strbuf_view(&p->section), pool, to);
}

TEST(tree_frame, names_come_back_as_they_were)
{
	static const uint32_t sizes[] = {
		1, 63, 64, TREE_CHUNK - 1, TREE_CHUNK, TREE_CHUNK + 1, 5 * TREE_CHUNK + 77};
	struct pool *pool;

	CHECK_INT(pool_create("t", 2, &pool), 0);
	for (size_t i = 0; i < 2 * ARRAY_LEN(sizes); i++) {
		struct packed_names p;
		char *to;

		pack_all(&p, sizes[i / 2], i % 2);
		to = calloc(1, p.names.len);
		CHECK_INT(unpack_section(&p, i % 3 ? pool : NULL, to), 0);
		CHECK(memcmp(to, p.names.data, p.names.len) == 0);
		/* Names that are alike in a frame of some size take less. */
		CHECK(!(i % 2) || sizes[i / 2] < 64 || p.section.len < p.names.len / 2);
		free(to);
		packed_fini(&p);
	}
	pool_destroy(pool);
}

TEST(tree_frame, what_does_not_hold_its_names_is_refused)
{
	struct packed_names p;
	char *to;
	uint32_t len;

	pack_all(&p, 3 * TREE_CHUNK, true);
	to = calloc(1, p.names.len);
	memcpy(&len, p.section.data, sizeof(len));

	p.cols.names_bytes--;
	CHECK_INT(unpack_section(&p, NULL, to), -EBADMSG);
	p.cols.names_bytes++;
	p.base[0] = 1;
	CHECK_INT(unpack_section(&p, NULL, to), -EBADMSG);
	p.base[0] = 0;
	p.base[TREE_CHUNK / TREE_NAME_GROUP] += 17;
	CHECK_INT(unpack_section(&p, NULL, to), -EBADMSG);
	p.base[TREE_CHUNK / TREE_NAME_GROUP] = UINT64_MAX;
	CHECK_INT(unpack_section(&p, NULL, to), -EBADMSG);
	p.base[TREE_CHUNK / TREE_NAME_GROUP] = p.base[0] + TREE_CHUNK * 16;
	CHECK_INT(unpack_section(&p, NULL, to), 0);

	for (uint32_t i = 0; i < 2; i++) {
		uint32_t wrong = i ? len + 1 : len - 1;

		memcpy(p.section.data, &wrong, sizeof(wrong));
		CHECK_INT(unpack_section(&p, NULL, to), -EBADMSG);
	}
	memcpy(p.section.data, &len, sizeof(len));
	p.section.data[12] ^= 0x55; /* the first frame's magic */
	CHECK_INT(unpack_section(&p, NULL, to), -EBADMSG);
	p.section.len = 11;
	CHECK_INT(unpack_section(&p, NULL, to), -EBADMSG);
	free(to);
	packed_fini(&p);
}
