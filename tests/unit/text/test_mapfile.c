#include "text/mapfile.h"

#include "base/fd.h"
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096u
#define N_THREADS 4u

static int
file_of(size_t bytes)
{
	int fd = memfd_create("mapfile", MFD_CLOEXEC);
	char page[PAGE];

	memset(page, 'x', sizeof(page));
	CHECK(fd >= 0);
	for (size_t at = 0; at < bytes; at += PAGE)
		CHECK_INT(fd_write_full(fd, page, MIN(bytes - at, PAGE)), 0);
	return fd;
}

static size_t
count_x(const struct mapfile *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->len; i++)
		n += m->data[i] == 'x';
	return n;
}

TEST(mapfile, gives_the_bytes_of_a_file_and_outlives_its_descriptor)
{
	int fd = file_of(10000);
	struct mapfile m;

	CHECK_INT(mapfile_setup(), 0);
	CHECK_INT(mapfile_open(fd, UINT64_MAX, &m), 0);
	CHECK_INT(close(fd), 0);
	CHECK_INT(m.len, 10000);
	CHECK_INT(count_x(&m), 10000);
	CHECK(!mapfile_faulted(&m));
	mapfile_close(&m);
	mapfile_close(&m); /* closed twice is closed */
}

TEST(mapfile, an_empty_file_is_empty)
{
	AUTO(closep) int fd = file_of(0);
	struct mapfile m;

	CHECK_INT(mapfile_open(fd, 0, &m), 0);
	CHECK_INT(m.len, 0);
	CHECK(m.data != NULL);
	CHECK(!mapfile_faulted(&m));
	mapfile_close(&m);
}

TEST(mapfile, refuses_what_is_too_large_or_no_regular_file)
{
	AUTO(closep) int fd = file_of(PAGE);
	AUTO(closep) int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(closep) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct mapfile m;

	CHECK_INT(mapfile_open(fd, PAGE - 1, &m), -EFBIG);
	CHECK_INT(mapfile_open(dir, UINT64_MAX, &m), -ENODEV);
	CHECK_INT(mapfile_open(null, UINT64_MAX, &m), -ENODEV);
	CHECK_INT(mapfile_open(-1, UINT64_MAX, &m), -EBADF);
}

TEST(mapfile, no_more_mappings_than_the_table_has_slots)
{
	static struct mapfile maps[N_GUARDED_MAPS];
	AUTO(closep) int fd = file_of(PAGE);
	struct mapfile one;

	for (size_t i = 0; i < N_GUARDED_MAPS; i++)
		CHECK_INT(mapfile_open(fd, PAGE, &maps[i]), 0);
	CHECK_INT(mapfile_open(fd, PAGE, &one), -EMFILE);
	mapfile_close(&maps[77]);
	CHECK_INT(mapfile_open(fd, PAGE, &maps[77]), 0);
	for (size_t i = 0; i < N_GUARDED_MAPS; i++)
		mapfile_close(&maps[i]);
}

TEST(mapfile, a_file_cut_short_reads_as_zeros_and_says_so)
{
	AUTO(closep) int fd = file_of(8 * PAGE);
	AUTO(closep) int other_fd = file_of(PAGE);
	struct mapfile m, other;

	CHECK_INT(mapfile_setup(), 0);
	CHECK_INT(mapfile_open(fd, UINT64_MAX, &m), 0);
	CHECK_INT(mapfile_open(other_fd, UINT64_MAX, &other), 0);
	CHECK_INT(ftruncate(fd, 3 * PAGE), 0);
	errno = ERANGE;
	CHECK_INT(count_x(&m), 3 * PAGE);
	CHECK_INT(errno, ERANGE);
	CHECK(mapfile_faulted(&m));
	CHECK_INT(count_x(&other), PAGE);
	CHECK(!mapfile_faulted(&other));
	mapfile_close(&m);
	mapfile_close(&other);
}

TEST(mapfile, a_slot_used_again_forgets_the_fault)
{
	AUTO(closep) int fd = file_of(PAGE);
	struct mapfile m;

	CHECK_INT(mapfile_setup(), 0);
	for (size_t i = 0; i < 2 * N_GUARDED_MAPS; i++) {
		CHECK_INT(ftruncate(fd, PAGE), 0);
		CHECK_INT(mapfile_open(fd, PAGE, &m), 0);
		CHECK(!mapfile_faulted(&m));
		CHECK_INT(ftruncate(fd, 0), 0);
		CHECK_INT(count_x(&m), 0);
		CHECK(mapfile_faulted(&m));
		mapfile_close(&m);
	}
}

/* Each thread opens, cuts, reads and closes its own file, while all read one that is whole and one
 * that is cut: slots change hands while handlers look through them. */
struct shared {
	struct mapfile whole, cut;
	unsigned long rounds;
};

static void *
cut_and_read(void *arg)
{
	struct shared *s = arg;
	size_t wrong = 0;

	for (unsigned long i = 0; i < s->rounds; i++) {
		AUTO(closep) int fd = file_of(3 * PAGE);
		struct mapfile m;

		wrong += mapfile_open(fd, UINT64_MAX, &m) != 0;
		wrong += ftruncate(fd, (off_t)(i % 3 * PAGE)) != 0;
		wrong += count_x(&m) != i % 3 * PAGE;
		wrong += !mapfile_faulted(&m);
		mapfile_close(&m);
		wrong += count_x(&s->cut) != PAGE || !mapfile_faulted(&s->cut);
		wrong += count_x(&s->whole) != 2 * PAGE || mapfile_faulted(&s->whole);
	}
	return (void *)wrong;
}

TEST(mapfile, files_cut_short_under_several_threads_hurt_nobody_else)
{
	AUTO(closep) int whole = file_of(2 * PAGE);
	AUTO(closep) int cut = file_of(64 * PAGE);
	struct shared s = {.rounds = MAX(50, test_scale(30000))};
	pthread_t threads[N_THREADS];

	CHECK_INT(mapfile_setup(), 0);
	CHECK_INT(mapfile_open(whole, UINT64_MAX, &s.whole), 0);
	CHECK_INT(mapfile_open(cut, UINT64_MAX, &s.cut), 0);
	CHECK_INT(ftruncate(cut, PAGE), 0);
	for (size_t i = 0; i < N_THREADS; i++)
		CHECK_INT(pthread_create(&threads[i], NULL, cut_and_read, &s), 0);
	for (size_t i = 0; i < N_THREADS; i++) {
		void *wrong;

		CHECK_INT(pthread_join(threads[i], &wrong), 0);
		CHECK_INT((uintptr_t)wrong, 0);
	}
	mapfile_close(&s.whole);
	mapfile_close(&s.cut);
}

static void *foreign;
static volatile sig_atomic_t n_foreign;

static void
on_foreign(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)info;
	(void)context;
	n_foreign++;
	(void)mmap(foreign, PAGE, PROT_READ, MAP_FIXED | MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
}

TEST(mapfile, a_fault_elsewhere_goes_to_the_handler_that_was_there_before)
{
	AUTO(closep) int fd = file_of(PAGE);
	struct sigaction act = {.sa_sigaction = on_foreign, .sa_flags = SA_SIGINFO};
	struct mapfile m;

	CHECK_INT(sigaction(SIGBUS, &act, NULL), 0);
	CHECK_INT(mapfile_setup(), 0);
	CHECK_INT(mapfile_setup(), 0); /* must not chain to itself */
	CHECK_INT(mapfile_open(fd, UINT64_MAX, &m), 0);
	foreign = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(foreign != MAP_FAILED);
	CHECK_INT(ftruncate(fd, 0), 0);
	CHECK_INT(*(volatile char *)foreign, 0);
	CHECK_INT(n_foreign, 1);
	CHECK(!mapfile_faulted(&m));
	CHECK_INT(count_x(&m), 0);
	CHECK_INT(n_foreign, 1);
	CHECK(mapfile_faulted(&m));
	mapfile_close(&m);
	CHECK_INT(munmap(foreign, PAGE), 0);
}

/* In a child: no handler before ours, then a SIGBUS that is not of a guarded mapping. */
static int
end_of_child(bool sent)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		AUTO(closep) int fd = file_of(PAGE);
		volatile char *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

		(void)signal(SIGBUS, SIG_DFL);
		if (mapfile_setup() == 0 && ftruncate(fd, 0) == 0)
			(void)(sent ? raise(SIGBUS) : *p);
		_exit(0);
	}
	CHECK(pid > 0);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST(mapfile, a_sigbus_that_is_not_ours_kills_as_by_default)
{
	CHECK_INT(end_of_child(false), SIGBUS);
	CHECK_INT(end_of_child(true), SIGBUS);
}
