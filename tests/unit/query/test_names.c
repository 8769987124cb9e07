#include "forest.h"
#include "query/names.h"

/* The path of an entry, whatever was asked for before. */
static void
must_make(struct path_maker *p, const struct forest *f, uint32_t layer, uint32_t entry)
{
	struct strbuf want = {0};
	struct span got;

	CHECK_INT(path_make(p, f->snapshot, layer, entry, &got), 0);
	CHECK_INT(snapshot_path(f->snapshot, layer, entry, &want), 0);
	CHECK_SAY(span_eq(got, strbuf_view(&want)), "layer %u entry %u: \"%.*s\", expected \"%s\"",
		layer, entry, (int)got.len, got.data, want.data);
	strbuf_fini(&want);
}

static int
put_large(struct strbuf *out, struct span part)
{
	for (size_t i = 0; i < part.len; i++) {
		char c = part.data[i];

		(void)strbuf_putc(out, c >= 'a' && c <= 'z' ? (char)(c - 0x20) : c);
	}
	return 0;
}

static int
wild_is_odd(struct strbuf *out, struct span part)
{
	CHECK_INT(strbuf_span(out, part), 0);
	return !utf8_valid(part.data, part.len);
}

static void
must_make_dir(struct path_maker *p, const struct forest *f, uint32_t layer, uint32_t dir)
{
	uint32_t entry = snapshot_cols(f->snapshot, layer)->dir_entry[dir];
	struct strbuf path = {0}, want = {0};
	struct span got = {0};
	int r = path_make_dir(p, f->snapshot, layer, dir, &got);

	CHECK_INT(snapshot_path(f->snapshot, layer, entry, &path), 0);
	(void)strbuf_putc(&path, '/');
	if (p->put)
		CHECK_INT(p->put(&want, strbuf_view(&path)), r);
	else
		CHECK_INT(strbuf_span(&want, strbuf_view(&path)), r);
	CHECK(span_eq(got, strbuf_view(&want)));
	strbuf_fini(&path);
	strbuf_fini(&want);
}

TEST(names, directories_are_written_as_the_caller_says_and_a_part_may_be_odd)
{
	static const path_put puts[] = {NULL, put_large, wild_is_odd};
	struct forest f = {0};

	forest_grow(&f, 11, 2000);
	for (size_t i = 0; i < ARRAY_LEN(puts); i++) {
		struct path_maker p = {.put = puts[i]};

		for (uint32_t layer = 0; layer < f.snapshot->n_layers; layer++) {
			uint32_t n = snapshot_cols(f.snapshot, layer)->n_dirs;

			for (uint32_t d = 0; d < n; d++)
				must_make_dir(&p, &f, layer, d);
			for (uint32_t d = 0; d < n; d++)
				must_make_dir(&p, &f, layer, roll(n));
		}
		path_maker_fini(&p);
	}
	forest_fell(&f);
}

TEST(names, a_path_is_the_same_in_whatever_order_entries_are_asked_for)
{
	struct forest f = {0};
	struct path_maker p = {0};
	uint32_t n_layers, layer;

	forest_grow(&f, 7, 3000);
	n_layers = f.snapshot->n_layers;
	for (layer = 0; layer < n_layers; layer++) {
		for (uint32_t e = 0; e < snapshot_cols(f.snapshot, layer)->n_entries; e++)
			must_make(&p, &f, layer, e);
	}
	while (layer-- > 0) {
		for (uint32_t e = snapshot_cols(f.snapshot, layer)->n_entries; e-- > 0;)
			must_make(&p, &f, layer, e);
	}
	for (unsigned i = 0; i < 5000; i++) {
		layer = roll(n_layers);
		must_make(&p, &f, layer, roll(snapshot_cols(f.snapshot, layer)->n_entries));
	}
	path_maker_fini(&p);
	forest_fell(&f);
}
