/*
 * seeds DIR: make DIR/segment and DIR/stack anew, from what the code writes now.
 *
 * Whole segments and layers, and each with a byte changed at the first and the last place of every
 * section, and with numbers of the header at their ends.
 */
#include "fuzz_sums.h"
#include "fuzz_tree.h"

#include <errno.h>
#include <sys/mman.h>

#include "index/tree_merge.h"
#include "text/mapfile.h"

static const char *folder;

static void
put(const char *name, const char *end, const struct strbuf *bytes)
{
	char path[512];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s%s", folder, name, end);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || fd_write_full(fd, bytes->data, bytes->len) < 0) {
		(void)fprintf(stderr, "could not write %s\n", path);
		exit(1);
	}
	closep(&fd);
}

/* The target puts the sums right. */
static void
put_changed(const char *name, const char *end, struct strbuf *bytes, size_t at, uint8_t by)
{
	bytes->data[at] = (char)(bytes->data[at] + by);
	put(name, end, bytes);
	bytes->data[at] = (char)(bytes->data[at] - by);
}

/* Both ends of the sections from `from` on. */
static void
put_sections(const char *of, struct strbuf *bytes, uint32_t from)
{
	uint32_t n, id;
	uint64_t at, len;

	memcpy(&n, bytes->data + 24, 4);
	for (uint32_t i = 0; i < n; i++) {
		const char *row = bytes->data + TREE_HEADER_BYTES + (size_t)i * TREE_ROW_BYTES;
		char name[64];

		memcpy(&id, row, 4);
		memcpy(&at, row + 8, 8);
		memcpy(&len, row + 16, 8);
		if (len == 0 || id < from)
			continue;
		(void)snprintf(name, sizeof(name), "%s-%s", of, tree_section_name(id));
		put_changed(name, "-first", bytes, at, 1);
		put_changed(name, "-last", bytes, at + len - 1, 1);
	}
}

/* FORMAT.md 3.2: the head of a packed column's first block. */
static void
put_heads(const char *of, struct strbuf *bytes, enum tree_section id)
{
	static const struct {
		const char *end;
		size_t at;
		uint8_t by;
	} heads[] = {{"-base-far", 7, 0x80}, {"-at-far", 11, 0x80}, {"-width-more", 12, 30},
		{"-width-far", 12, 64}, {"-unit-far", 13, 7}};
	uint32_t n, have;
	uint64_t at;

	memcpy(&n, bytes->data + 24, 4);
	for (uint32_t i = 0; i < n; i++) {
		const char *row = bytes->data + TREE_HEADER_BYTES + (size_t)i * TREE_ROW_BYTES;

		memcpy(&have, row, 4);
		memcpy(&at, row + 8, 8);
		for (size_t k = 0; k < ARRAY_LEN(heads) && have == id; k++)
			put_changed(of, heads[k].end, bytes, at + heads[k].at, heads[k].by);
	}
}

/* FORMAT.md 2: the fields of the header. */
static void
put_headers(const char *of, struct strbuf *bytes)
{
	static const size_t fields[] = {8, 12, 16, 24, 28, 32, 36, 40, 44, 48};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "%s-header-%zu", of, fields[i]);
		put_changed(name, "-more", bytes, fields[i], 1);
		put_changed(name, "-far", bytes, fields[i] + 3, 0x80);
	}
}

/* n files in each of the directories, which are a chain; links and names of all kinds. */
static void
make(struct strbuf *ret, uint32_t n_dirs, uint32_t n_files, bool grams)
{
	static const char *const heads[] = {"a", "read me ", "\xc3\xa4", "LIB", ".x"};
	struct tree_input root = fuzz_input("", 0);
	struct tree_builder *b;

	strbuf_reset(ret);
	if (tree_builder_create(&root, &b) < 0)
		abort();
	if (grams)
		tree_builder_grams_from(b, 1);
	for (uint32_t d = 0; d < n_dirs; d++) {
		struct tree_input dir = fuzz_input("sub", d + 1);

		for (uint32_t i = 0; i < n_files; i++) {
			char name[32];
			struct tree_input in = fuzz_input(name, TREE_BUILD_NO_DIR);

			(void)snprintf(name, sizeof(name), "%s%03u", heads[i % 5], i);
			in.name = span_of(name);
			in.nlink = 1 + i % 2;
			in.ino = i % 4;
			in.size = (uint64_t)i * i * 1000;
			in.mtime_ns = (int64_t)i * 1000000000;
			if (tree_builder_add(b, d, &in, 1, false) < 0)
				abort();
		}
		if (tree_builder_add(b, d, &dir, d + 1 < n_dirs, false) < 0)
			abort();
	}
	tree_unref(fuzz_write(b, ret));
}

static void
make_segments(void)
{
	struct strbuf s = {0};

	put("empty", "", &s);
	make(&s, 1, 0, false);
	put("root", "", &s);
	make(&s, 20, 1, false);
	put("chain", "", &s);
	make(&s, 2, 150, false);
	put("many", "", &s);
	put_sections("many", &s, SECTION_PARENT);
	put_heads("many-size", &s, SECTION_SIZE);
	put_heads("many-mtime", &s, SECTION_MTIME);
	make(&s, 2, 5, true);
	put("grams", "", &s);
	put_sections("grams", &s, SECTION_GRAM_NODES);
	make(&s, 3, 6, false);
	put("files", "", &s);
	put_sections("files", &s, 0);
	put_headers("files", &s);
	s.len--;
	put("cut", "", &s);
	strbuf_fini(&s);
}

typedef void (*tell_fn)(struct tree_change *c, struct tree_stack *s);

static uint32_t
dir_at(struct tree_change *c, struct tree_stack *s, const char *path)
{
	struct tree_at at;
	uint32_t dir;

	if (tree_stack_lookup(s, span_of(path), &at) < 0 ||
		tree_change_dir(
			c, at.layer, tree_dir(tree_stack_cols(s, at.layer), at.entry), &dir) < 0)
		abort();
	return dir;
}

static uint32_t
put_row(struct tree_change *c, uint32_t at, const char *name, bool is_dir)
{
	struct tree_input in = fuzz_input(name, is_dir ? 0 : TREE_BUILD_NO_DIR);
	uint32_t dir = 0;

	if (tree_change_put(c, at, &in, &dir) < 0)
		abort();
	return dir;
}

static void
tell_nothing(struct tree_change *c, struct tree_stack *s)
{
	(void)c;
	(void)s;
}

static void
tell_some(struct tree_change *c, struct tree_stack *s)
{
	(void)put_row(c, dir_at(c, s, "b"), "new", false);
	(void)tree_change_kill(c, dir_at(c, s, "b"), SPAN_LIT("x"));
	(void)tree_change_kill(c, dir_at(c, s, "b.c"), SPAN_LIT("y"));
	(void)tree_change_read(c, put_row(c, TREE_CHANGE_ROOT, "c2", true), 0);
}

static void
tell_other_kinds(struct tree_change *c, struct tree_stack *s)
{
	(void)put_row(c, put_row(c, TREE_CHANGE_ROOT, "b", true), "c", false);
	(void)put_row(c, dir_at(c, s, "empty"), "f", false);
	(void)put_row(c, TREE_CHANGE_ROOT, "a", true);
}

static void
tell_the_end(struct tree_change *c, struct tree_stack *s)
{
	(void)s;
	for (const char *const *name = (const char *const[]){"a", "b", "b.c", "empty", NULL}; *name;
		name++)
		(void)tree_change_kill(c, TREE_CHANGE_ROOT, span_of(*name));
}

static void
tell_deep(struct tree_change *c, struct tree_stack *s)
{
	struct tree_input own = fuzz_input("", 0);
	uint32_t dir = TREE_CHANGE_ROOT;

	(void)tree_change_own(c, TREE_CHANGE_ROOT, &own);
	(void)tree_change_read(c, dir_at(c, s, "b"), TREE_LEFT_OUT);
	for (uint32_t i = 0; i < 20; i++) {
		dir = put_row(c, dir, "sub", true);
		(void)put_row(c, dir, "f", false);
	}
}

static void
make_layer(struct tree_stack *s, const char *name, tell_fn tell)
{
	struct tree_merge m = {.stack = s, .from = 1};
	struct strbuf bytes = {0};
	int fd = memfd_create("layer", MFD_CLOEXEC);
	uint64_t len;

	if (fd < 0 || tree_change_create(s, &m.change) < 0)
		abort();
	tell(m.change, s);
	if (tree_merge_fd(&m, fd, &len, NULL) < 0 || strbuf_reserve(&bytes, len) < 0 ||
		fd_pread_full(fd, bytes.data, len, 0) != (ssize_t)len)
		abort();
	bytes.len = len;
	put(name, "", &bytes);
	put_sections(name, &bytes, SECTION_BELOW);
	if (tell == tell_some)
		put_sections(name, &bytes, 0);
	tree_change_destroy(m.change);
	strbuf_fini(&bytes);
	closep(&fd);
}

static void
make_layers(void)
{
	struct tree *base = fuzz_base();
	struct tree_stack *s;

	if (tree_stack_create(&base, 1, &s, NULL) < 0)
		abort();
	make_layer(s, "nothing", tell_nothing);
	make_layer(s, "some", tell_some);
	make_layer(s, "other-kinds", tell_other_kinds);
	make_layer(s, "the-end", tell_the_end);
	make_layer(s, "deep", tell_deep);
	tree_stack_unref(s);
	tree_unref(base);
}

int
main(int argc, char **argv)
{
	char path[256];

	if (argc != 2 || mapfile_setup() < 0) {
		(void)fprintf(stderr, "usage: fuzz_seeds tests/fuzz/corpus\n");
		return 1;
	}
	folder = path;
	(void)snprintf(path, sizeof(path), "%s/segment", argv[1]);
	make_segments();
	(void)snprintf(path, sizeof(path), "%s/stack", argv[1]);
	make_layers();
	return 0;
}
