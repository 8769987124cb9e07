#include "base/hash.h"
#include "index/segment_write.h"
#include "index/tree_par.h"
#include "index/tree_part.h"

#include <errno.h>
#include <limits.h>
#include <sys/uio.h>
#include <unistd.h>

/* Parts are packed by many threads, then joined: a section is a list of pieces of memory, most of
 * them in the parts, some made here because they count from the start of the tree. Each section is
 * summed and written by one thread, the sections side by side. The header comes last: until then
 * it is zeros. */

struct out_section {
	uint32_t id, flags;
	uint64_t offset, length, sum;
	struct iovec *pieces;
	size_t n_pieces, cap;
	void *own; /* memory that pieces point to; may be NULL */
};

struct writer {
	/* Fixed before sections are written. */
	int fd;
	const struct tree_plan *plan;
	struct pool *pool;
	struct stop *stop;
	struct tree_part *parts;
	uint32_t n_parts;
	struct part_scratch **scratch; /* by worker */
	unsigned n_scratch;
	struct tree_links links;
	struct gram_index grams;
	uint64_t file_bytes;
	uint32_t n_wide;
	uint64_t names_bytes;

	struct out_section sections[SECTION_LAST];
	uint32_t n_sections;
};

static const char zeros[8];

static int
make_parts(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct writer *w = ctx;
	int r = 0;

	if (!w->scratch[worker])
		w->scratch[worker] = part_scratch_create();
	if (!w->scratch[worker])
		return -ENOMEM;
	for (; lo < hi && r == 0; lo++)
		r = tree_part_make(
			w->plan, (uint32_t)lo * TREE_CHUNK, w->scratch[worker], &w->parts[lo]);
	return r;
}

/* Directories are in the plan and, one by one, among the rows. */
static int
add_parts(struct writer *w)
{
	uint64_t n_subs = 0;

	for (uint32_t i = 0; i < w->n_parts; i++) {
		n_subs += w->parts[i].n_subs;
		w->n_wide += w->parts[i].n_wide;
		w->names_bytes += w->parts[i].names_bytes;
	}
	return n_subs == w->plan->counts.n_dirs ? 0 : -EBADMSG;
}

static int
pack_parts(struct writer *w)
{
	int r;

	w->n_parts = (w->plan->counts.n_entries - 1) / TREE_CHUNK + 1;
	w->n_scratch = tree_par_width(w->pool);
	w->parts = calloc(w->n_parts, sizeof(*w->parts));
	w->scratch = calloc(w->n_scratch, sizeof(struct part_scratch *));
	if (!w->parts || !w->scratch)
		return -ENOMEM;
	r = tree_par(w->pool, TASK_INDEX, w->n_parts, make_parts, w, w->stop);
	return r < 0 ? r : add_parts(w);
}

static int
find_links(struct writer *w)
{
	VEC(struct link_seed) seeds = {0};
	struct link_dirs dirs = {.end = w->plan->dir_end, .parent = w->plan->parent};
	size_t n = 0;
	int r;

	for (uint32_t i = 0; i < w->n_parts; i++)
		n += w->parts[i].n_links;
	if (n == 0)
		return 0;
	if (VEC_RESERVE(&seeds, n) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < w->n_parts; i++) {
		const struct tree_part *p = &w->parts[i];

		if (p->n_links > 0)
			memcpy(seeds.data + seeds.len, p->links, p->n_links * sizeof(*p->links));
		seeds.len += p->n_links;
	}
	r = tree_links_make(seeds.data, n, &dirs, w->pool, w->stop, &w->links);
	VEC_FINI(&seeds);
	return r;
}

static int
find_grams(struct writer *w)
{
	AUTO(freep) struct gram_chunk *chunks = NULL;

	if (!w->plan->with_grams)
		return 0;
	chunks = calloc(w->n_parts, sizeof(*chunks));
	if (!chunks)
		return -ENOMEM;
	for (uint32_t i = 0; i < w->n_parts; i++)
		chunks[i] = w->parts[i].grams;
	return gram_index_make(
		chunks, tree_n_groups(&w->plan->counts), w->pool, w->stop, &w->grams);
}

/* A new section of up to `n_pieces` and `own_bytes` of its own: NULL when memory is out. */
static struct out_section *
add_section(struct writer *w, enum tree_section id, size_t n_pieces, size_t own_bytes)
{
	struct out_section *s = &w->sections[w->n_sections++];

	*s = (struct out_section){.id = id, .cap = n_pieces};
	if (id == SECTION_GRAM_NODES || id == SECTION_GRAM_LISTS || id == SECTION_GRAM_ROWS)
		s->flags = TREE_SECTION_OPTIONAL;
	s->pieces = malloc(n_pieces * sizeof(*s->pieces));
	s->own = own_bytes > 0 ? malloc(own_bytes) : NULL;
	return s->pieces && (s->own || own_bytes == 0) ? s : NULL;
}

static void
add_bytes(struct out_section *s, const void *data, size_t len)
{
	if (len == 0)
		return;
	assert(s->n_pieces < s->cap);
	/* writev lacks const. */
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	s->pieces[s->n_pieces++] = (struct iovec){(void *)(uintptr_t)data, len};
	s->length += len;
}

static int
add_table(struct writer *w, enum tree_section id, const void *data, size_t len)
{
	struct out_section *s = add_section(w, id, 1, 0);

	if (!s)
		return -ENOMEM;
	add_bytes(s, data, len);
	return 0;
}

/* Part of a part that goes into a section as it is. */
struct extent {
	const void *data;
	size_t len;
};

static struct extent
part_extent(const struct tree_part *p, enum tree_section id)
{
	switch ((unsigned)id) {
	case SECTION_DIR_BITS:
		return (struct extent){p->dir_bits, 8 * (size_t)((p->n - 1) / 64 + 1)};
	case SECTION_NAMES:
		return (struct extent){p->packed.data, p->packed.len};
	case SECTION_WIDE:
		return (struct extent){p->wide, 4 * (size_t)p->n_wide};
	case SECTION_UNREAD:
		return (struct extent){p->unread, 4 * (size_t)p->n_unread};
	default:
		return (struct extent){p->dir_order, 4 * (size_t)p->n_subs};
	}
}

static int
add_extents(struct writer *w, enum tree_section id)
{
	struct out_section *s = add_section(w, id, w->n_parts, 0);

	if (!s)
		return -ENOMEM;
	for (uint32_t i = 0; i < w->n_parts; i++) {
		struct extent x = part_extent(&w->parts[i], id);

		add_bytes(s, x.data, x.len);
	}
	return 0;
}

static int
add_frames(struct writer *w)
{
	struct out_section *s =
		add_section(w, SECTION_FRAMES, 1, w->n_parts * sizeof(struct tree_frame));
	struct tree_frame *frames;

	if (!s)
		return -ENOMEM;
	frames = s->own;
	for (uint32_t i = 0; i < w->n_parts; i++)
		frames[i] = (struct tree_frame){
			(uint32_t)w->parts[i].packed.len, (uint32_t)w->parts[i].names_bytes};
	add_bytes(s, frames, w->n_parts * sizeof(*frames));
	return 0;
}

static int
add_dir_rank(struct writer *w)
{
	uint32_t n = (w->plan->counts.n_entries - 1) / 64 + 1, k = 0, before = 0;
	struct out_section *s = add_section(w, SECTION_DIR_RANK, 1, n * sizeof(uint32_t));
	uint32_t *rank;

	if (!s)
		return -ENOMEM;
	rank = s->own;
	for (uint32_t i = 0; i < w->n_parts; i++) {
		const struct tree_part *p = &w->parts[i];

		for (uint32_t g = 0; g * 64 < p->n; g++)
			rank[k++] = before + p->dir_rank[g];
		before += p->n_subs;
	}
	assert(k == n && before == w->plan->counts.n_dirs);
	add_bytes(s, rank, n * sizeof(*rank));
	return 0;
}

static int
add_sums(struct writer *w)
{
	uint32_t n = w->plan->counts.n_entries / TREE_BLOCK + 1, k = 0;
	struct out_section *s = add_section(w, SECTION_SUMS, 1, n * sizeof(struct tree_sum));
	struct tree_sum *sums, before = {0};

	if (!s)
		return -ENOMEM;
	sums = s->own;
	for (uint32_t i = 0; i < w->n_parts; i++) {
		const struct tree_part *p = &w->parts[i];

		for (uint32_t b = 0; b < p->n_blocks; b++, k++)
			sums[k] = (struct tree_sum){
				before.size + p->sums[b].size, before.blocks + p->sums[b].blocks};
		before.size += p->sum.size;
		before.blocks += p->sum.blocks;
	}
	if (k < n)
		sums[k] = before;
	add_bytes(s, sums, n * sizeof(*sums));
	return 0;
}

static int
add_column(struct writer *w, enum tree_column col)
{
	uint32_t n = tree_n_blocks(&w->plan->counts), k = 0;
	struct out_section *s = add_section(
		w, tree_column_section(col), w->n_parts + 2, n * sizeof(struct tree_block));
	struct tree_block *heads;
	uint64_t at = 0;

	if (!s)
		return -ENOMEM;
	heads = s->own;
	add_bytes(s, heads, n * sizeof(*heads));
	for (uint32_t i = 0; i < w->n_parts; i++) {
		const struct part_column *c = &w->parts[i].columns[col];

		for (uint32_t b = 0; b < w->parts[i].n_blocks; b++) {
			heads[k] = c->heads[b];
			heads[k++].at += (uint32_t)at;
		}
		add_bytes(s, c->words, c->bytes);
		at += c->bytes / 8;
	}
	add_bytes(s, zeros, sizeof(zeros));
	return at > UINT32_MAX ? -EFBIG : 0;
}

static int
add_grams(struct writer *w)
{
	const struct gram_index *x = &w->grams;
	struct out_section *s;
	int r;

	if (!x->nodes)
		return 0;
	r = add_table(w, SECTION_GRAM_NODES, x->nodes, x->n_nodes * sizeof(*x->nodes));
	s = r == 0 ? add_section(w, SECTION_GRAM_LISTS, GRAM_INDEX_PARTS, 0) : NULL;
	if (!s)
		return -ENOMEM;
	for (uint32_t k = 0; k < GRAM_INDEX_PARTS; k++)
		add_bytes(s, x->lists[k].data, x->lists[k].len);
	return add_table(w, SECTION_GRAM_ROWS, x->rows, (x->n_rows + 1) * sizeof(*x->rows));
}

static int
add_layer(struct writer *w)
{
	const struct tree_cols *n = &w->plan->counts;
	int r;

	if (n->n_below == 0)
		return 0;
	r = add_table(w, SECTION_BELOW, n->below, n->n_below * sizeof(*n->below));
	return r < 0 ? r : add_table(w, SECTION_DEAD, n->dead, n->n_dead * sizeof(*n->dead));
}

static int
add_one(struct writer *w, enum tree_section id)
{
	const struct tree_plan *plan = w->plan;
	const struct tree_cols *n = &plan->counts;

	switch (id) {
	case SECTION_CLASSES:
		return add_table(
			w, id, plan->classes, sizeof(*plan->classes) * (size_t)n->n_classes);
	case SECTION_FRAMES:
		return add_frames(w);
	case SECTION_UNREAD:
	case SECTION_NAMES:
	case SECTION_DIR_BITS:
	case SECTION_WIDE:
	case SECTION_DIR_ORDER:
		return add_extents(w, id);
	case SECTION_DIR_FIRST:
		return add_table(w, id, plan->dir_first, 4 * ((size_t)n->n_dirs + 1));
	case SECTION_DIR_END:
		return add_table(w, id, plan->dir_end, 4 * (size_t)n->n_dirs);
	case SECTION_DIR_ENTRY:
		return add_table(w, id, plan->dir_entry, 4 * (size_t)n->n_dirs);
	case SECTION_DIR_RANK:
		return add_dir_rank(w);
	case SECTION_SUMS:
		return add_sums(w);
	case SECTION_LINKS:
		return add_table(w, id, w->links.links.data,
			w->links.links.len * sizeof(*w->links.links.data));
	case SECTION_LINK_SUMS:
		return add_table(
			w, id, w->links.sums.data, w->links.sums.len * sizeof(*w->links.sums.data));
	case SECTION_GRAM_NODES: /* and all others of grams */
		return add_grams(w);
	case SECTION_BELOW:
		return add_layer(w);
	case SECTION_GRAM_LISTS:
	case SECTION_GRAM_ROWS:
	case SECTION_DEAD:
		return 0;
	case SECTION_PARENT:
		return add_column(w, TREE_PARENT);
	case SECTION_CLS:
		return add_column(w, TREE_CLS);
	case SECTION_SIZE:
		return add_column(w, TREE_SIZE);
	case SECTION_BLOCKS:
		return add_column(w, TREE_BLOCKS);
	case SECTION_MTIME:
		return add_column(w, TREE_MTIME);
	case SECTION_CTIME:
		return add_column(w, TREE_CTIME);
	case SECTION_INO:
		return add_column(w, TREE_INO);
	case SECTION_NLINK:
		return add_column(w, TREE_NLINK);
	case SECTION_FLAGS:
		return add_column(w, TREE_FLAGS);
	}
	return 0;
}

/* Where each section stands, once all lengths are known. */
static void
place_sections(struct writer *w)
{
	uint64_t end = TREE_HEADER_BYTES + w->n_sections * TREE_ROW_BYTES;

	for (uint32_t i = 0; i < w->n_sections; i++) {
		w->sections[i].offset = ALIGN_UP(end, TREE_ALIGN);
		end = w->sections[i].offset + w->sections[i].length;
	}
	w->file_bytes = end;
}

static int
join_parts(struct writer *w)
{
	int r = find_links(w);

	if (r == 0)
		r = find_grams(w);
	for (unsigned id = 1; id <= SECTION_LAST && r == 0; id++)
		r = add_one(w, (enum tree_section)id);
	place_sections(w);
	return r;
}

static int
pwritev_full(int fd, struct iovec *v, size_t n, uint64_t offset)
{
	while (n > 0) {
		ssize_t done = pwritev(fd, v, (int)MIN(n, (size_t)IOV_MAX), (off_t)offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		offset += (uint64_t)done;
		for (; n > 0 && (size_t)done >= v->iov_len; v++, n--)
			done -= (ssize_t)v->iov_len;
		if (done > 0) {
			v->iov_base = (char *)v->iov_base + done;
			v->iov_len -= (size_t)done;
		}
	}
	return 0;
}

static int
write_section(struct writer *w, struct out_section *s)
{
	struct hash_stream *sum = hash_stream_create(s->id);

	if (!sum)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_pieces; i++)
		hash_stream_add(sum, s->pieces[i].iov_base, s->pieces[i].iov_len);
	s->sum = hash_stream_sum(sum);
	hash_stream_destroy(sum);
	return pwritev_full(w->fd, s->pieces, s->n_pieces, s->offset);
}

static int
write_some(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	struct writer *w = ctx;
	int r = 0;

	(void)worker;
	for (; lo < hi && r == 0; lo++)
		r = write_section(w, &w->sections[lo]);
	return r;
}

/* FORMAT.md 2. */
static int
write_header(struct writer *w)
{
	const struct tree_cols *counts = &w->plan->counts;
	const struct {
		uint32_t n_entries, n_dirs, n_classes, n_wide;
		uint64_t names_bytes;
	} own = {counts->n_entries, counts->n_dirs, counts->n_classes, w->n_wide, w->names_bytes};
	struct segment_section rows[SECTION_LAST];

	_Static_assert(sizeof(own) == SEGMENT_OWN_BYTES, "FORMAT.md 2");
	for (uint32_t i = 0; i < w->n_sections; i++) {
		const struct out_section *s = &w->sections[i];

		rows[i] = (struct segment_section){s->id, s->flags, s->offset, s->length, s->sum};
	}
	return segment_write_header(w->fd, &tree_kind,
		counts->n_below > 0 ? TREE_KIND_LAYER : TREE_KIND_BASE, &own, rows, w->n_sections);
}

static void
writer_fini(struct writer *w)
{
	for (uint32_t i = 0; i < w->n_sections; i++) {
		free(w->sections[i].pieces);
		free(w->sections[i].own);
	}
	for (uint32_t i = 0; w->parts && i < w->n_parts; i++)
		tree_part_fini(&w->parts[i]);
	for (unsigned i = 0; w->scratch && i < w->n_scratch; i++)
		part_scratch_destroy(w->scratch[i]);
	tree_links_fini(&w->links);
	gram_index_fini(&w->grams);
	free(w->parts);
	free(w->scratch);
}

int
tree_write(int fd, const struct tree_plan *plan, struct pool *pool, struct stop *stop,
	uint64_t *ret_bytes)
{
	struct writer w = {.fd = fd, .plan = plan, .pool = pool, .stop = stop};
	int r = pack_parts(&w);

	if (r == 0)
		r = join_parts(&w);
	if (r == 0)
		r = tree_par(pool, TASK_INDEX, w.n_sections, write_some, &w, stop);
	if (r == 0)
		r = write_header(&w);
	if (r == 0)
		*ret_bytes = w.file_bytes;
	writer_fini(&w);
	return r;
}
