#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a sanitizer finds it finds in few rounds, each of which takes that much longer. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#	define SANITIZER_DIVIDES 4
#else
#	define SANITIZER_DIVIDES 1
#endif

void
test_fail(const char *file, int line, const char *format, ...)
{
	char text[4096];
	struct criterion_assert_stats failure = {
		.message = text, .file = file, .line = (unsigned)line};
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	criterion_send_assert(&failure);
	criterion_abort_test();
}

void
test_check_str(const char *file, int line, const char *what, const char *got, const char *expected)
{
	if (!got || !expected || strcmp(got, expected) != 0)
		test_fail(file, line, "%s is \"%s\", expected \"%s\"", what, got ? got : "(null)",
			expected ? expected : "(null)");
}

unsigned long
test_scale(unsigned long n)
{
	const char *tier = getenv("TRAWL_TIER");
	unsigned long divide = !tier || strcmp(tier, "quick") == 0 ? 500
	                       : strcmp(tier, "long") == 0         ? 1
	                                                           : 50 * SANITIZER_DIVIDES;

	return n / divide ? n / divide : 1;
}

void
test_pause(void)
{
	(void)poll(NULL, 0, 1);
}

unsigned
test_threads(unsigned n)
{
	const char *times = getenv("TRAWL_STRESS_THREADS");
	cpu_set_t set;

	if (!times || sched_getaffinity(0, sizeof(set), &set) < 0)
		return n;
	return (unsigned)CPU_COUNT(&set) * (unsigned)strtoul(times, NULL, 10);
}

char *
test_dir(void)
{
	const char *tmp = getenv("TMPDIR");
	char *path;

	if (asprintf(&path, "%s/trawl-test-XXXXXX", tmp ? tmp : "/tmp") < 0)
		return NULL;
	CHECK_SAY(mkdtemp(path) != NULL, "mkdtemp %s", path);
	return path;
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void
test_dir_remove(char *path)
{
	(void)nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS);
	free(path);
}

void
test_write(const char *dir, const char *name, const char *text)
{
	char path[4096];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	for (char *p = path + strlen(dir) + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		CHECK_SAY(mkdir(path, 0755) == 0 || errno == EEXIST, "mkdir %s", path);
		*p = '/';
	}
	f = fopen(path, "w");
	CHECK_SAY(f != NULL, "could not write %s", path);
	CHECK_SAY(fputs(text, f) >= 0 && fclose(f) == 0, "could not write %s", path);
}
