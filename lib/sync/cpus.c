#include "sync/cpus.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "base/fd.h"

#define CGROUP_FILE_MAX_BYTES 65536u

/* Whole CPUs of `quota` microseconds in each `period`. */
static unsigned
quota_cpus(uint64_t quota, uint64_t period)
{
	uint64_t n = period ? quota / period + (quota % period != 0) : 0;

	return (unsigned)MIN(n, (uint64_t)UINT_MAX);
}

/* The next word of *line, which moves past it; empty at the end. */
static struct span
next_word(struct span *line, char separator)
{
	const char *at = line->len ? memchr(line->data, separator, line->len) : NULL;
	size_t n = at ? (size_t)(at - line->data) : line->len;
	struct span word = {line->data, n};

	line->data += at ? n + 1 : n;
	line->len -= at ? n + 1 : n;
	return word;
}

static bool
read_number(const char *dir, const char *file, uint64_t *ret)
{
	struct strbuf text = {0};
	char path[PATH_MAX];
	bool ok;

	ok = snprintf(path, sizeof(path), "%s/%s", dir, file) < (int)sizeof(path) &&
	     fd_slurp(AT_FDCWD, path, CGROUP_FILE_MAX_BYTES, &text) == 0 &&
	     parse_u64(span_trim(strbuf_view(&text)), ret) == 0;
	strbuf_fini(&text);
	return ok;
}

/* cpu.max: "max 100000" or "150000 100000". */
static unsigned
quota_v2(const char *dir)
{
	struct strbuf text = {0};
	char path[PATH_MAX];
	uint64_t quota, period;
	unsigned n = 0;

	if (snprintf(path, sizeof(path), "%s/cpu.max", dir) < (int)sizeof(path) &&
		fd_slurp(AT_FDCWD, path, CGROUP_FILE_MAX_BYTES, &text) == 0) {
		struct span line = span_trim(strbuf_view(&text));

		if (parse_u64(next_word(&line, ' '), &quota) == 0 && parse_u64(line, &period) == 0)
			n = quota_cpus(quota, period);
	}
	strbuf_fini(&text);
	return n;
}

/* cpu.cfs_quota_us is -1, which is no number here, when there is no quota. */
static unsigned
quota_v1(const char *dir)
{
	uint64_t quota, period;

	if (!read_number(dir, "cpu.cfs_quota_us", &quota) ||
		!read_number(dir, "cpu.cfs_period_us", &period))
		return 0;
	return quota_cpus(quota, period);
}

static unsigned
lesser(unsigned a, unsigned b)
{
	return a == 0 ? b : b == 0 ? a : MIN(a, b);
}

/* The least quota of `path` and all above it below the mount point. A path that is not there (a
 * container that sees its cgroup as the root) is passed over. */
static unsigned
quota_upwards(const char *mount, struct span path, unsigned (*quota_of)(const char *dir))
{
	unsigned n = 0;

	for (;;) {
		char dir[PATH_MAX];

		while (path.len > 0 && path.data[path.len - 1] == '/')
			path.len--;
		if (snprintf(dir, sizeof(dir), "%s%.*s", mount, (int)path.len, path.data) <
			(int)sizeof(dir))
			n = lesser(n, quota_of(dir));
		if (path.len == 0)
			return n;
		while (path.len > 0 && path.data[path.len - 1] != '/')
			path.len--;
	}
}

static bool
has_controller(struct span list, struct span name)
{
	while (list.len > 0) {
		if (span_eq(next_word(&list, ','), name))
			return true;
	}
	return false;
}

/* One line of /proc/self/cgroup: "0::/path" (v2) or "4:cpu,cpuacct:/path" (v1). */
static unsigned
quota_of_line(const char *root, struct span line)
{
	static const char *const mounts_v2[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	static const char *const mounts_v1[] = {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"};
	struct span id = next_word(&line, ':'), controllers = next_word(&line, ':');
	bool v2 = span_eq(id, SPAN_LIT("0")) && controllers.len == 0;
	unsigned n = 0;

	if (!v2 && !has_controller(controllers, SPAN_LIT("cpu")))
		return 0;
	for (size_t i = 0; i < 2; i++) {
		char mount[PATH_MAX];

		if (snprintf(mount, sizeof(mount), "%s%s", root, v2 ? mounts_v2[i] : mounts_v1[i]) <
			(int)sizeof(mount))
			n = lesser(n, quota_upwards(mount, line, v2 ? quota_v2 : quota_v1));
	}
	return n;
}

unsigned
cpus_quota(const char *root)
{
	struct strbuf text = {0};
	char path[PATH_MAX];
	unsigned n = 0;

	if (snprintf(path, sizeof(path), "%s/proc/self/cgroup", root) < (int)sizeof(path) &&
		fd_slurp(AT_FDCWD, path, CGROUP_FILE_MAX_BYTES, &text) == 0) {
		struct span left = strbuf_view(&text);

		while (left.len > 0)
			n = lesser(n, quota_of_line(root, next_word(&left, '\n')));
	}
	strbuf_fini(&text);
	return n;
}
