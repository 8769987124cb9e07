#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "walk/listing.h"

/* Some 40 bytes a record, so a few buffers. */
#define MANY_NAMES 6000u

static void
put_files(int dirfd, unsigned from, unsigned to)
{
	char name[32];

	for (; from < to; from++) {
		AUTO(closep) int fd = -1;

		(void)snprintf(name, sizeof(name), "file-%08u", from);
		fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		CHECK(fd >= 0);
	}
}

/* All that is read until the end was told, by the offset or by the kernel, is all there is; and
 * whoever asks again gets nothing, though a file came meanwhile. */
static void
check_end(int dirfd, unsigned n)
{
	AUTO(closep) int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct listing l;
	size_t seen = 0;
	int r = 1;

	CHECK_INT(listing_init(&l), 0);
	while (r > 0 && !l.at_end) {
		r = listing_read(&l, fd);
		CHECK(r >= 0);
		seen += l.n;
	}
	CHECK_INT(seen, n);
	if (l.at_end) {
		put_files(dirfd, n, n + 1);
		CHECK_INT(listing_read(&l, fd), 0);
		CHECK(!l.at_end);
	}
	listing_fini(&l);
}

TEST(listing, behind_the_greatest_offset_there_is_nothing)
{
	static const unsigned sizes[] = {0, 1, 3, 100, MANY_NAMES};

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		char *path = test_dir();
		AUTO(closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		put_files(fd, 0, sizes[i]);
		check_end(fd, sizes[i]);
		test_dir_remove(path);
	}
}
