#include "catalog/peek.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "catalog/rows.h"
#include "catalog/schema.h"

/* A catalog has a row a root, and the journal (CATALOG_KEEP_BYTES): more is none. */
#define MAX_BYTES ((size_t)1 << 30)
#define MAX_TRIES 20

static const char *const files[] = {"catalog.db", "catalog.db-wal"};

/* What changes with every commit and checkpoint. */
struct look {
	struct stat st[ARRAY_LEN(files)]; /* zeros: not there */
};

static int
look_at(int dirfd, struct look *ret)
{
	*ret = (struct look){0};
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (fstatat(dirfd, files[i], &ret->st[i], AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		if (errno != ENOENT || i == 0)
			return -errno;
	}
	return 0;
}

static bool
same_look(const struct look *a, const struct look *b)
{
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		const struct stat *x = &a->st[i], *y = &b->st[i];

		if (x->st_ino != y->st_ino || x->st_size != y->st_size ||
			x->st_mtim.tv_sec != y->st_mtim.tv_sec ||
			x->st_mtim.tv_nsec != y->st_mtim.tv_nsec)
			return false;
	}
	return true;
}

static int
copy_file(int from, int to, const char *name)
{
	AUTO(strbuf_fini) struct strbuf text = {0};
	AUTO(closep) int fd = -1;
	int r = fd_slurp(from, name, MAX_BYTES, &text);

	if (r < 0)
		return r;
	fd = openat(to, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? -errno : fd_write_full(fd, text.data, text.len);
}

/* Both files as they stood together at one moment. */
static int
copy_files(int from, int to)
{
	struct look before, after;

	for (int i = 0; i < MAX_TRIES; i++) {
		int r = look_at(from, &before);

		if (r == 0)
			r = copy_file(from, to, files[0]);
		if (r == 0 && before.st[1].st_ino)
			r = copy_file(from, to, files[1]);
		else if (r == 0 && unlinkat(to, files[1], 0) < 0 && errno != ENOENT)
			r = -errno;
		if (r == 0)
			r = look_at(from, &after);
		if (r < 0 && r != -ENOENT)
			return r;
		if (r == 0 && same_look(&before, &after))
			return 0;
		if (r == -ENOENT && i + 1 == MAX_TRIES)
			return r;
	}
	return -EAGAIN;
}

/* It is a copy, and may be made of this version, which nobody keeps. */
static int
read_any_version(struct db *db, uint64_t version, struct catalog_roots *ret, struct err *err)
{
	int r = db_begin(db, err);

	if (r == 0)
		r = schema_upgrade(db, version, err);
	if (r == 0)
		r = catalog_read_roots(db, ret, err);
	db_rollback(db);
	return r;
}

static int
read_copy(const char *temp, const char *path, struct catalog_roots *ret, struct err *err)
{
	AUTO(freep) char *file = NULL;
	struct db *db = NULL;
	uint64_t version;
	int r;

	if (asprintf(&file, "%s/%s", temp, files[0]) < 0) {
		file = NULL;
		return err_set(err, -ENOMEM, "could not read the catalog: out of memory");
	}
	r = db_open(file, files[0], &db, err);
	if (r == 0)
		r = schema_check(db, path, &version, err);
	if (r == 0 && version > 0)
		r = read_any_version(db, version, ret, err);
	if (r < 0)
		catalog_roots_free(ret);
	db_close(db);
	return r;
}

static void
remove_copy(int fd, const char *temp)
{
	static const char *const left[] = {
		"catalog.db", "catalog.db-wal", "catalog.db-shm", "catalog.db-journal"};

	for (size_t i = 0; i < ARRAY_LEN(left); i++)
		(void)unlinkat(fd, left[i], 0);
	(void)rmdir(temp);
}

int
catalog_peek(int dirfd, const char *path, struct catalog_roots *ret, struct err *err)
{
	const char *dir = getenv("TMPDIR");
	AUTO(freep) char *temp = NULL;
	AUTO(closep) int fd = -1;
	int r;

	*ret = (struct catalog_roots){0};
	if (asprintf(&temp, "%s/trawl-peek-XXXXXX", dir && dir[0] == '/' ? dir : "/tmp") < 0) {
		temp = NULL;
		return err_set(err, -ENOMEM, "could not read the catalog: out of memory");
	}
	if (!mkdtemp(temp)) {
		r = -errno;
		return err_set(err, r, "could not make a directory for a copy of the catalog: %s",
			err_reason(r));
	}
	fd = open(temp, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	r = fd < 0 ? -errno : copy_files(dirfd, fd);
	if (r < 0)
		(void)err_set(
			err, r, "could not read the catalog in \"%s\": %s", path, err_reason(r));
	else
		r = read_copy(temp, path, ret, err);
	remove_copy(fd, temp);
	return r;
}
