#include "query/hash_cache.h"

#include <errno.h>

#include "base/clock.h"
#include "base/fd.h"
#include "query/content.h"
#include "sync/lock.h"

#define SHARDS 8u
#define NONE UINT32_MAX
#define FIRST_ENTRIES 64u

#define FILE_MAGIC "TRAWLH\n"
#define FILE_VERSION 1u
#define FILE_MAX_BYTES ((size_t)1 << 36)
#define SUM_SEED 1u

/* A time stamp this young may still get a second change under the same value: the clocks of local
 * file systems tick every few ms, those that keep whole seconds up to every other second. */
#define TICK_NS (20 * (int64_t)1000000)
#define COARSE_TICK_NS (2 * NSEC_PER_SEC)

struct entry {
	struct hash128 key, hash;
	uint32_t chain;        /* the next of its bucket */
	uint32_t older, newer; /* by last use */
};

struct row {
	struct hash128 key, hash; /* as in the file */
};

struct header {
	char magic[8];
	uint32_t version, reserved;
	uint64_t n, sum;
};
_Static_assert(sizeof(struct row) == 32 && sizeof(struct header) == 32, "as hash_cache.h says");
_Static_assert(sizeof(struct entry) <= HASH_CACHE_ENTRY_BYTES - sizeof(uint32_t),
	"an entry and its bucket");

/* A table of chains over an array that grows. */
struct shard {
	struct lock lock; /* RANK_LEAF, guards all of it */
	struct entry *entry;
	uint32_t *bucket;
	uint32_t n, cap, max; /* n <= cap, n <= max */
	uint32_t n_buckets;   /* a power of two, at most cap; 0 with it */
	uint32_t oldest, newest;
	uint64_t n_found, n_missed, n_forgotten;
};

struct hash_cache {
	struct shard shard[SHARDS];
	/* Relaxed: hints for when to save. */
	_Atomic uint64_t n_put, n_saved;
	_Atomic uint64_t max_bytes;
};

static uint32_t
max_entries(uint64_t max_bytes)
{
	return (uint32_t)MIN(max_bytes / HASH_CACHE_ENTRY_BYTES / SHARDS, (uint64_t)INT32_MAX);
}

int
hash_cache_create(uint64_t max_bytes, struct hash_cache **ret)
{
	struct hash_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	for (unsigned i = 0; i < SHARDS; i++) {
		struct shard *s = &c->shard[i];

		lock_init(&s->lock, RANK_LEAF, "hash cache");
		s->oldest = s->newest = NONE;
		s->max = max_entries(max_bytes);
	}
	store_rlx(&c->max_bytes, max_bytes);
	*ret = c;
	return 0;
}

void
hash_cache_destroy(struct hash_cache *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < SHARDS; i++) {
		free(c->shard[i].entry);
		free(c->shard[i].bucket);
		lock_fini(&c->shard[i].lock);
	}
	free(c);
}

static struct shard *
shard_of(struct hash_cache *c, struct hash128 key)
{
	return &c->shard[key.high % SHARDS];
}

static uint32_t *
bucket_of(struct shard *s, struct hash128 key)
{
	return &s->bucket[key.low & (s->n_buckets - 1)];
}

static bool
same_hash(struct hash128 a, struct hash128 b)
{
	return a.low == b.low && a.high == b.high;
}

static uint32_t
find(struct shard *s, struct hash128 key)
{
	uint32_t i = s->cap ? *bucket_of(s, key) : NONE;

	while (i != NONE && !same_hash(s->entry[i].key, key))
		i = s->entry[i].chain;
	return i;
}

/* Out of the order of use. */
static void
unlink_entry(struct shard *s, uint32_t i)
{
	const struct entry *e = &s->entry[i];

	*(e->older == NONE ? &s->oldest : &s->entry[e->older].newer) = e->newer;
	*(e->newer == NONE ? &s->newest : &s->entry[e->newer].older) = e->older;
}

static void
link_newest(struct shard *s, uint32_t i)
{
	struct entry *e = &s->entry[i];

	e->older = s->newest;
	e->newer = NONE;
	*(s->newest == NONE ? &s->oldest : &s->entry[s->newest].newer) = i;
	s->newest = i;
}

static void
chain(struct shard *s, uint32_t i)
{
	uint32_t *bucket = bucket_of(s, s->entry[i].key);

	s->entry[i].chain = *bucket;
	*bucket = i;
}

/* The link that leads to entry i, in its bucket. */
static uint32_t *
link_to(struct shard *s, uint32_t i)
{
	uint32_t *at = bucket_of(s, s->entry[i].key);

	while (*at != i)
		at = &s->entry[*at].chain;
	return at;
}

/* Forget the oldest; the last entry of the array takes its place. */
static void
forget(struct shard *s)
{
	uint32_t i = s->oldest, last = s->n - 1;

	*link_to(s, i) = s->entry[i].chain;
	unlink_entry(s, i);
	if (i != last) {
		struct entry *e = &s->entry[i];

		*link_to(s, last) = i;
		*e = s->entry[last];
		*(e->older == NONE ? &s->oldest : &s->entry[e->older].newer) = i;
		*(e->newer == NONE ? &s->newest : &s->entry[e->newer].older) = i;
	}
	s->n--;
	s->n_forgotten++;
}

/* Room for `cap` entries, at least 1 and s->n. Without memory all stays as it is. */
static int
resize(struct shard *s, uint32_t cap)
{
	uint32_t n_buckets = 1u << (31 - __builtin_clz(cap));
	uint32_t *bucket = malloc(n_buckets * sizeof(*bucket));
	struct entry *entry = bucket ? realloc(s->entry, cap * sizeof(*entry)) : NULL;

	if (!entry) {
		free(bucket);
		return -ENOMEM;
	}
	free(s->bucket);
	s->bucket = bucket;
	s->entry = entry;
	s->cap = cap;
	s->n_buckets = n_buckets;
	memset(bucket, 0xff, n_buckets * sizeof(*bucket)); /* NONE */
	for (uint32_t i = 0; i < s->n; i++)
		chain(s, i);
	return 0;
}

/* Room for one more, by growing or by forgetting: false without any. */
static bool
make_room(struct shard *s)
{
	if (s->n < MIN(s->cap, s->max))
		return true;
	if (s->n < s->max && resize(s, MIN(MAX(s->cap * 2, FIRST_ENTRIES), s->max)) == 0)
		return true;
	if (s->n == 0)
		return false;
	forget(s);
	return true;
}

static void
put(struct shard *s, struct hash128 key, struct hash128 hash)
{
	uint32_t i = find(s, key);

	if (i != NONE) {
		unlink_entry(s, i);
	} else {
		if (!make_room(s))
			return;
		i = s->n++;
		s->entry[i].key = key;
		chain(s, i);
	}
	s->entry[i].hash = hash;
	link_newest(s, i);
}

void
hash_cache_limit(struct hash_cache *c, uint64_t max_bytes)
{
	store_rlx(&c->max_bytes, max_bytes);
	for (unsigned i = 0; i < SHARDS; i++) {
		struct shard *s = &c->shard[i];

		LOCK_SCOPE(&s->lock);
		s->max = max_entries(max_bytes);
		while (s->n > s->max)
			forget(s);
		if (s->cap > s->max)
			(void)resize(s, MAX(s->max, 1u)); /* else it stays larger */
	}
}

static struct hash128
key_of(const struct content_stamp *t)
{
	const uint64_t words[] = {(uint64_t)t->dev, (uint64_t)t->ino, (uint64_t)t->size,
		(uint64_t)t->mtime.tv_sec, (uint64_t)t->mtime.tv_nsec, (uint64_t)t->ctime.tv_sec,
		(uint64_t)t->ctime.tv_nsec};

	return hash128(words, sizeof(words));
}

bool
hash_cache_get(struct hash_cache *c, const struct content_stamp *stamp, struct hash128 *ret)
{
	struct hash128 key = key_of(stamp);
	struct shard *s = shard_of(c, key);
	LOCK_SCOPE(&s->lock);
	uint32_t i = find(s, key);

	if (i == NONE) {
		s->n_missed++;
		return false;
	}
	s->n_found++;
	unlink_entry(s, i);
	link_newest(s, i);
	*ret = s->entry[i].hash;
	return true;
}

/* How long ago a time was, in ticks of its file system's clock, as far as its digits tell. */
static int64_t
ticks_ago(struct timespec t, int64_t now_ns)
{
	int64_t age_ns = now_ns - clock_ns(t.tv_sec, (uint32_t)t.tv_nsec);

	return age_ns / (t.tv_nsec ? TICK_NS : COARSE_TICK_NS);
}

/* A time of change is the file system's own. A time of modification that lies ahead was set by
 * somebody, and the next write will change it. */
static bool
is_settled(const struct content_stamp *t, int64_t now_ns)
{
	return ticks_ago(t->ctime, now_ns) > 0 && ticks_ago(t->mtime, now_ns) != 0;
}

void
hash_cache_put(struct hash_cache *c, const struct content_stamp *stamp, int64_t now_ns,
	struct hash128 hash)
{
	struct hash128 key = key_of(stamp);
	struct shard *s = shard_of(c, key);

	if (!is_settled(stamp, now_ns))
		return;
	(void)add_rlx(&c->n_put, 1);
	LOCK_SCOPE(&s->lock);
	put(s, key, hash);
}

bool
hash_cache_dirty(const struct hash_cache *c)
{
	return load_rlx(&c->n_put) != load_rlx(&c->n_saved);
}

static int
load_rows(struct hash_cache *c, const struct strbuf *file)
{
	struct header h;
	struct span rows;

	if (file->len < sizeof(h))
		return -EBADMSG;
	memcpy(&h, file->data, sizeof(h));
	rows = (struct span){file->data + sizeof(h), file->len - sizeof(h)};
	if (memcmp(h.magic, FILE_MAGIC, sizeof(h.magic)) != 0)
		return -EBADMSG;
	if (h.version != FILE_VERSION)
		return -EOPNOTSUPP;
	if (h.n != rows.len / sizeof(struct row) || rows.len % sizeof(struct row) != 0 ||
		h.sum != hash64(rows.data, rows.len, SUM_SEED))
		return -EBADMSG;
	for (uint64_t i = 0; i < h.n; i++) {
		struct row row;
		struct shard *s;

		memcpy(&row, rows.data + i * sizeof(row), sizeof(row));
		s = shard_of(c, row.key);
		LOCK_SCOPE(&s->lock);
		put(s, row.key, row.hash);
	}
	return 0;
}

int
hash_cache_load(struct hash_cache *c, int dirfd, const char *name)
{
	AUTO(strbuf_fini) struct strbuf file = {0};
	int r = fd_slurp(dirfd, name, FILE_MAX_BYTES, &file);

	return r < 0 ? r : load_rows(c, &file);
}

/* The rows of one shard, the oldest first. */
static int
add_rows(struct shard *s, struct strbuf *out)
{
	LOCK_SCOPE(&s->lock);

	if (strbuf_reserve(out, s->n * sizeof(struct row)) < 0)
		return -ENOMEM;
	for (uint32_t i = s->oldest; i != NONE; i = s->entry[i].newer) {
		struct row row = {s->entry[i].key, s->entry[i].hash};

		(void)strbuf_add(out, &row, sizeof(row));
	}
	return 0;
}

int
hash_cache_save(struct hash_cache *c, int dirfd, const char *name)
{
	AUTO(strbuf_fini) struct strbuf file = {0};
	struct header h = {.magic = FILE_MAGIC, .version = FILE_VERSION};
	uint64_t n_put = load_rlx(&c->n_put);
	int r = strbuf_add(&file, &h, sizeof(h));

	for (unsigned i = 0; r == 0 && i < SHARDS; i++)
		r = add_rows(&c->shard[i], &file);
	if (r < 0)
		return r;
	h.n = (file.len - sizeof(h)) / sizeof(struct row);
	h.sum = hash64(file.data + sizeof(h), file.len - sizeof(h), SUM_SEED);
	memcpy(file.data, &h, sizeof(h));
	r = fd_replace(dirfd, name, file.data, file.len, 0600);
	if (r == 0)
		store_rlx(&c->n_saved, n_put);
	return r;
}

void
hash_cache_get_stats(struct hash_cache *c, struct hash_cache_stats *ret)
{
	*ret = (struct hash_cache_stats){.max_bytes = load_rlx(&c->max_bytes)};
	for (unsigned i = 0; i < SHARDS; i++) {
		struct shard *s = &c->shard[i];
		LOCK_SCOPE(&s->lock);

		ret->n_hashes += s->n;
		ret->n_bytes += s->cap * (sizeof(struct entry) + sizeof(uint32_t));
		ret->n_found += s->n_found;
		ret->n_missed += s->n_missed;
		ret->n_forgotten += s->n_forgotten;
	}
}
