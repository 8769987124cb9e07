#include "walk/mount_table.h"

#include "test.h"

static const char table[] =
	"36 35 98:0 / / rw,noatime master:1 shared:2 - ext4 /dev/root rw,errors=continue\n"
	"no line at all\n"
	"41 36 0:5 /sub /a\\040b\\134c rw - tmpfs none rw\n"
	"42 36 0:6 / /never rw\n" /* without a type */
	"43 36 0:7 / /last rw - fuse.x y";

static void
check_next(struct span *text, uint64_t id, const char *path, const char *type)
{
	struct mount_line line;
	char *where;

	CHECK(mount_table_next(text, &line));
	CHECK_INT(line.id, id);
	where = mount_table_path(line.where);
	CHECK_STR(where, path);
	CHECK(span_eq(line.type, span_of(type)));
	free(where);
}

TEST(mount_table, lines_are_read_and_others_passed_over)
{
	struct span text = {table, sizeof(table) - 1};
	struct mount_line line;

	check_next(&text, 36, "/", "ext4");
	check_next(&text, 41, "/a b\\c", "tmpfs");
	check_next(&text, 43, "/last", "fuse.x");
	CHECK(!mount_table_next(&text, &line));
	text = (struct span){0};
	CHECK(!mount_table_next(&text, &line));
}

TEST(mount_table, a_table_that_is_cut_anywhere_gives_no_wrong_line)
{
	for (size_t n = 0; n < sizeof(table); n++) {
		struct span text = {table, n};
		struct mount_line line;

		while (mount_table_next(&text, &line))
			CHECK(line.id == 36 || line.id == 41 || line.id == 43);
	}
}
