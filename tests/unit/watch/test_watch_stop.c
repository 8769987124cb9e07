/* The end of a watch in two parts. */

#include "watch_support.h"

#include <dirent.h>

/* Marks of fanotify that this process has, as the kernel tells of its descriptors. */
static int
n_marks(void)
{
	DIR *dir = opendir("/proc/self/fdinfo");
	const struct dirent *d;
	int n = 0;

	CHECK(dir);
	while ((d = readdir(dir))) {
		char line[512];
		FILE *f;

		if (d->d_name[0] == '.')
			continue;
		(void)snprintf(line, sizeof(line), "/proc/self/fdinfo/%s", d->d_name);
		f = fopen(line, "re");
		while (f && fgets(line, sizeof(line), f))
			n += strncmp(line, "fanotify ", 9) == 0;
		if (f)
			(void)fclose(f);
	}
	(void)closedir(dir);
	return n;
}

TEST(watch_stop, the_kernel_has_no_mark_left_and_nothing_is_told)
{
	struct place p = place_open("tmpfs");
	struct scene s;
	int before, fd;

	before = n_marks();
	scene_open(&s, p.path, WATCH_FILE_SYSTEM);
	CHECK_INT(s.kind, WATCH_FILE_SYSTEM);
	CHECK(n_marks() > before + 1);
	watch_stop(s.watch);
	CHECK(n_marks() <= before + 1); /* the group itself has a line */
	fd = openat(s.tree_fd, "late", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	CHECK(fd >= 0);
	close(fd);
	CHECK_INT(scene_recv(&s, clock_deadline(1000)), -ETIMEDOUT);
	watch_stop(s.watch);
	scene_close(&s);
	place_close(&p);
}
