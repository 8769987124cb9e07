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
	cr_assert(span_eq(got, strbuf_view(&want)), "layer %u entry %u: \"%.*s\", expected \"%s\"",
		layer, entry, (int)got.len, got.data, want.data);
	strbuf_fini(&want);
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
