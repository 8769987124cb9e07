#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
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

unsigned long
test_scale(unsigned long n)
{
	const char *tier = getenv("TRAWL_TIER");
	unsigned long divide = !tier || strcmp(tier, "quick") == 0 ? 500
	                       : strcmp(tier, "long") == 0         ? 1
	                                                           : 50 * SANITIZER_DIVIDES;

	return n / divide ? n / divide : 1;
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
	cr_assert(mkdtemp(path) != NULL, "mkdtemp %s", path);
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
		cr_assert(mkdir(path, 0755) == 0 || errno == EEXIST, "mkdir %s", path);
		*p = '/';
	}
	f = fopen(path, "w");
	cr_assert(f != NULL, "could not write %s", path);
	cr_assert(fputs(text, f) >= 0 && fclose(f) == 0, "could not write %s", path);
}
