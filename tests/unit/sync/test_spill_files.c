#include "spill_support.h"

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/hash.h"
#include "sync/spill_format.h"

#define RECORD_BYTES 100u
#define PER_BLOCK (SPILL_PAYLOAD_BYTES / (SPILL_LENGTH_BYTES + RECORD_BYTES))

static char *dir;

static void
setup(void)
{
	dir = test_dir();
}

static void
teardown(void)
{
	test_dir_remove(dir);
}

TestSuite(spill_files, .init = setup, .fini = teardown);

/* Path of the nth segment in the order of names; the number of segments. */
static unsigned
segment_path(unsigned n, char ret[512])
{
	struct dirent **list;
	int k = scandir(dir, &list, NULL, alphasort);
	unsigned found = 0;

	CHECK(k >= 0);
	for (int i = 0; i < k; i++) {
		if (strstr(list[i]->d_name, ".seg") && found++ == n)
			(void)snprintf(ret, 512, "%s/%s", dir, list[i]->d_name);
		free(list[i]);
	}
	free((void *)list);
	return found;
}

static void
poke(const char *path, off_t at, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_INT(pwrite(fd, bytes, len, at), len);
	(void)close(fd);
}

static off_t
size_of(const char *path)
{
	struct stat st;

	CHECK_INT(stat(path, &st), 0);
	return st.st_size;
}

/* `n` records of RECORD_BYTES in files, and nothing in memory. */
static void
fill_directory(uint64_t first, uint64_t n, uint64_t segment)
{
	struct spill *c = spill_at(dir, 64, 64 * MIB, segment, 0);

	for (uint64_t i = first; i < first + n; i++)
		CHECK_INT(send_number(c, i, RECORD_BYTES), 0);
	CHECK_INT(spill_destroy(c), 0);
}

/* Everything that comes, in ascending order; how many, and how often the receiver was told of a
 * loss. */
static uint64_t
drain(struct spill *c, uint64_t *ret_first, unsigned *ret_told)
{
	uint64_t n = 0, last = 0;
	struct span s;
	int r;

	*ret_told = 0;
	while ((r = spill_try_recv(c, &s)) != -EAGAIN) {
		if (r == -EBADMSG) {
			(*ret_told)++;
			continue;
		}
		CHECK_INT(r, 0);
		CHECK(n == 0 || record_check(s) > last);
		last = record_check(s);
		if (n++ == 0)
			*ret_first = last;
	}
	return n;
}

TEST(spill_files, a_restart_loses_nothing_and_repeats_what_was_not_acked)
{
	enum { N = 10000 };
	struct spill *c = spill_at(dir, 4 * KIB, 64 * MIB, 128 * KIB, SPILL_DURABLE);

	for (uint64_t i = 0; i < N; i++)
		CHECK_INT(send_number(c, i, 50), 0);
	for (uint64_t i = 0; i < 3000; i++)
		expect(c, i);
	CHECK_INT(spill_ack(c), 0);
	for (uint64_t i = 3000; i < 5000; i++)
		expect(c, i);
	CHECK_INT(spill_destroy(c), 0);

	c = spill_at(dir, 4 * KIB, 64 * MIB, 128 * KIB, SPILL_DURABLE);
	CHECK_INT(stats_of(c).n_found, N - 3000);
	for (uint64_t i = N; i < N + 100; i++)
		CHECK_INT(send_number(c, i, 50), 0);
	for (uint64_t i = 3000; i < N + 100; i++)
		expect(c, i);
	expect_nothing(c);
	CHECK_INT(spill_ack(c), 0);
	CHECK_INT(spill_destroy(c), 0);
	c = spill_at(dir, 4 * KIB, 64 * MIB, 128 * KIB, SPILL_DURABLE);
	expect_nothing(c);
	CHECK_INT(spill_destroy(c), 0);
}

TEST(spill_files, a_second_channel_on_the_directory_is_refused)
{
	struct spill_opts opts = {.max_mem_bytes = KIB, .max_disk_bytes = MIB};
	struct spill *c = spill_at(dir, KIB, MIB, 0, 0), *d = NULL;
	struct err err = {0};

	CHECK_INT(spill_open(AT_FDCWD, dir, &opts, &d, &err), -EBUSY);
	CHECK(strstr(err.what, "in use"));
	CHECK_INT(spill_destroy(c), 0);
	opts.max_mem_bytes = 63;
	CHECK_INT(spill_open(AT_FDCWD, dir, &opts, &d, NULL), -EINVAL);
	opts.max_mem_bytes = 32ull << 30; /* empty records would be more than 32 bits count */
	CHECK_INT(spill_open(AT_FDCWD, dir, &opts, &d, NULL), -EINVAL);
	opts.max_mem_bytes = 64;
	CHECK_INT(spill_open(AT_FDCWD, "/nonexistent/spill", &opts, &d, &err), -ENOENT);
	CHECK(!d);
	CHECK_INT(spill_destroy(NULL), 0);
}

/* Its header was being written when the process died, after more records than 32 bits count. The
 * ring keeps 32 bits of a number only. */
TEST(spill_files, numbers_go_on_behind_a_segment_that_is_thrown_away)
{
	struct spill *c;
	char path[512];
	int fd;

	CHECK_INT(spill_destroy(spill_at(dir, KIB, MIB, 0, 0)), 0);
	(void)snprintf(path, sizeof(path), "%s/0000000300000007.seg", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK_INT(write(fd, "TRAWLS", 6), 6);
	(void)close(fd);
	c = spill_at(dir, KIB, MIB, 0, 0);
	CHECK_INT(stats_of(c).torn_bytes, 6);
	CHECK_INT(send_number(c, 1, 8), 0);
	expect(c, 1);
	CHECK_INT(spill_ack(c), 0);
	CHECK_INT(stats_of(c).acked, 0x300000008);
	CHECK_INT(spill_destroy(c), 0);
}

TEST(spill_files, the_directory_is_made_and_files_are_private)
{
	struct stat st;
	char path[512];
	int at = open(dir, O_PATH | O_CLOEXEC);
	struct spill_opts opts = {.max_mem_bytes = 64, .max_disk_bytes = MIB};
	struct spill *c;

	CHECK_INT(spill_open(at, "backlog", &opts, &c, NULL), 0);
	(void)close(at);
	for (uint64_t i = 0; i < 100; i++)
		CHECK_INT(send_number(c, i, 100), 0);
	CHECK_INT(spill_flush(c), 0);
	(void)snprintf(path, sizeof(path), "%s/backlog", dir);
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_mode & 0777, 0700);
	(void)snprintf(path, sizeof(path), "%s/backlog/%016x.seg", dir, 0);
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_mode & 0777, 0600);
	CHECK_INT(spill_destroy(c), 0);
}

TEST(spill_files, a_torn_tail_is_cut_off_at_every_length)
{
	uint64_t first = 0, whole, n;
	char path[512];
	unsigned told;

	/* Two full blocks and a bit. */
	fill_directory(0, 1300, MIB);
	CHECK_INT(segment_path(0, path), 1);
	whole = (uint64_t)size_of(path);
	for (uint64_t cut = 1; cut <= whole; cut += cut < 600 ? 61 : 7919) {
		struct spill *c;
		struct spill_stats st;

		CHECK_INT(truncate(path, (off_t)(whole - cut)), 0);
		c = spill_at(dir, 64, 64 * MIB, MIB, 0);
		st = stats_of(c);
		n = drain(c, &first, &told);
		CHECK_INT(st.n_found, n);
		CHECK(n == 0 || first == 0);
		CHECK_INT(told, 0);
		CHECK(n % PER_BLOCK == 0 || n == 1300);
		CHECK(n < 1300);
		CHECK_INT(st.disk_bytes + st.torn_bytes, whole - cut);
		CHECK_INT(spill_ack(c), 0); /* all gone */
		CHECK_INT(spill_destroy(c), 0);
		test_dir_remove(dir);
		dir = test_dir();
		fill_directory(0, 1300, MIB);
		CHECK_INT(segment_path(0, path), 1);
	}
}

TEST(spill_files, garbage_behind_the_tail_is_cut_off)
{
	unsigned char garbage[3000];
	uint64_t first = 0;
	char path[512];
	unsigned told;
	struct spill *c;

	memset(garbage, 0xa5, sizeof(garbage));
	fill_directory(0, 1000, MIB);
	CHECK_INT(segment_path(0, path), 1);
	poke(path, size_of(path), garbage, sizeof(garbage));
	c = spill_at(dir, 64, 64 * MIB, MIB, 0);
	CHECK_INT(stats_of(c).torn_bytes, sizeof(garbage));
	CHECK_INT(drain(c, &first, &told), 1000);
	CHECK_INT(told, 0);
	CHECK_INT(spill_destroy(c), 0);
	c = spill_at(dir, 64, 64 * MIB, MIB, 0);
	CHECK_INT(stats_of(c).torn_bytes, 0);
	CHECK_INT(spill_destroy(c), 0);
}

/* One flipped bit anywhere: at most the block around it is missing, the count of what is missing is
 * exact, the receiver is told once, and nothing else is delivered. */
TEST(spill_files, a_damaged_middle_is_skipped_counted_and_told)
{
	uint64_t first = 0;
	char path[512];
	unsigned told;

	fill_directory(0, 5000, MIB);
	CHECK_INT(segment_path(0, path), 1);
	for (off_t at = SPILL_SECTOR_BYTES; at < 6 * (off_t)SPILL_BLOCK_BYTES; at += 12345) {
		unsigned char was, now;
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		struct spill_stats st;
		struct spill *c;
		uint64_t n;

		CHECK_INT(pread(fd, &was, 1, at), 1);
		(void)close(fd);
		now = was ^ 0x10;
		poke(path, at, &now, 1);
		c = spill_at(dir, 64, 64 * MIB, MIB, 0);
		CHECK_INT(stats_of(c).torn_bytes, 0);
		n = drain(c, &first, &told);
		st = stats_of(c);
		if (n == 5000) { /* the bit was in the padding */
			CHECK_INT(told, 0);
		} else {
			CHECK_INT(told, 1);
			CHECK_INT(n + st.n_lost, 5000);
			CHECK(st.n_lost > 0 && st.n_lost <= PER_BLOCK);
			CHECK(st.damaged_bytes <= SPILL_BLOCK_BYTES);
		}
		CHECK_INT(spill_destroy(c), 0);
		poke(path, at, &was, 1);
	}
}

static void
damage_header_and_drain(const char *path, off_t size)
{
	uint64_t first = 0, whole = (uint64_t)size_of(path);
	struct spill *c;
	unsigned told;

	poke(path, 3, "x", 1);
	if (size >= 0)
		CHECK_INT(truncate(path, size), 0);
	c = spill_at(dir, 64, 64 * MIB, 128 * KIB, 0);
	CHECK_INT(drain(c, &first, &told) + stats_of(c).n_lost, 8000);
	CHECK_INT(first, 0);
	CHECK_INT(told, 1);
	CHECK(stats_of(c).n_lost > 0);
	CHECK_INT(stats_of(c).damaged_bytes, size >= 0 ? (uint64_t)size : whole);
	CHECK_INT(spill_destroy(c), 0);
}

TEST(spill_files, a_damaged_header_costs_one_segment)
{
	static const off_t sizes[] = {-1, 0, 1, 40, 511, 512, 513, 70000};
	char path[512];

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		fill_directory(0, 8000, 128 * KIB);
		CHECK(segment_path(1, path) > 4);
		damage_header_and_drain(path, sizes[i]);
		test_dir_remove(dir);
		dir = test_dir();
	}
}

TEST(spill_files, a_lost_segment_is_a_gap_and_no_more)
{
	uint64_t first = 0;
	char path[512];
	unsigned told;
	struct spill *c;

	fill_directory(0, 8000, 128 * KIB);
	CHECK(segment_path(2, path) > 4);
	CHECK_INT(unlink(path), 0);
	c = spill_at(dir, 64, 64 * MIB, 128 * KIB, 0);
	CHECK(drain(c, &first, &told) < 8000);
	CHECK_INT(send_number(c, 8000, 100), 0);
	expect(c, 8000);
	CHECK_INT(spill_destroy(c), 0);
}

TEST(spill_files, a_newer_version_is_refused_and_left_alone)
{
	struct spill_opts opts = {.max_mem_bytes = 64, .max_disk_bytes = MIB};
	unsigned char sector[SPILL_SECTOR_BYTES] = {0};
	struct err err = {0};
	struct spill *c = NULL;
	char path[512];
	uint64_t sum;

	fill_directory(0, 1000, MIB);
	CHECK_INT(segment_path(0, path), 1);
	spill_segment_put(sector, (struct spill_segment_head){.first = 0, .salt = 1});
	sector[8] = 2;
	sum = hash64(sector, 32, 0);
	memcpy(sector + 32, &sum, sizeof(sum));
	poke(path, 0, sector, sizeof(sector));
	CHECK_INT(spill_open(AT_FDCWD, dir, &opts, &c, &err), -EOPNOTSUPP);
	CHECK(strstr(err.what, "newer"));
	CHECK_INT(segment_path(0, path), 1);
}

TEST(spill_files, names_of_others_are_left_alone)
{
	static const char *const names[] = {"0000000000000000.seg.bak", "0.seg", "note",
		"ffffffffffffffff.seg", "00000000000000zz.seg", "000000000000000A.seg"};
	struct spill *c;
	char path[512];

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		test_write(dir, names[i], "mine");
	fill_directory(0, 1000, MIB);
	c = spill_at(dir, 64, 64 * MIB, MIB, SPILL_AUTO_ACK);
	for (uint64_t i = 0; i < 1000; i++)
		expect(c, i);
	expect_nothing(c);
	CHECK_INT(spill_destroy(c), 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		CHECK_INT(size_of(path), 4);
	}
}

TEST(spill_files, a_lost_position_means_again_and_not_less)
{
	char path[512];
	struct spill *c = spill_at(dir, 64, 64 * MIB, MIB, 0);

	for (uint64_t i = 0; i < 3000; i++)
		CHECK_INT(send_number(c, i, 100), 0);
	CHECK_INT(spill_flush(c), 0);
	for (uint64_t i = 0; i < 1000; i++)
		expect(c, i);
	CHECK_INT(spill_ack(c), 0);
	CHECK_INT(spill_destroy(c), 0);
	(void)snprintf(path, sizeof(path), "%s/position", dir);
	CHECK_INT(truncate(path, 0), 0);
	c = spill_at(dir, 64, 64 * MIB, MIB, 0);
	for (uint64_t i = 0; i < 3000; i++)
		expect(c, i);
	CHECK_INT(spill_destroy(c), 0);
}

/* However long a file claims to be: what is not there is not read. */
TEST(spill_files, a_segment_of_monstrous_length_is_passed_over)
{
	uint64_t first = 0;
	char path[512];
	unsigned told;

	struct spill *c;

	fill_directory(0, 2000, 128 * KIB);
	for (unsigned i = 0; i < segment_path(i, path); i++)
		CHECK_INT(truncate(path, 1ll << 42), 0);
	CHECK(segment_path(0, path) > 1);
	poke(path, SPILL_SECTOR_BYTES + SPILL_BLOCK_BYTES, "x", 1); /* and its last block is gone */
	c = spill_at(dir, 64, 64 * MIB, 128 * KIB, 0);
	CHECK_INT(drain(c, &first, &told), 2000 - PER_BLOCK);
	CHECK_INT(told, 1);
	CHECK_INT(stats_of(c).n_lost, PER_BLOCK);
	CHECK_INT(spill_destroy(c), 0);
}

TEST(spill_files, numbers_out_of_bounds_are_refused)
{
	struct spill_opts opts = {.max_mem_bytes = 64, .max_disk_bytes = MIB};
	unsigned char slot[SPILL_SLOT_BYTES] = {0};
	struct err err = {0};
	struct spill *c = NULL;
	char path[512];

	fill_directory(0, 1, MIB);
	(void)snprintf(path, sizeof(path), "%s/position", dir);
	spill_position_put(slot, (struct spill_position){.turn = 9, .acked = SPILL_NUMBERS - 1});
	poke(path, SPILL_SECTOR_BYTES, slot, sizeof(slot));
	CHECK_INT(spill_open(AT_FDCWD, dir, &opts, &c, &err), -EBADMSG);
	CHECK(strstr(err.what, "out of bounds"));
	spill_position_put(slot, (struct spill_position){.turn = 10, .acked = SPILL_NUMBERS});
	poke(path, SPILL_SECTOR_BYTES, slot, sizeof(slot)); /* is no slot at all */
	c = spill_at(dir, 64, MIB, MIB, 0);
	expect(c, 0);
	CHECK_INT(spill_destroy(c), 0);
}

TEST(spill_files, what_is_no_file_of_ours_is_not_opened)
{
	static const char *const names[] = {"position", "0000000000000005.seg"};
	struct spill_opts opts = {.max_mem_bytes = 64, .max_disk_bytes = MIB};
	struct spill *c = NULL;
	char path[512];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		CHECK_INT(symlink("/dev/null", path), 0);
		CHECK_INT(spill_open(AT_FDCWD, dir, &opts, &c, NULL), -ELOOP);
		CHECK_INT(unlink(path), 0);
		CHECK_INT(mkfifo(path, 0600), 0);
		CHECK_INT(spill_open(AT_FDCWD, dir, &opts, &c, NULL), -ENODEV);
		CHECK_INT(unlink(path), 0);
	}
	CHECK_INT(chmod(dir, 0770), 0);
	CHECK_INT(spill_open(AT_FDCWD, dir, &opts, &c, NULL), -EPERM);
	CHECK_INT(chmod(dir, 0700), 0);
	CHECK(!c);
}

/* A link to a file of somebody else's where the next segment is to be: the name goes, not the file.
 */
TEST(spill_files, what_stands_in_the_way_of_a_segment_is_not_written_to)
{
	struct spill *c = spill_at(dir, 64, 64 * MIB, MIB, 0);
	char path[512], victim[512];

	test_write(dir, "victim", "mine");
	(void)snprintf(victim, sizeof(victim), "%s/victim", dir);
	(void)snprintf(path, sizeof(path), "%s/%016x.seg", dir, 0);
	CHECK_INT(link(victim, path), 0);
	CHECK_INT(send_number(c, 0, 100), 0);
	CHECK_INT(spill_flush(c), 0);
	CHECK_INT(size_of(victim), 4);
	CHECK(size_of(path) > 4);
	CHECK_INT(spill_destroy(c), 0);
}

static unsigned
n_descriptors(void)
{
	struct dirent **list;
	int n = scandir("/proc/self/fd", &list, NULL, NULL);

	for (int i = 0; i < n; i++)
		free(list[i]);
	free((void *)list);
	return (unsigned)n;
}

TEST(spill_files, descriptors_do_not_grow_with_the_backlog)
{
	enum { N = 20000 };
	unsigned before = n_descriptors();
	struct spill *c = spill_at(dir, 64, 64 * MIB, 64 * KIB, SPILL_DURABLE);

	for (uint64_t i = 0; i < N; i++) {
		CHECK_INT(send_number(c, i, 100), 0);
		if (i % 1000 == 999) /* unsynced ones are kept open */
			CHECK_INT(spill_flush(c), 0);
	}
	CHECK(stats_of(c).n_segments > 20);
	CHECK(n_descriptors() <= before + 6);
	for (uint64_t i = 0; i < N / 2; i++)
		expect(c, i);
	CHECK(n_descriptors() <= before + 6);
	CHECK_INT(spill_destroy(c), 0);
	CHECK_INT(n_descriptors(), before);
	c = spill_at(dir, 64, 64 * MIB, 64 * KIB, 0);
	CHECK(n_descriptors() <= before + 4);
	for (uint64_t i = 0; i < N; i++)
		expect(c, i);
	for (uint64_t i = N; i < 2 * N; i++) /* nor without syncs */
		CHECK_INT(send_number(c, i, 100), 0);
	CHECK(n_descriptors() <= before + 6);
	CHECK_INT(spill_destroy(c), 0);
}

/* What a block says about acks when `position` does not (B3). */
TEST(spill_files, what_was_acked_before_its_block_was_written_does_not_come_again)
{
	struct spill *c = spill_at(dir, 64, 64 * MIB, MIB, 0);
	char path[512];

	for (uint64_t i = 0; i < 100; i++)
		CHECK_INT(send_number(c, i, 100), 0);
	for (uint64_t i = 0; i < 60; i++)
		expect(c, i);
	CHECK_INT(segment_path(0, path), 0);
	CHECK_INT(spill_ack(c), 0);
	CHECK_INT(spill_flush(c), 0);
	CHECK_INT(segment_path(0, path), 1);
	CHECK_INT(spill_destroy(c), 0);
	(void)snprintf(path, sizeof(path), "%s/position", dir);
	CHECK_INT(truncate(path, 0), 0);
	c = spill_at(dir, 64, 64 * MIB, MIB, 0);
	for (uint64_t i = 60; i < 100; i++)
		expect(c, i);
	CHECK_INT(spill_destroy(c), 0);
}

/* What the child reports before it is killed: shared memory, relaxed counters. */
struct shared {
	_Atomic uint64_t flushed; /* records below it are covered by a flush that returned 0 */
	_Atomic uint64_t sent;
	_Atomic uint64_t acked;    /* records below it: an ack returned 0 */
	_Atomic uint64_t received; /* up to this one may have been received */
};

static _Noreturn void
child_run(struct shared *sh, uint64_t seed, uint64_t first)
{
	struct spill_opts opts = {.max_mem_bytes = 512u << (seed % 8),
		.max_disk_bytes = 64 * MIB,
		.segment_bytes = 96 * KIB,
		.flags = seed % 3 ? SPILL_DURABLE : 0};
	unsigned char record[200];
	uint64_t n = first;
	struct spill *c;
	struct span s;

	if (spill_open(AT_FDCWD, dir, &opts, &c, NULL) < 0)
		_exit(1);
	for (uint64_t step = 0;; step++) {
		uint64_t x = (seed ^ step) * 0x9e3779b97f4a7c15ull >> 32;

		for (uint64_t i = 0; i < x % 97; i++) {
			if (spill_send(c, record, record_make(n, 8 + (x + i) % 190, record)) < 0)
				_exit(2);
			n++;
			store_rlx(&sh->sent, n);
		}
		for (uint64_t i = 0; i < x / 97 % 89; i++) {
			uint64_t v;

			if (spill_try_recv(c, &s) < 0)
				break;
			memcpy(&v, s.data, sizeof(v));
			store_rlx(&sh->received, v + 1);
		}
		if (x % 5 == 0 && spill_ack(c) == 0)
			store_rlx(&sh->acked, load_rlx(&sh->received));
		if (x % 7 == 0) {
			if (spill_flush(c) < 0)
				_exit(3);
			store_rlx(&sh->flushed, n);
		}
	}
}

/* Every flushed record that was not acked is there, in order, without a gap before the first that
 * was lost; nothing that was acked. Leaves the directory drained up to a point. */
static uint64_t
check_after_kill(const struct shared *sh)
{
	struct spill *c = spill_at(dir, 64, 64 * MIB, 96 * KIB, 0);
	uint64_t acked = load_rlx(&sh->acked), flushed = load_rlx(&sh->flushed);
	uint64_t expected = acked, v = 0;
	bool any = false;
	struct span s;
	int r;

	while ((r = spill_try_recv(c, &s)) != -EAGAIN) {
		CHECK_INT(r, 0);
		v = record_check(s);
		CHECK(v >= acked);
		CHECK(v < load_rlx(&sh->sent) + 1);
		CHECK(!any || v > expected - 1);
		if (v < flushed) { /* none is missing; more than reported may be acked */
			CHECK(any ? v == expected : v <= load_rlx(&sh->received));
		}
		expected = v + 1;
		any = true;
	}
	CHECK_INT(stats_of(c).damaged_bytes, 0);
	CHECK_INT(stats_of(c).n_lost, 0);
	CHECK(flushed <= MAX(load_rlx(&sh->received), expected));
	CHECK_INT(spill_ack(c), 0);
	CHECK_INT(spill_destroy(c), 0);
	return MAX(load_rlx(&sh->sent) + 1, expected);
}

TEST(spill_files, kill_at_any_moment_loses_no_flushed_record)
{
	struct shared *sh =
		mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t first = 0;

	CHECK(sh != MAP_FAILED);
	for (uint64_t i = 0; i < 4 + test_scale(3000); i++) {
		uint64_t target = (i * 2654435761u) % 20000;
		int status;
		pid_t pid;

		store_rlx(&sh->flushed, first);
		store_rlx(&sh->sent, first);
		store_rlx(&sh->acked, first);
		store_rlx(&sh->received, first);
		pid = fork();
		CHECK(pid >= 0);
		if (pid == 0)
			child_run(sh, i, first);
		/* A moment that differs with each run, and does not depend on the clock. */
		while (load_rlx(&sh->sent) < first + target && waitpid(pid, &status, WNOHANG) == 0)
			(void)sched_yield();
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, &status, 0);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		first = check_after_kill(sh);
	}
	CHECK_INT(munmap(sh, sizeof(*sh)), 0);
}

/* A real file system that is full: needs the right to mount. */
TEST(spill_files, a_full_file_system_refuses_and_recovers)
{
	uint64_t sent = 0, got = 0;
	struct spill *c;

	if (mount("none", dir, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,mode=0700") < 0) {
		cr_skip_test("mounting a tmpfs: %s", strerror(errno));
		return;
	}
	c = spill_at(dir, KIB, 64 * MIB, 128 * KIB, SPILL_AUTO_ACK | SPILL_DURABLE);
	for (unsigned lap = 0; lap < 10; lap++) {
		uint64_t room;
		int r;

		while ((r = send_number(c, sent, 100)) == 0)
			sent++;
		CHECK_INT(r, -ENOSPC);
		CHECK_INT(send_number(c, sent, 100), -ENOSPC);
		room = lap % 2 ? sent : got + 3000;
		while (got < room)
			expect(c, got++);
		CHECK_INT(send_number(c, sent, 100), 0);
		sent++;
	}
	while (got < sent)
		expect(c, got++);
	expect_nothing(c);
	CHECK_INT(spill_destroy(c), 0);
	CHECK_INT(umount2(dir, MNT_DETACH), 0);
}
