#include "tree_image.h"

/* Entries, in order: "" a b b.c empty ä b/c b/x b/c/deep b.c/y. Directories: 0 the root, 1 b, 2
 * b/c, 3 b.c, 4 empty. */
static const char *const paths[] = {
	"b/", "b/c/", "b/c/deep", "b/x", "a", "empty/", "b.c/", "b.c/y", "\xc3\xa4"};

static struct image good;

static void
make_image_of(const char *const *of, size_t n)
{
	struct strbuf text = {0};
	struct model m;
	char *dir = test_dir();
	AUTO(closep) int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	model_of_paths(&m, of, n);
	tree_unref(model_tree(&m, dir, 3));
	CHECK_INT(fd_slurp(dirfd, "t", FILE_MAX_BYTES, &text), 0);
	memcpy(good.bytes, text.data, text.len);
	good.len = text.len;
	strbuf_fini(&text);
	model_fini(&m);
	test_dir_remove(dir);
}

static void
make_image(void)
{
	make_image_of(paths, ARRAY_LEN(paths));
}

TestSuite(tree_open, .init = make_image);

TEST(tree_open, each_flipped_bit_is_found)
{
	for (size_t at = 0; at < good.len; at++) {
		static struct image im;
		struct tree *t = NULL;
		struct err err;
		int r;

		im = good;
		im.bytes[at] = (char)(im.bytes[at] ^ (1 << at % 8));
		r = image_open(&im, &t, &err);
		CHECK_SAY(r == -EBADMSG, "byte %zu: result %d", at, r);
		CHECK(strstr(err.what, "tree segment \"seg\" is damaged: ") != NULL);
	}
}

TEST(tree_open, each_other_length_is_found)
{
	static struct image im;

	for (size_t len = 0; len < good.len; len++) {
		im = good;
		im.len = len;
		image_must_refuse(&im, -EBADMSG, "is damaged");
	}
	im = good;
	im.len = good.len + 1;
	image_must_refuse(&im, -EBADMSG, "H4");
	image_put(&im, 16, 8, im.len);
	image_sum_again(&im);
	image_must_refuse(&im, -EBADMSG, "H5: bytes after");
}

/* Everything that an accessor can be asked; AddressSanitizer and the mapping's end watch. */
static uint64_t
use_everything(const struct tree_cols *c)
{
	struct strbuf path = {0};
	uint64_t sum = 0;

	for (uint32_t e = 0; e < c->n_entries; e++) {
		uint32_t found;

		strbuf_reset(&path);
		CHECK_INT(tree_path(c, e, &path), 0);
		CHECK_INT(tree_lookup(c, strbuf_view(&path), &found), 0);
		CHECK_INT(found, e);
		sum += tree_depth(c, e) + tree_type(c, e) + tree_size(c, e) + tree_nlink(c, e);
		if (tree_dir(c, e) != TREE_NO_DIR) {
			uint32_t lo, hi;

			tree_subtree(c, tree_dir(c, e), &lo, &hi);
			CHECK(lo <= hi && hi <= c->n_entries);
		}
	}
	for (uint64_t at = 0; at < c->names_bytes; at++)
		sum += (unsigned char)c->names[at];
	strbuf_fini(&path);
	return sum;
}

TEST(tree_open, a_hostile_file_with_right_sums_cannot_lead_an_accessor_astray)
{
	unsigned long rounds = test_scale(5000000), n_opened = 0;

	for (uint64_t i = 0; i < rounds; i++) {
		static struct image im;
		uint64_t dice = hash64(&i, sizeof(i), 1);
		size_t at = 24 + dice % (good.len - 24);
		struct tree *t = NULL;
		struct err err;
		int r;

		im = good;
		/* Small changes of small numbers come closest to passing. */
		im.bytes[at] = dice >> 40 & 1 ? (char)(im.bytes[at] + 1) : (char)(dice >> 48);
		if (image_get(&im, 24, 4) != image_get(&good, 24, 4) ||
			(at >= TREE_HEADER_BYTES && at < ROW_AT(SECTION_NEEDED)))
			continue;
		image_sum_again(&im);
		r = image_open(&im, &t, &err);
		if (r == 0) {
			(void)use_everything(tree_cols(t));
			n_opened++;
		} else {
			CHECK(r == -EBADMSG || r == -EOPNOTSUPP);
		}
		tree_unref(t);
	}
	CHECK(rounds < 1000 || n_opened > 0); /* a size or a time may be anything */
}

/* So few names stand as they are. */
TEST(tree_open, each_rule_of_names_is_checked)
{
	static const struct rule_case cases[] = {
		{"names: N1", {{SECTION_FRAMES, 0, 4, 28}}},
		{"names: N1", {{SECTION_FRAMES, 0, 4, 30}}},
		{"names: N1", {{SECTION_FRAMES, 1, 4, 28}}},
		{"names: N1", {{SECTION_NAMES, 28, 1, 'x'}}}, /* no NUL behind the last */
		{"names: N1", {{SECTION_NAMES, 21, 1, 'x'}}}, /* nor behind x */
		{"names: N1", {{SECTION_NAMES, 24, 1, 0}}},   /* one within deep */
		{"names: N2: a slash", {{SECTION_NAMES, 10, 1, '/'}}},
		{"names: N3: length", {{SECTION_NAMES, 0, 1, 'r'}, {SECTION_NAMES, 1, 1, 0}}},
		{"wide: N4", {{SECTION_WIDE, 0, 4, 4}}},
		{"wide: N4", {{SECTION_WIDE, 0, 4, 5000}}},
		{"wide: N4", {{SECTION_NAMES, 27, 1, 0xe1}}},
		{"wide: N4", {{SECTION_NAMES, 15, 1, 'o'}, {SECTION_NAMES, 16, 1, 'o'}}},
		{"names: N5", {{SECTION_NAMES, 1, 1, 'c'}}},
		{"names: N5", {{SECTION_NAMES, 1, 1, 'b'}}},
		{"names: N5", {{SECTION_NAMES, 9, 1, 'b'}, {SECTION_NAMES, 10, 1, '.'},
				      {SECTION_NAMES, 11, 1, 'b'}}},
	};

	image_must_find(&good, cases, ARRAY_LEN(cases));
}

TEST(tree_open, each_rule_of_directories_is_checked)
{
	static const struct rule_case cases[] = {
		{"dir_first: D1", {{SECTION_DIR_FIRST, 0, 4, 0}}},
		{"dir_first: D1", {{SECTION_DIR_FIRST, 1, 4, 12}}},
		{"dir_first: D1", {{SECTION_DIR_FIRST, 5, 4, 9}}},
		{"parent: D2", {{SECTION_PARENT, 7, PACKED, 0}}},
		{"parent: D2", {{SECTION_PARENT, 0, PACKED, 1}}},
		{"dir_entry: D3: the root", {{SECTION_DIR_ENTRY, 0, 4, 1}}},
		{"dir_entry: D3: no such", {{SECTION_DIR_ENTRY, 2, 4, 10}}},
		{"dir_bits: D3", {{SECTION_DIR_BITS, 0, 8, 0x5f}}},
		{"dir_bits: D3", {{SECTION_DIR_BITS, 0, 8, 0x5b}}},
		{"dir_bits: D3", {{SECTION_DIR_BITS, 0, 8, 0x1000000001d}}},
		{"dir_rank: D3", {{SECTION_DIR_RANK, 0, 4, 1}}},
		{"dir_order: D3", {{SECTION_DIR_ORDER, 1, 4, 5}}},
		{"dir_order: D3", {{SECTION_DIR_ORDER, 1, 4, 3}, {SECTION_DIR_ORDER, 2, 4, 1}}},
		{"dir_bits: D3", {{SECTION_DIR_ENTRY, 2, 4, 5}}},
		{"dir_order: D4",
			{{SECTION_DIR_ENTRY, 3, 4, 4}, {SECTION_DIR_ENTRY, 4, 4, 3},
				{SECTION_DIR_ORDER, 2, 4, 4}, {SECTION_DIR_ORDER, 3, 4, 3},
				{SECTION_FLAGS, 3, PACKED, 2}, {SECTION_FLAGS, 4, PACKED, 0}}},
		{"dir_end: D5", {{SECTION_DIR_END, 0, 4, 4}}},
		{"dir_end: D5", {{SECTION_DIR_END, 1, 4, 2}}},
		{"dir_end: D5", {{SECTION_DIR_END, 2, 4, 4}}},
		{"dir_end: D5", {{SECTION_DIR_END, 4, 4, 4}}},
		{"dir_end: D5", {{SECTION_DIR_END, 3, 4, UINT32_MAX}}},
	};

	image_must_find(&good, cases, ARRAY_LEN(cases));
}

TEST(tree_open, each_rule_of_columns_is_checked)
{
	static const struct rule_case cases[] = {
		{"size: C1", {{SECTION_SIZE, HEAD_AT, 1}}},
		{"ino: C1", {{SECTION_INO, HEAD_WIDTH, 3}}},
		{"ctime: C2", {{SECTION_CTIME, HEAD_WIDTH, 58}}},
		{"size: C2", {{SECTION_SIZE, HEAD_WIDTH, 65}}},
		{"size: C2", {{SECTION_SIZE, HEAD_UNIT, 7}}},
		{"size: C2", {{SECTION_SIZE, HEAD_RESERVED, 1}}},
		{"size: C3", {{SECTION_SIZE, HEAD_BASE, UINT64_MAX}}},
		{"mtime: C3", {{SECTION_MTIME, HEAD_BASE, INT64_MAX}}},
		{"nlink: C3", {{SECTION_NLINK, HEAD_BASE, UINT32_MAX}}},
		{"parent: C3", {{SECTION_PARENT, HEAD_BASE, (uint64_t)1 << 40}}},
		{"flags: C3", {{SECTION_FLAGS, HEAD_BASE, 253}}},
		{"cls: E1", {{SECTION_CLS, 3, PACKED, 15}}},
		{"flags: E4", {{SECTION_FLAGS, 2, PACKED, 3}}},
		{"flags: E4", {{SECTION_FLAGS, 4, PACKED, 0}}},
		{"flags: E4", {{SECTION_FLAGS, 2, PACKED, TREE_EMPTY_DIR}}},
		{"flags: E3", {{SECTION_FLAGS, 1, PACKED, TREE_NOT_ENTERED}}},
		{"unread: E7", {{SECTION_FLAGS, 2, PACKED, TREE_NOT_ENTERED}}},
		{"classes: 3.4", {{SECTION_CLASSES, 5, 4, 1}}},
		{"sums: S1", {{SECTION_SUMS, 0, 8, 1}}},
		{"sums: S1", {{SECTION_SUMS, 1, 8, 1}}},
	};

	image_must_find(&good, cases, ARRAY_LEN(cases));
}

/* a and z are one inode, as are d/m and d/n and x; entries: "" a d x z d/m d/n. */
static void
make_links_image(void)
{
	static const struct {
		uint64_t dir;
		const char *name;
		uint64_t ino;
	} files[] = {{0, "a", 7}, {0, "d", 1}, {0, "x", 8}, {0, "z", 7}, {1, "m", 8}, {1, "n", 8}};
	struct tree_input in = {.mode = S_IFDIR, .dir = 0};
	struct strbuf text = {0};
	struct tree_builder *b;
	char *dir = test_dir();
	AUTO(closep) int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t bytes;

	CHECK_INT(tree_builder_create(&in, &b), 0);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		bool is_dir = files[i].ino == 1;

		in = (struct tree_input){.name = span_of(files[i].name),
			.mode = is_dir ? S_IFDIR : S_IFREG,
			.nlink = 3,
			.size = 100,
			.ino = files[i].ino,
			.dir = is_dir ? 1 : TREE_BUILD_NO_DIR};
		CHECK_INT(tree_builder_add(b, files[i].dir, &in, 1, false), 0);
	}
	CHECK_INT(tree_builder_write(b, dirfd, "t", NULL, &bytes, NULL), 0);
	tree_builder_destroy(b);
	CHECK_INT(fd_slurp(dirfd, "t", FILE_MAX_BYTES, &text), 0);
	memcpy(good.bytes, text.data, text.len);
	good.len = text.len;
	strbuf_fini(&text);
	test_dir_remove(dir);
}

TEST(tree_open, each_rule_of_links_is_checked)
{
	/* Links: (4, 1) (5, 3) (6, 5); their sums: 0 -> 200, 1 -> 300. */
	static const struct rule_case cases[] = {
		{"links: L1: list", {{SECTION_LINKS, 2, 4, 4}}},
		{"links: L1: list", {{SECTION_LINKS, 4, 4, 7}}},
		{"links: L1: list", {{SECTION_LINKS, 1, 4, 4}}},
		{"links: L1: no links", {{SECTION_LINKS, 1, 4, 3}}},
		{"links: L1: no links", {{SECTION_LINKS, 1, 4, 2}}},
		{"links: L2", {{SECTION_LINKS, 5, 4, 3}}},
		{"link_sums: L3: list", {{SECTION_LINK_SUMS, 0, 4, 1}}},
		{"link_sums: L3: list", {{SECTION_LINK_SUMS, 6, 4, 2}}},
		{"link_sums: L3: list", {{SECTION_LINK_SUMS, 1, 4, 1}}},
		{"link_sums: L3: wrong", {{SECTION_LINK_SUMS, 1, 8, 201}}},
	};

	make_links_image();
	image_must_find(&good, cases, ARRAY_LEN(cases));
}

#define N_MANY 300u

/* Three blocks, five groups of names. */
static void
make_many_image(void)
{
	static char names[N_MANY][8];
	static const char *of[N_MANY];

	for (unsigned i = 0; i < N_MANY; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "%u", i);
		of[i] = names[i];
	}
	make_image_of(of, N_MANY);
}

TEST(tree_open, what_follows_the_first_block_is_checked)
{
	static const struct rule_case cases[] = {
		{"dir_rank: D3", {{SECTION_DIR_RANK, 3, 4, 0}}},
		{"sums: S1", {{SECTION_SUMS, 2, 8, 1}}},
		{"sums: S1", {{SECTION_SUMS, 5, 8, 1}}},
		{"size: C1", {{SECTION_SIZE, 4 + 2, 4, 1}}},
	};

	make_many_image();
	image_must_find(&good, cases, ARRAY_LEN(cases));
}

TEST(tree_open, a_file_is_no_directory)
{
	size_t head = image_section(&good, SECTION_CLS), width = image_get(&good, head + 12, 1);
	uint64_t words = image_get(&good, head + sizeof(struct tree_block), 8);
	const struct rule_case cases[] = {
		/* b gets the class of b/c/deep */
		{"cls: E3", {{SECTION_CLS, 2, PACKED, words >> 8 * width & ((1u << width) - 1)}}},
	};

	CHECK(9 * width <= 64);
	image_must_find(&good, cases, ARRAY_LEN(cases));
}

TEST(tree_open, header_and_table_are_checked)
{
	static const struct {
		const char *text;
		size_t at, width;
		uint64_t value;
		int code;
	} cases[] = {
		{"a newer trawld (format 4)", 8, 4, 4, -EOPNOTSUPP},
		{"an older trawld (format 2)", 8, 4, 2, -EOPNOTSUPP},
		{"H3", 8, 4, 0, -EBADMSG},
		{"H3", 28, 4, 2, -EBADMSG},
		{"below: Y1", 28, 4, 1, -EBADMSG},
		{"H4", 16, 8, 1, -EBADMSG},
		{"H7: counts", 32, 4, 0, -EBADMSG},
		{"H7: counts", 32, 4, UINT32_MAX, -EBADMSG},
		{"H7: counts", 36, 4, 0, -EBADMSG},
		{"H7: counts", 36, 4, 11, -EBADMSG},
		{"H7: counts", 40, 4, 0, -EBADMSG},
		{"H7: counts", 44, 4, 11, -EBADMSG},
		{"H7: wrong length", 40, 4, 1 << 30, -EBADMSG},
		{"H7: counts out of range", 48, 8, UINT64_MAX, -EBADMSG},
		{"H5: sections out of order", ROW_AT(3), 4, 3, -EBADMSG},
		{"H5: not where", ROW_AT(3) + 8, 8, 704, -EBADMSG},
		{"newer trawld (section 77)", ROW_AT(SECTION_NEEDED - 1), 4, 77, -EOPNOTSUPP},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		static struct image im;

		im = good;
		image_put(&im, cases[i].at, cases[i].width, cases[i].value);
		image_put(&im, TREE_SUM_AT, 8, 0);
		image_put(&im, TREE_SUM_AT, 8, hash64(im.bytes, ROW_AT(SECTION_NEEDED), 0));
		image_must_refuse(&im, cases[i].code, cases[i].text);
	}
}

/* A section of a later version at the end: 8 bytes, which makes the table longer. */
static struct image
with_section(uint32_t id, uint32_t flags)
{
	size_t body = ALIGN_UP((size_t)ROW_AT(SECTION_NEEDED), TREE_ALIGN);
	size_t more = ALIGN_UP((size_t)ROW_AT(SECTION_NEEDED + 1), TREE_ALIGN) - body;
	struct image im = good;
	size_t end;

	memmove(im.bytes + body + more, im.bytes + body, im.len - body);
	memset(im.bytes + ROW_AT(SECTION_NEEDED), 0, body + more - ROW_AT(SECTION_NEEDED));
	for (uint32_t i = 0; i < SECTION_NEEDED; i++)
		image_put(&im, ROW_AT(i) + 8, 8, image_get(&im, ROW_AT(i) + 8, 8) + more);
	end = ALIGN_UP(im.len + more, TREE_ALIGN);
	image_put(&im, ROW_AT(SECTION_NEEDED), 4, id);
	image_put(&im, ROW_AT(SECTION_NEEDED) + 4, 4, flags);
	image_put(&im, ROW_AT(SECTION_NEEDED) + 8, 8, end);
	image_put(&im, ROW_AT(SECTION_NEEDED) + 16, 8, 8);
	memcpy(im.bytes + end, "whatever", 8);
	im.len = end + 8;
	image_put(&im, 12, 4, ROW_AT(SECTION_NEEDED + 1));
	image_put(&im, 16, 8, im.len);
	image_put(&im, 24, 4, SECTION_NEEDED + 1);
	image_sum_again(&im);
	return im;
}

TEST(tree_open, an_unknown_optional_section_is_skipped_and_a_required_one_refused)
{
	struct image im = with_section(35, TREE_SECTION_OPTIONAL);
	struct tree *t = NULL;
	struct err err;
	int r = image_open(&im, &t, &err);

	CHECK_SAY(r == 0, "%s", err.what);
	(void)use_everything(tree_cols(t));
	tree_unref(t);
	im = with_section(35, 0);
	image_must_refuse(&im, -EOPNOTSUPP, "written by a newer trawld (section 35)");
	im = with_section(SECTION_GRAM_NODES, TREE_SECTION_OPTIONAL);
	image_must_refuse(&im, -EBADMSG, "gram_nodes: H7");
	im = with_section(SECTION_GRAM_LISTS, TREE_SECTION_OPTIONAL);
	image_must_refuse(&im, -EBADMSG, "gram_nodes: H6");
	im = with_section(SECTION_GRAM_ROWS, TREE_SECTION_OPTIONAL);
	image_must_refuse(&im, -EBADMSG, "gram_nodes: H6");
}

TEST(tree_open, a_missing_section_is_found)
{
	static struct image im;

	im = good;
	image_put(&im, ROW_AT(SECTION_NEEDED - 1), 4, 50);
	image_put(&im, ROW_AT(SECTION_NEEDED - 1) + 4, 4, TREE_SECTION_OPTIONAL);
	image_sum_again(&im);
	image_must_refuse(&im, -EBADMSG, "link_sums: H6");
}

TEST(tree_open, what_is_not_a_file_is_one_sentence)
{
	char *dir = test_dir();
	AUTO(closep) int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct tree *t;
	struct err err;

	CHECK_INT(tree_open(dirfd, "gone", &t, &err), -ENOENT);
	CHECK_STR(err.what, "could not open tree segment \"gone\": no such file or directory");
	CHECK_INT(tree_open(dirfd, ".", &t, &err), -ENODEV);
	test_write(dir, "empty", "");
	CHECK_INT(tree_open(dirfd, "empty", &t, &err), -EBADMSG);
	CHECK_INT(symlinkat("empty", dirfd, "link"), 0);
	CHECK_INT(tree_open(dirfd, "link", &t, &err), -ELOOP);
	test_dir_remove(dir);
}
