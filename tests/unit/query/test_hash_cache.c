#include "query/hash_cache.h"

#include "base/fd.h"
#include "query/content.h"
#include "sync/par.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define NOW_NS (1000 * NSEC_PER_SEC)
#define SHARDS 8u /* the limit is divided among them */

static struct hash_cache *cache;
static char *dir;
static int dirfd_;

static void
begin(void)
{
	dir = test_dir();
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(hash_cache_create(1 << 20, &cache), 0);
}

static void
finish(void)
{
	hash_cache_destroy(cache);
	closep(&dirfd_);
	test_dir_remove(dir);
}

TestSuite(hash_cache, .init = begin, .fini = finish);

static struct content_stamp
stamp(uint64_t ino)
{
	return (struct content_stamp){
		.dev = 1, .ino = ino, .size = 5, .mtime = {900, 1}, .ctime = {900, 1}};
}

static struct hash128
hash_for(uint64_t n)
{
	return (struct hash128){n * 3, ~n};
}

static void
put(struct hash_cache *c, uint64_t n)
{
	struct content_stamp s = stamp(n);

	hash_cache_put(c, &s, NOW_NS, hash_for(n));
}

static bool
has(struct hash_cache *c, uint64_t n)
{
	struct content_stamp s = stamp(n);
	struct hash128 hash;

	if (!hash_cache_get(c, &s, &hash))
		return false;
	CHECK(hash.low == hash_for(n).low && hash.high == hash_for(n).high);
	return true;
}

static struct hash_cache_stats
stats(struct hash_cache *c)
{
	struct hash_cache_stats st;

	hash_cache_get_stats(c, &st);
	return st;
}

TEST(hash_cache, what_was_put_is_found_until_the_file_differs_in_anything)
{
	struct content_stamp s = stamp(7);
	struct hash128 hash;

	put(cache, 7);
	CHECK(has(cache, 7));
	CHECK(!has(cache, 8));
	s.size++;
	CHECK(!hash_cache_get(cache, &s, &hash));
	s = stamp(7);
	s.dev++;
	CHECK(!hash_cache_get(cache, &s, &hash));
	s = stamp(7);
	s.mtime.tv_nsec++;
	CHECK(!hash_cache_get(cache, &s, &hash));
	s = stamp(7);
	s.ctime.tv_sec++;
	CHECK(!hash_cache_get(cache, &s, &hash));
	CHECK_INT(stats(cache).n_found, 1);
	CHECK_INT(stats(cache).n_missed, 5);
}

TEST(hash_cache, a_file_changed_within_a_tick_of_the_clock_is_not_remembered)
{
	struct content_stamp s = stamp(1);
	struct hash128 hash;

	s.ctime = (struct timespec){999, 999000000};
	hash_cache_put(cache, &s, NOW_NS, hash_for(1));
	CHECK(!hash_cache_get(cache, &s, &hash));
	/* Whole seconds: the clock may tick every other second. */
	s.ctime = s.mtime = (struct timespec){1000, 0};
	hash_cache_put(cache, &s, NOW_NS + NSEC_PER_SEC, hash_for(1));
	CHECK(!hash_cache_get(cache, &s, &hash));
	hash_cache_put(cache, &s, NOW_NS + 3 * NSEC_PER_SEC, hash_for(1));
	CHECK(hash_cache_get(cache, &s, &hash));
	/* A time of modification that somebody set. */
	s.mtime.tv_sec = 5000;
	hash_cache_put(cache, &s, NOW_NS + 3 * NSEC_PER_SEC, hash_for(1));
	CHECK(hash_cache_get(cache, &s, &hash));
}

TEST(hash_cache, past_its_limit_the_least_recently_asked_for_go)
{
	const uint64_t n = test_scale(2000000);
	const uint64_t kept = n / 2;
	uint64_t found = 0;

	/* Shards fill evenly but not equally: a tenth more. */
	hash_cache_limit(cache, kept * HASH_CACHE_ENTRY_BYTES + kept / 10 * HASH_CACHE_ENTRY_BYTES);
	for (uint64_t i = 0; i < n; i++) {
		put(cache, i);
		CHECK(has(cache, 0)); /* used all the time */
		CHECK(has(cache, i));
	}
	CHECK(stats(cache).n_bytes <= stats(cache).max_bytes);
	CHECK(stats(cache).n_forgotten > 0);
	CHECK_INT(stats(cache).n_hashes + stats(cache).n_forgotten, n);
	for (uint64_t i = n - kept / 2; i < n; i++)
		CHECK(has(cache, i));
	for (uint64_t i = 0; i < n; i++)
		found += has(cache, i);
	CHECK_INT(found, stats(cache).n_hashes);
}

TEST(hash_cache, a_smaller_limit_forgets_and_frees)
{
	for (uint64_t i = 0; i < 5000; i++)
		put(cache, i);
	CHECK_INT(stats(cache).n_hashes, 5000);
	hash_cache_limit(cache, SHARDS * 10 * HASH_CACHE_ENTRY_BYTES);
	CHECK_INT(stats(cache).n_hashes, SHARDS * 10);
	CHECK(stats(cache).n_bytes <= SHARDS * 10 * HASH_CACHE_ENTRY_BYTES);
	hash_cache_limit(cache, 0);
	CHECK_INT(stats(cache).n_hashes, 0);
	put(cache, 1);
	CHECK(!has(cache, 1));
}

TEST(hash_cache, it_is_kept_over_a_restart_and_the_order_of_use_too)
{
	struct hash_cache *again;

	CHECK(!hash_cache_dirty(cache));
	for (uint64_t i = 0; i < 1000; i++)
		put(cache, i);
	CHECK(has(cache, 3));
	CHECK(hash_cache_dirty(cache));
	CHECK_INT(hash_cache_save(cache, dirfd_, "hashes"), 0);
	CHECK(!hash_cache_dirty(cache));
	CHECK_INT(hash_cache_create(SHARDS * 40 * HASH_CACHE_ENTRY_BYTES, &again), 0);
	CHECK_INT(hash_cache_load(again, dirfd_, "hashes"), 0);
	CHECK(has(again, 3) && has(again, 999) && !has(again, 0));
	hash_cache_limit(again, 1 << 20);
	CHECK_INT(hash_cache_load(again, dirfd_, "hashes"), 0);
	for (uint64_t i = 0; i < 1000; i++)
		CHECK(has(again, i));
	hash_cache_destroy(again);
}

TEST(hash_cache, a_damaged_file_is_refused_whole)
{
	struct strbuf file = {0};

	for (uint64_t i = 0; i < 10; i++)
		put(cache, i);
	CHECK_INT(hash_cache_save(cache, dirfd_, "hashes"), 0);
	CHECK_INT(fd_slurp(dirfd_, "hashes", 1 << 20, &file), 0);
	CHECK_INT(file.len, 32 + 10 * 32);
	hash_cache_limit(cache, 0);
	hash_cache_limit(cache, 1 << 20);
	for (size_t i = 0; i < file.len; i++) {
		if (i >= 12 && i < 16)
			continue; /* reserved */
		file.data[i] ^= 0x10;
		CHECK_INT(fd_replace(dirfd_, "h", file.data, file.len, 0600), 0);
		CHECK_INT(hash_cache_load(cache, dirfd_, "h"),
			i >= 8 && i < 12 ? -EOPNOTSUPP : -EBADMSG);
		file.data[i] ^= 0x10;
	}
	for (size_t len = 0; len < file.len; len++) {
		CHECK_INT(fd_replace(dirfd_, "h", file.data, len, 0600), 0);
		CHECK_INT(hash_cache_load(cache, dirfd_, "h"), -EBADMSG);
	}
	CHECK_INT(stats(cache).n_hashes, 0);
	CHECK_INT(hash_cache_load(cache, dirfd_, "none"), -ENOENT);
	strbuf_fini(&file);
}

static int
hammer(size_t lo, size_t hi, unsigned worker, void *ctx)
{
	(void)worker;
	(void)ctx;
	for (; lo < hi; lo++) {
		put(cache, lo % 997);
		(void)has(cache, lo % 1009);
		if (lo % 4096 == 0)
			hash_cache_limit(cache, lo % 8192 ? 1 << 16 : 1 << 14);
	}
	return 0;
}

TEST(hash_cache, many_threads_may_ask_and_put_at_once)
{
	struct pool *pool;

	CHECK_INT(pool_create("test", test_threads(4), &pool), 0);
	CHECK_INT(par_for(pool, TASK_QUERY, test_scale(50000000), 256, hammer, NULL, NULL), 0);
	CHECK(stats(cache).n_hashes <= 997);
	pool_destroy(pool);
}
