/* replay DIR...: run the fuzz target over every file of the directories, as an ordinary test. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>

#include "base/fd.h"

#define FILE_MAX_BYTES (1u << 20)

static int
replay_file(int dirfd, const char *name)
{
	struct strbuf buf = {0};
	uint8_t *exact;
	int r = fd_slurp(dirfd, name, FILE_MAX_BYTES, &buf);

	/* A block of exactly its size, so that the sanitizer sees a read past its end. */
	exact = r < 0 ? NULL : malloc(buf.len ? buf.len : 1);
	if (!exact) {
		(void)fprintf(stderr, "could not read %s\n", name);
		r = -1;
	} else {
		if (buf.len > 0)
			memcpy(exact, buf.data, buf.len);
		(void)LLVMFuzzerTestOneInput(exact, buf.len);
	}
	free(exact);
	strbuf_fini(&buf);
	return r < 0 ? -1 : 1;
}

/* The number of files, -1 after a failure. */
static int
replay_dir(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *d;
	int n = 0, r;

	if (!dir) {
		(void)fprintf(stderr, "could not open %s\n", path);
		return -1;
	}
	while (n >= 0 && (d = readdir(dir)) != NULL) {
		if (d->d_name[0] == '.')
			continue;
		r = replay_file(dirfd(dir), d->d_name);
		n = r < 0 ? -1 : n + 1;
	}
	(void)closedir(dir);
	return n;
}

int
main(int argc, char **argv)
{
	int total = 0;

	for (int i = 1; i < argc; i++) {
		int n = replay_dir(argv[i]);

		if (n < 0)
			return 1;
		total += n;
	}
	(void)printf("%d files\n", total);
	if (fuzz_n_reached && fuzz_n_reached() == 0) {
		(void)fprintf(stderr, "all of the corpus is refused: make it anew (seeds.c)\n");
		return 1;
	}
	return total > 0 ? 0 : 1; /* a corpus that got lost is a failure */
}
