/**
 * hostile: a tree with everything that makes walks fail, and `find` as the oracle for it.
 */
#pragma once

#include "walked.h"

#include <sys/sysmacros.h>

#define DEEPEST 4000
#define DEEP 600 /* past PATH_MAX */

/** A chain of directories; every hundredth level has a file and a second directory. Its paths are
 *  far longer than PATH_MAX. */
UNUSED static void
make_chain(int dirfd, int depth)
{
	int at = dup(dirfd);

	CHECK(at >= 0);
	for (int i = 0; i < depth; i++) {
		int next = mkdir_at(at, "level-with-a-name");

		if (i % 100 == 0) {
			touch_at(at, "file");
			(void)close(mkdir_at(at, "zweig"));
		}
		(void)close(at);
		at = next;
	}
	(void)close(at);
}

/** Names of every byte that a name can hold, and of the greatest length. */
UNUSED static void
make_names(int dirfd)
{
	static const char *const odd[] = {"-rf", " ", "new\nline", "\xff\xfe", "\xc3\xa9", "*", "?",
		"[", "\\", "\"", "'", "...", ".hidden", "a\tb", "\x01", "\x7f", "~", "%s%n"};
	char longest[256];

	memset(longest, 'n', 255);
	longest[255] = '\0';
	touch_at(dirfd, longest);
	longest[254] = 'd';
	(void)close(mkdir_at(dirfd, longest));
	for (size_t i = 0; i < ARRAY_LEN(odd); i++)
		touch_at(dirfd, odd[i]);
	for (int c = 1; c < 256; c++) {
		char name[8] = {'b', 'y', (char)c, '\0'};

		if (c != '/')
			touch_at(dirfd, name);
	}
}

/** Every type of file. Devices need root. */
UNUSED static void
make_types(int dirfd)
{
	int fd;

	CHECK(symlinkat("..", dirfd, "loop") == 0);
	CHECK(symlinkat("self", dirfd, "self") == 0);
	CHECK(symlinkat("/nonexistent", dirfd, "dangling") == 0);
	CHECK(mkfifoat(dirfd, "fifo", 0600) == 0);
	CHECK(mknodat(dirfd, "socket", S_IFSOCK | 0600, 0) == 0);
	(void)mknodat(dirfd, "null", S_IFCHR | 0600, makedev(1, 3));
	fd = openat(dirfd, "sparse", O_CREAT | O_WRONLY | O_CLOEXEC, 04755);
	CHECK(fd >= 0 && ftruncate(fd, 5000000000) == 0);
	(void)close(fd);
	CHECK(linkat(dirfd, "sparse", dirfd, "hard link", 0) == 0);
	CHECK(mkdirat(dirfd, "empty", 01777) == 0);
}

UNUSED static void
make_wide(int dirfd, unsigned long n)
{
	char name[32];

	for (unsigned long i = 0; i < n; i++) {
		(void)snprintf(name, sizeof(name), "%lx", i * 2654435761ul);
		if (i % 16 == 0)
			CHECK(mkdirat(dirfd, name, 0700) == 0);
		else
			touch_at(dirfd, name);
	}
}

UNUSED static void
make_hostile(const char *root, int depth)
{
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), sub;

	CHECK(fd >= 0);
	sub = mkdir_at(fd, "chain");
	make_chain(sub, depth);
	(void)close(sub);
	sub = mkdir_at(fd, "names");
	make_names(sub);
	(void)close(sub);
	sub = mkdir_at(fd, "types");
	make_types(sub);
	(void)close(sub);
	sub = mkdir_at(fd, "wide");
	make_wide(sub, 3000 + test_scale(100000));
	(void)close(sub);
	(void)close(fd);
}

struct found_row {
	char *path, *facts;
};

struct found {
	VEC(struct found_row) rows;
};

UNUSED static int
found_row_cmp(const void *a, const void *b)
{
	const struct found_row *x = a, *y = b;

	return strcmp(x->path, y->path);
}

/** Everything below root as find(1) sees it, sorted by path; `more` are further arguments. */
UNUSED static void
found_run(struct found *f, const char *root, const char *more)
{
	char command[4200];
	char *line = NULL;
	size_t size = 0;
	ssize_t n;
	FILE *p;

	(void)snprintf(command, sizeof(command),
		"find '%s' %s -mindepth 1 -printf '%%y %%m %%n %%U %%G %%s %%b %%i %%T@ %%C@ "
		"/%%P\\0'",
		root, more);
	p = popen(command, "r");
	CHECK(p != NULL);
	while ((n = getdelim(&line, &size, '\0', p)) > 0) {
		char *slash = strchr(line, '/');

		CHECK(slash != NULL);
		*slash = '\0';
		CHECK(VEC_PUSH(&f->rows, (struct found_row){strdup(slash + 1), strdup(line)}) == 0);
	}
	free(line);
	/* It says when it may not read a directory, which only others than root find. */
	CHECK(pclose(p) == 0 || geteuid() != 0);
	qsort(f->rows.data, f->rows.len, sizeof(f->rows.data[0]), found_row_cmp);
}

UNUSED static void
found_fini(struct found *f)
{
	VEC_EACH (&f->rows, row) {
		free(row->path);
		free(row->facts);
	}
	VEC_FINI(&f->rows);
}

/** The same facts in find's words; the sub-second part has ten digits there. */
UNUSED static void
facts_of(const struct walked_row *row, char *out, size_t size)
{
	const struct walk_entry *e = &row->e;
	const struct walk_class *c = &row->cls;
	static const char letters[16] = {[DT_REG] = 'f',
		[DT_DIR] = 'd',
		[DT_LNK] = 'l',
		[DT_FIFO] = 'p',
		[DT_SOCK] = 's',
		[DT_CHR] = 'c',
		[DT_BLK] = 'b'};

	(void)snprintf(out, size, "%c %o %u %u %u %llu %llu %llu %lld.%09lld0 %lld.%09lld0 ",
		letters[e->type & 15], c->mode & 07777, e->nlink, c->uid, c->gid,
		(unsigned long long)e->size, (unsigned long long)e->blocks,
		(unsigned long long)e->ino, (long long)(e->mtime_ns / NSEC_PER_SEC),
		(long long)(e->mtime_ns % NSEC_PER_SEC), (long long)(e->ctime_ns / NSEC_PER_SEC),
		(long long)(e->ctime_ns % NSEC_PER_SEC));
}

/** The walk gave exactly what find gives, fact by fact. */
UNUSED static void
check_same(const struct walked *w, const struct found *f)
{
	size_t n = MIN(w->rows.len, f->rows.len);
	char facts[256];

	for (size_t i = 0; i < n; i++) {
		CHECK_SAY(strcmp(w->rows.data[i].path, f->rows.data[i].path) == 0,
			"walk has \"%.99s\" where find has \"%.99s\"", w->rows.data[i].path,
			f->rows.data[i].path);
		facts_of(&w->rows.data[i], facts, sizeof(facts));
		CHECK_SAY(strcmp(facts, f->rows.data[i].facts) == 0, "\"%.99s\": %s, find: %s",
			w->rows.data[i].path, facts, f->rows.data[i].facts);
	}
	CHECK_INT(w->rows.len, f->rows.len);
}
