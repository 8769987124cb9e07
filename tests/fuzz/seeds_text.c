/*
 * seeds_text DIR: make DIR/text anew, from what the code writes now: small segments, and one with a
 * byte changed at the beginning of every section (the target puts the sums right).
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "index/text_merge.h"

enum seed_flags { SEED_OWN_GRAMS = 1u << 0, SEED_WINDOWS = 1u << 1 };

static int folder = -1;

static void
must(bool ok, const char *name)
{
	if (ok)
		return;
	(void)fprintf(stderr, "could not make %s\n", name);
	exit(1);
}

static unsigned
make_grams(uint32_t i, uint32_t n, unsigned flags, uint32_t *ret)
{
	unsigned k = 0;

	ret[k++] = 1;
	if (i % 2)
		ret[k++] = 70;
	if (i % 9 == 0)
		ret[k++] = 700;
	if (i > n / 2)
		ret[k++] = 200;
	if (flags & SEED_OWN_GRAMS)
		ret[k++] = 5000 + i;
	if (i == 5)
		ret[k++] = (1u << 18) - 1;
	return k;
}

static void
add_doc(struct text_adder *a, uint32_t i, uint32_t n, unsigned flags)
{
	uint32_t grams[8], id, n_windows = flags & SEED_WINDOWS && i % 3 == 0 ? 3 : 1;
	struct text_doc_in doc = {.order = i + 1,
		.hash = {i * 77, i * 13},
		.size_bytes = 9,
		.n_lines = 2,
		.flags = i % (TEXT_BINARY + 1)};

	if (doc.flags != TEXT_BINARY)
		doc.marks = (uint64_t)0x100010001u << i % 20 |
		            (doc.flags == TEXT_ASCII ? 0 : TEXT_MARKS_BEYOND);

	for (uint32_t u = 0; u < n_windows; u++) {
		struct text_unit_in in = {.offset_bytes = 100 * u,
			.lines_before = u,
			.at_line = u % 2 == 0,
			.grams = grams,
			.n_grams = make_grams(i, n, flags, grams)};

		must(text_add_unit(a, &in) == 0, "a unit");
	}
	must(text_add_doc(a, &doc, &id) == 1, "a document");
	if (i < 9)
		must(text_add_file(a, i * 1000 + 7, id) == 0, "a file");
}

static void
make_segment(const char *name, uint32_t n, unsigned flags)
{
	struct text_builder_opts opts = {.n_symbols = 3, .n_adders = 1, .overlap_bytes = 10};
	struct text_written written;
	struct text_builder *b;

	must(text_builder_create(&opts, &b) == 0, name);
	for (uint32_t i = 0; i < n; i++)
		add_doc(text_builder_adder(b, 0), i, n, flags);
	must(text_builder_write(b, folder, name, 3, NULL, &written, NULL) == 0, name);
	text_builder_destroy(b);
}

/* Some documents of another segment are dropped. */
static void
make_dropped(const char *name, const char *of)
{
	struct text_open_opts opts = {0};
	struct text_merge_opts none = {0};
	uint64_t dropped = 0x49;
	struct text_merge_source s = {.dropped = &dropped};
	struct text_written written;
	struct text *t;

	must(text_open(folder, of, &opts, &t, NULL) == 0, of);
	s.text = t;
	must(text_merge(&s, 1, &none, folder, name, NULL, &written, NULL) == 0, name);
	text_unref(t);
}

static void
change_sections(const char *of)
{
	struct strbuf b = {0};
	uint32_t n;

	must(fd_slurp(folder, of, 1u << 20, &b) == 0, of);
	memcpy(&n, b.data + 24, 4);
	for (uint32_t i = 0; i < n; i++) {
		struct segment_section row;
		char name[32];

		memcpy(&row, b.data + SEGMENT_HEADER_BYTES + i * SEGMENT_ROW_BYTES, sizeof(row));
		if (row.length == 0)
			continue;
		(void)snprintf(name, sizeof(name), "%s-section-%u", of, row.id);
		b.data[row.offset] ^= 1;
		must(fd_replace(folder, name, b.data, b.len, 0644) == 0, name);
		b.data[row.offset] ^= 1;
	}
	must(fd_replace(folder, "cut", b.data, 1000, 0644) == 0, "cut");
	strbuf_fini(&b);
}

int
main(int argc, char **argv)
{
	static const char *const made[] = {"one", "few", "windows", "long", "dropped"};
	char path[512];

	must(argc == 2 && mapfile_setup() == 0, "anything without DIR");
	(void)snprintf(path, sizeof(path), "%s/text", argv[1]);
	(void)mkdir(path, 0755);
	folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(folder >= 0, path);
	make_segment(made[0], 1, 0);
	make_segment(made[1], 20, SEED_OWN_GRAMS);
	make_segment(made[2], 30, SEED_WINDOWS);
	make_segment(made[3], 400, 0);
	make_dropped(made[4], made[2]);
	change_sections("windows");
	for (unsigned i = 0; i < ARRAY_LEN(made); i++)
		must(fchmodat(folder, made[i], 0644, 0) == 0, made[i]);
	return 0;
}
