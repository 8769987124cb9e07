#include "index/tree_part.h"

#include <errno.h>
#include <sys/stat.h>

struct part_scratch {
	struct plan_rows in;
	uint64_t values[N_TREE_COLUMNS][TREE_BLOCK]; /* of one block */
	char words[N_TREE_COLUMNS][PART_BLOCKS * TREE_PACK_MAX_BYTES];
	size_t n_words[N_TREE_COLUMNS]; /* bytes */
	uint32_t subs[TREE_CHUNK];
	uint32_t unread[TREE_CHUNK];
	struct link_seed links[TREE_CHUNK];
	struct gram_seen *seen;
	struct frame_packer *packer;
	struct strbuf names; /* of the part, a NUL behind each */
	struct span packed;  /* the same, as a frame */
};

struct part_scratch *
part_scratch_create(void)
{
	struct part_scratch *s = malloc(sizeof(*s));

	if (!s)
		return NULL;
	s->names = (struct strbuf){0};
	s->seen = gram_seen_create();
	s->packer = frame_packer_create();
	if (!s->seen || !s->packer) {
		part_scratch_destroy(s);
		return NULL;
	}
	return s;
}

void
part_scratch_destroy(struct part_scratch *s)
{
	if (!s)
		return;
	gram_seen_destroy(s->seen);
	frame_packer_destroy(s->packer);
	strbuf_fini(&s->names);
	free(s);
}

void
tree_part_fini(struct tree_part *part)
{
	free(part->memory);
	free(part->wide);
}

uint32_t
tree_plan_dir(const struct tree_plan *plan, uint32_t entry)
{
	uint32_t lo = 0, hi = plan->counts.n_dirs;

	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (plan->dir_first[mid] <= entry)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

static void
add_sub(const struct tree_plan *plan, struct tree_part *part, struct part_scratch *s, uint32_t i)
{
	uint32_t number = s->in.numbers[i];

	part->dir_bits[i / 64] |= (uint64_t)1 << i % 64;
	plan->dir_entry[number] = part->first + i;
	s->subs[part->n_subs++] = number;
}

static void
add_link(const struct tree_plan *plan, struct tree_part *part, struct part_scratch *s, uint32_t i)
{
	const struct walk_entry *row = s->in.rows[i];
	const struct tree_class *cls = &plan->classes[s->in.classes[i]];

	if (S_ISDIR(cls->mode))
		return;
	s->links[part->n_links++] = (struct link_seed){
		.dev = cls->dev,
		.ino = row->ino,
		.sum = {row->size, row->blocks},
		.entry = part->first + i,
		.parent = s->in.parents[i],
	};
}

/* What is rare: directories, those of them that were not read, and links. */
static void
add_rare(const struct tree_plan *plan, struct tree_part *part, struct part_scratch *s, uint32_t i)
{
	const struct walk_entry *row = s->in.rows[i];

	if (i % 64 == 0)
		part->dir_rank[i / 64] = part->n_subs;
	if (s->in.numbers[i] != TREE_NO_DIR)
		add_sub(plan, part, s, i);
	if (s->in.flags[i] & TREE_NOT_ENTERED)
		s->unread[part->n_unread++] = part->first + i;
	if (row->nlink > 1)
		add_link(plan, part, s, i);
}

/* One block's rows into columns; a short block is filled up with its last row. */
static void
spread_rows(const struct part_scratch *s, uint32_t lo, uint32_t n,
	uint64_t values[N_TREE_COLUMNS][TREE_BLOCK])
{
	for (uint32_t i = 0; i < TREE_BLOCK; i++) {
		uint32_t k = lo + MIN(i, n - 1);
		const struct walk_entry *row = s->in.rows[k];

		values[TREE_SIZE][i] = row->size;
		values[TREE_BLOCKS][i] = row->blocks;
		values[TREE_MTIME][i] = (uint64_t)row->mtime_ns;
		values[TREE_CTIME][i] = (uint64_t)row->ctime_ns;
		values[TREE_INO][i] = row->ino;
		values[TREE_NLINK][i] = row->nlink;
		values[TREE_CLS][i] = s->in.classes[k];
		values[TREE_PARENT][i] = s->in.parents[k];
		values[TREE_FLAGS][i] = s->in.flags[k];
	}
}

static void
add_sums(struct tree_part *part, const struct part_scratch *s, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		part->sum.size += s->values[TREE_SIZE][i];
		part->sum.blocks += s->values[TREE_BLOCKS][i];
	}
}

static void
pack_block(const struct tree_plan *plan, struct tree_part *part, struct part_scratch *s)
{
	uint32_t block = part->n_blocks++, lo = block * TREE_BLOCK;
	uint32_t n = MIN(part->n - lo, TREE_BLOCK);

	spread_rows(s, lo, n, s->values);
	part->sums[block] = part->sum;
	add_sums(part, s, n);
	for (unsigned col = 0; col < N_TREE_COLUMNS; col++) {
		struct tree_block *head = &part->columns[col].heads[block];
		size_t at = s->n_words[col];

		s->n_words[col] +=
			tree_pack((enum tree_column)col, s->values[col], head, s->words[col] + at);
		head->at = (uint32_t)(at / 8);
	}
	for (uint32_t i = lo; i < lo + n; i++)
		add_rare(plan, part, s, i);
}

static int
join_names(struct tree_part *part, struct part_scratch *s)
{
	char *out;

	for (uint32_t i = 0; i < part->n; i++)
		part->names_bytes += s->in.rows[i]->name_len + 1u;
	strbuf_reset(&s->names);
	if (strbuf_reserve(&s->names, part->names_bytes) < 0)
		return -ENOMEM;
	out = s->names.data;
	for (uint32_t i = 0; i < part->n; i++) {
		size_t len = s->in.rows[i]->name_len + 1u;

		memcpy(out, s->in.rows[i]->name, len);
		out += len;
	}
	s->names.len = part->names_bytes;
	return frame_pack(s->packer, strbuf_view(&s->names), &s->packed);
}

static char *
take(char **at, const void *from, size_t bytes)
{
	char *p = *at;

	memcpy(p, from, bytes);
	*at += bytes;
	return p;
}

/* From scratch into memory of the part's own: what needs the greatest alignment first. */
static int
settle(struct tree_part *part, const struct part_scratch *s)
{
	size_t links = part->n_links * sizeof(*part->links), subs = part->n_subs * sizeof(uint32_t);
	size_t unread = part->n_unread * sizeof(uint32_t);
	size_t grams = part->grams.n * sizeof(uint32_t), words = 0;
	char *at;

	for (unsigned col = 0; col < N_TREE_COLUMNS; col++)
		words += s->n_words[col];
	at = part->memory = malloc(words + links + subs + unread + grams + s->packed.len + 1);
	if (!at)
		return -ENOMEM;
	for (unsigned col = 0; col < N_TREE_COLUMNS; col++) {
		part->columns[col].bytes = s->n_words[col];
		part->columns[col].words = take(&at, s->words[col], s->n_words[col]);
	}
	part->links = (const void *)take(&at, s->links, links);
	part->dir_order = (const void *)take(&at, s->subs, subs);
	part->unread = (const void *)take(&at, s->unread, unread);
	if (grams > 0)
		part->grams.pairs = (const void *)take(&at, part->grams.pairs, grams);
	part->packed.len = s->packed.len;
	part->packed.data = take(&at, s->packed.data, s->packed.len);
	return 0;
}

static int
list_wide(struct tree_part *part, const struct part_scratch *s)
{
	part->wide = malloc(part->n * sizeof(*part->wide));
	if (!part->wide)
		return -ENOMEM;
	for (uint32_t i = 0; i < part->n; i++) {
		if (name_is_wide((struct span){s->in.rows[i]->name, s->in.rows[i]->name_len}))
			part->wide[part->n_wide++] = part->first + i;
	}
	return 0;
}

/* All names at once: a NUL or a slash within one is found by counting. */
static int
check_names(struct tree_part *part, const struct part_scratch *s)
{
	struct name_census all = names_count(s->names.data, s->names.len);

	if (all.n_nul != part->n || all.n_slash > 0)
		return -EINVAL;
	return all.high ? list_wide(part, s) : 0;
}

/* They stay in scratch until settle(). */
static int
gather_grams(struct tree_part *part, struct part_scratch *s)
{
	int r = 0;

	for (uint32_t i = 0; i < part->n && r == 0; i++)
		r = gram_seen_add(s->seen,
			(struct span){s->in.rows[i]->name, s->in.rows[i]->name_len},
			i / TREE_NAME_GROUP);
	return r < 0 ? r : gram_seen_take(s->seen, &part->grams);
}

int
tree_part_make(
	const struct tree_plan *plan, uint32_t first, struct part_scratch *s, struct tree_part *ret)
{
	int r;

	*ret = (struct tree_part){
		.first = first,
		.n = MIN(plan->counts.n_entries - first, TREE_CHUNK),
	};
	memset(s->n_words, 0, sizeof(s->n_words));
	r = plan->gather(plan, first, ret->n, &s->in);
	if (r < 0)
		return r;
	while (ret->n_blocks * TREE_BLOCK < ret->n)
		pack_block(plan, ret, s);
	if (plan->with_grams)
		r = gather_grams(ret, s);
	if (r == 0)
		r = join_names(ret, s);
	if (r == 0)
		r = settle(ret, s);
	return r < 0 ? r : check_names(ret, s);
}
