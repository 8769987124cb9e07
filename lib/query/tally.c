#include "query/tally.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "base/vec.h"
#include "query/halt.h"
#include "query/match.h"
#include "query/owner.h"
#include "query/path_order.h"

#define NONE UINT32_MAX
#define FIRST_SLOTS 64u
#define BLOCK 128u      /* entries whose values are read together */
#define MANY_MATCHES 8u /* in a block, from which reading all of it is quicker */

#define HOUR_NS (3600 * NSEC_PER_SEC)
#define DAY_NS (24 * HOUR_NS)

static const char *const by_words[N_TALLY_BY] = {
	[TALLY_NONE] = "none",
	[TALLY_EXT] = "ext",
	[TALLY_TYPE] = "type",
	[TALLY_USER] = "user",
	[TALLY_GROUP] = "group",
	[TALLY_AGE] = "age",
	[TALLY_SIZE] = "size",
	[TALLY_ROOT] = "root",
	[TALLY_DIR] = "dir",
};

/* A bucket holds what is below its limit and not below that of the one before. Words are those of
 * the query language. */
static const struct bucket {
	int64_t below;
	const char *word;
} ages[] =
	{
		{0, "future"},
		{HOUR_NS, "<1h"},
		{DAY_NS, "1h..1d"},
		{7 * DAY_NS, "1d..1w"},
		{30 * DAY_NS, "1w..1mo"},
		{90 * DAY_NS, "1mo..3mo"},
		{365 * DAY_NS, "3mo..1y"},
		{730 * DAY_NS, "1y..2y"},
		{1825 * DAY_NS, "2y..5y"},
		{INT64_MAX, ">5y"},
},
  sizes[] = {
	  {1, "0"},
	  {1ll << 10, "<1k"},
	  {10ll << 10, "1k..10k"},
	  {100ll << 10, "10k..100k"},
	  {1ll << 20, "100k..1m"},
	  {10ll << 20, "1m..10m"},
	  {100ll << 20, "10m..100m"},
	  {1ll << 30, "100m..1g"},
	  {10ll << 30, "1g..10g"},
	  {INT64_MAX, ">10g"},
};

struct group {
	uint64_t key;
	struct span text; /* TALLY_EXT: in the names of the snapshot */
	struct tally_sum sum;
};

struct table {
	VEC(struct group) groups;
	uint32_t *slot; /* [n_slots] indexes into groups, NONE when free */
	uint32_t n_slots;
	struct tally_sum all, other;
};

struct tally {
	struct tally_opts opts;
	struct snapshot *snapshot; /* a reference */
	struct table table;
	enum tally_sort sort;
	struct cursor_stats read;
};

/* The values of some neighbours. */
struct values {
	uint32_t lo, n;
	uint64_t match[BLOCK / 64];
	bool whole; /* all were read, else those of matches are asked for one by one */
	uint64_t size[BLOCK], blocks[BLOCK], by[BLOCK];
	/* TALLY_EXT, when all were read. */
	const char *names;
	uint32_t start[BLOCK + 1];
};

/* What was asked for last is mostly asked for again. */
struct last {
	uint32_t group;  /* NONE: none, or it has no group of its own */
	uint32_t parent; /* TALLY_DIR: whose key is `key` */
	uint64_t key;
};

int
tally_by_parse(struct span word, enum tally_by *ret)
{
	for (unsigned i = 0; i < N_TALLY_BY; i++) {
		if (span_eq(word, span_of(by_words[i]))) {
			*ret = (enum tally_by)i;
			return 0;
		}
	}
	return -EINVAL;
}

static unsigned
bucket_of(const struct bucket *buckets, unsigned n, int64_t value)
{
	unsigned i = 0;

	while (i + 1 < n && value >= buckets[i].below)
		i++;
	return i;
}

static void
add_sum(struct tally_sum *to, const struct tally_sum *from)
{
	to->n += from->n;
	to->size += from->size;
	to->blocks += from->blocks;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool
same_text(struct span a, struct span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		if (lower(a.data[i]) != lower(b.data[i]))
			return false;
	}
	return true;
}

static int
compare_text(struct span a, struct span b)
{
	size_t n = MIN(a.len, b.len);

	for (size_t i = 0; i < n; i++) {
		unsigned char x = (unsigned char)lower(a.data[i]),
			      y = (unsigned char)lower(b.data[i]);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return a.len < b.len ? -1 : a.len > b.len;
}

/* FNV-1a, mixed: extensions are a few bytes. */
static uint64_t
text_key(struct span s)
{
	uint64_t h = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)lower(s.data[i])) * 0x100000001b3ull;
	return h;
}

static uint32_t
slot_of(const struct table *t, uint64_t key)
{
	return (uint32_t)((key * 0x9e3779b97f4a7c15ull) >> 32) & (t->n_slots - 1);
}

static void
enter(struct table *t, uint32_t group)
{
	uint32_t at = slot_of(t, t->groups.data[group].key);

	while (t->slot[at] != NONE)
		at = (at + 1) & (t->n_slots - 1);
	t->slot[at] = group;
}

static int
grow(struct table *t)
{
	uint32_t n = t->n_slots ? t->n_slots * 2 : FIRST_SLOTS;
	uint32_t *slot = malloc(n * sizeof(*slot));

	if (!slot)
		return -ENOMEM;
	memset(slot, 0xff, n * sizeof(*slot)); /* NONE */
	free(t->slot);
	t->slot = slot;
	t->n_slots = n;
	for (uint32_t i = 0; i < t->groups.len; i++)
		enter(t, i);
	return 0;
}

static bool
is_group(const struct group *g, uint64_t key, struct span text)
{
	return g->key == key && same_text(g->text, text);
}

/* The group of a key, made when there is none: NONE in *ret when there are too many. */
static int
find_group(struct table *t, uint64_t key, struct span text, uint32_t *ret)
{
	uint32_t at = t->n_slots ? slot_of(t, key) : 0;

	for (; t->n_slots && t->slot[at] != NONE; at = (at + 1) & (t->n_slots - 1)) {
		*ret = t->slot[at];
		if (is_group(&t->groups.data[*ret], key, text))
			return 0;
	}
	*ret = NONE;
	if (t->groups.len == TALLY_MAX_GROUPS)
		return 0;
	if (VEC_PUSH(&t->groups, (struct group){.key = key, .text = text}) < 0)
		return -ENOMEM;
	*ret = (uint32_t)t->groups.len - 1;
	if (t->groups.len * 2 > t->n_slots)
		return grow(t);
	enter(t, *ret);
	return 0;
}

static void
table_init(void *acc, void *ctx)
{
	(void)ctx;
	*(struct table *)acc = (struct table){0};
}

static void
table_fini(void *acc, void *ctx)
{
	struct table *t = acc;

	(void)ctx;
	VEC_FINI(&t->groups);
	free(t->slot);
}

static int
table_merge(void *acc, void *later, void *ctx)
{
	struct table *t = acc, *l = later;
	uint32_t group;
	int r = 0;

	add_sum(&t->all, &l->all);
	add_sum(&t->other, &l->other);
	for (size_t i = 0; r == 0 && i < l->groups.len; i++) {
		const struct group *g = &l->groups.data[i];

		r = find_group(t, g->key, g->text, &group);
		if (r == 0)
			add_sum(group == NONE ? &t->other : &t->groups.data[group].sum, &g->sum);
	}
	table_fini(l, ctx);
	return r;
}

static enum tree_column
column_of(enum tally_by by)
{
	if (by == TALLY_AGE)
		return TREE_MTIME;
	return by == TALLY_DIR ? TREE_PARENT : TREE_CLS;
}

static bool
needs_column(enum tally_by by)
{
	return by == TALLY_EXT || by == TALLY_TYPE || by == TALLY_USER || by == TALLY_GROUP ||
	       by == TALLY_AGE || by == TALLY_DIR;
}

static void
read_values(const struct tally *y, const struct match_chunk *m, struct values *v)
{
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_LEN(v->match); i++)
		n += (unsigned)__builtin_popcountll(v->match[i]);
	v->whole = n >= MANY_MATCHES;
	if (!v->whole)
		return;
	tree_read(m->cols, TREE_SIZE, v->lo, v->n, v->size);
	tree_read(m->cols, TREE_BLOCKS, v->lo, v->n, v->blocks);
	if (needs_column(y->opts.by))
		tree_read(m->cols, column_of(y->opts.by), v->lo, v->n, v->by);
	if (y->opts.by == TALLY_EXT)
		v->names = m->cols->names + tree_name_starts(m->cols, v->lo, v->n, v->start);
}

static struct span
ext_of(const struct match_chunk *m, const struct values *v, uint32_t i)
{
	if (S_ISDIR(m->cols->classes[v->by[i]].mode))
		return SPAN_LIT("");
	if (!v->whole)
		return field_ext_of(tree_name(m->cols, v->lo + i));
	return field_ext_of(
		(struct span){v->names + v->start[i], v->start[i + 1] - v->start[i] - 1});
}

/* The same for one entry that matches. */
static void
read_value(const struct tally *y, const struct match_chunk *m, struct values *v, uint32_t i)
{
	uint32_t e = v->lo + i;

	if (v->whole)
		return;
	v->size[i] = tree_size(m->cols, e);
	v->blocks[i] = tree_blocks(m->cols, e);
	if (needs_column(y->opts.by))
		tree_read(m->cols, column_of(y->opts.by), e, 1, &v->by[i]);
}

/* The directory `parent`, or the one above it that is deep enough. */
static uint32_t
cut_dir(const struct tree_cols *c, uint32_t parent, uint64_t depth)
{
	uint64_t is = depth == UINT64_MAX ? 0 : tree_depth(c, c->dir_entry[parent]);

	for (; depth != UINT64_MAX && is > depth; is--)
		parent = tree_parent(c, c->dir_entry[parent]);
	return parent;
}

/* One number for a directory, in whichever layers its files are. */
static uint64_t
canon_dir(const struct snapshot *s, uint32_t layer, uint32_t dir)
{
	const struct snap_root *root = snapshot_root(s, layer);
	struct tree_at at = tree_stack_canon(root->stack, s->layers[layer].layer, dir);

	return (uint64_t)(root->first_layer + at.layer) << 32 | at.entry;
}

static uint64_t
dir_key(const struct tally *y, const struct match_chunk *m, uint32_t parent, struct last *last)
{
	if (last->parent != parent) {
		last->parent = parent;
		last->key =
			canon_dir(y->snapshot, m->layer, cut_dir(m->cols, parent, y->opts.depth));
	}
	return last->key;
}

static uint64_t
key_of(const struct tally *y, const struct match_chunk *m, const struct values *v, uint32_t i,
	struct last *last)
{
	const struct tree_class *classes = m->cols->classes;

	switch (y->opts.by) {
	case TALLY_TYPE:
		return IFTODT(classes[v->by[i]].mode);
	case TALLY_USER:
		return classes[v->by[i]].uid;
	case TALLY_GROUP:
		return classes[v->by[i]].gid;
	case TALLY_AGE:
		return bucket_of(ages, ARRAY_LEN(ages), y->opts.now_ns - (int64_t)v->by[i]);
	case TALLY_SIZE:
		return bucket_of(sizes, ARRAY_LEN(sizes), (int64_t)MIN(v->size[i], INT64_MAX));
	case TALLY_ROOT:
		return y->snapshot->layers[m->layer].root;
	case TALLY_DIR:
		return dir_key(y, m, (uint32_t)v->by[i], last);
	case TALLY_NONE:
	case TALLY_EXT:
	case N_TALLY_BY:
		break;
	}
	return 0;
}

static int
add_entry(const struct tally *y, struct table *t, const struct match_chunk *m, struct values *v,
	uint32_t i, struct last *last)
{
	struct span text = {0};
	struct tally_sum one;
	uint64_t key;
	int r;

	read_value(y, m, v, i);
	one = (struct tally_sum){1, v->size[i], v->blocks[i]};
	add_sum(&t->all, &one);
	if (y->opts.by == TALLY_EXT) {
		text = ext_of(m, v, i);
		key = text_key(text);
	} else {
		key = key_of(y, m, v, i, last);
	}
	if (last->group == NONE || !is_group(&t->groups.data[last->group], key, text)) {
		r = find_group(t, key, text, &last->group);
		if (r < 0)
			return r;
	}
	add_sum(last->group == NONE ? &t->other : &t->groups.data[last->group].sum, &one);
	return 0;
}

static int
add_chunk(void *acc, const struct match_chunk *m, void *ctx)
{
	const struct tally *y = ctx;
	struct last last = {.group = NONE, .parent = TREE_NO_DIR};
	struct values v;

	for (uint32_t at = 0; at < m->n; at += BLOCK) {
		v.lo = m->lo + at;
		v.n = MIN(BLOCK, m->n - at);
		memcpy(v.match, &m->bits->word[at / 64], sizeof(v.match));
		read_values(y, m, &v);
		for (uint32_t w = 0; w < ARRAY_LEN(v.match); w++) {
			for (; v.match[w]; v.match[w] &= v.match[w] - 1) {
				uint32_t i = w * 64 + (uint32_t)__builtin_ctzll(v.match[w]);
				int r = add_entry(y, acc, m, &v, i, &last);

				if (r < 0)
					return r;
			}
		}
	}
	return 0;
}

int
tally_create(struct query *q, struct snapshot *s, const struct cursor_opts *opts,
	const struct tally_opts *what, struct tally **ret)
{
	static const struct match_fold fold = {
		sizeof(struct table), table_init, add_chunk, table_merge, table_fini};
	struct tally *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->opts = *what;
	t->snapshot = snapshot_ref(s);
	r = match_all(q, s, opts, &fold, t, &t->table, &t->read);
	if (r < 0) {
		snapshot_unref(t->snapshot);
		free(t);
		return r;
	}
	*ret = t;
	return 0;
}

void
tally_destroy(struct tally *t)
{
	if (!t)
		return;
	table_fini(&t->table, NULL);
	snapshot_unref(t->snapshot);
	free(t);
}

static int
compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* Depth first, as the numbers of directories in one layer are. */
static int
compare_dirs(const struct snapshot *s, uint64_t a, uint64_t b)
{
	uint32_t i = (uint32_t)(a >> 32), k = (uint32_t)(b >> 32);
	const struct tree_cols *x = snapshot_cols(s, i), *y = snapshot_cols(s, k);

	if (i == k || s->layers[i].root != s->layers[k].root)
		return compare_u64(a, b);
	return path_compare_depth_first(x, x->dir_entry[(uint32_t)a], y, y->dir_entry[(uint32_t)b]);
}

static int
compare_keys(const struct tally *t, const struct group *a, const struct group *b)
{
	int r = compare_text(a->text, b->text);

	if (r == 0 && t->opts.by == TALLY_DIR)
		return compare_dirs(t->snapshot, a->key, b->key);
	return r ? r : compare_u64(a->key, b->key);
}

static int
compare_groups(const void *va, const void *vb, void *ctx)
{
	const struct group *a = va, *b = vb;
	const struct tally *t = ctx;
	int r = 0;

	if (t->sort == TALLY_BY_SIZE)
		r = compare_u64(b->sum.size, a->sum.size);
	else if (t->sort == TALLY_BY_BLOCKS)
		r = compare_u64(b->sum.blocks, a->sum.blocks);
	else if (t->sort == TALLY_BY_COUNT)
		r = compare_u64(b->sum.n, a->sum.n);
	return r ? r : compare_keys(t, a, b);
}

int
tally_order(struct tally *t, const struct cursor_opts *opts, enum tally_sort sort)
{
	t->sort = sort;
	return query_sort_array(opts, t->table.groups.data, t->table.groups.len,
		sizeof(struct group), compare_groups, t);
}

uint32_t
tally_len(const struct tally *t)
{
	return (uint32_t)t->table.groups.len;
}

static int
put_lower(struct strbuf *out, struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		(void)strbuf_putc(out, lower(text.data[i]));
	return out->failed ? -ENOMEM : 0;
}

static int
put_dir(const struct tally *t, uint64_t key, struct strbuf *out)
{
	uint32_t layer = (uint32_t)(key >> 32);
	const struct tree_cols *c = snapshot_cols(t->snapshot, layer);

	return snapshot_path(t->snapshot, layer, c->dir_entry[(uint32_t)key], out);
}

static int
put_key(const struct tally *t, const struct group *g, struct strbuf *out)
{
	switch (t->opts.by) {
	case TALLY_EXT:
		return put_lower(out, g->text);
	case TALLY_TYPE:
		return strbuf_puts(out, field_type_word((uint8_t)g->key));
	case TALLY_USER:
		return owner_name(ACCOUNT_USER, (uint32_t)g->key, out);
	case TALLY_GROUP:
		return owner_name(ACCOUNT_GROUP, (uint32_t)g->key, out);
	case TALLY_AGE:
		return strbuf_puts(out, ages[g->key].word);
	case TALLY_SIZE:
		return strbuf_puts(out, sizes[g->key].word);
	case TALLY_ROOT:
		return strbuf_puts(out, t->snapshot->roots[g->key].name);
	case TALLY_DIR:
		return put_dir(t, g->key, out);
	case TALLY_NONE:
	case N_TALLY_BY:
		break;
	}
	return 0;
}

int
tally_at(const struct tally *t, uint32_t i, struct strbuf *key, struct tally_sum *ret)
{
	const struct group *g = &t->table.groups.data[i];

	*ret = g->sum;
	return put_key(t, g, key);
}

void
tally_get_stats(const struct tally *t, struct tally_stats *ret)
{
	*ret = (struct tally_stats){.all = t->table.all,
		.other = t->table.other,
		.complete = t->table.other.n == 0,
		.read = t->read};
}
