#include "index/text_set.h"
#include "text_place.h"

TestSuite(text_set, .init = place_set_up, .fini = place_tear_down);

/* Documents [lo, hi) of a model. */
static struct text *
part(struct text_model *m, const char *name, uint32_t lo, uint32_t hi)
{
	model_write(m, place.dirfd, name, lo, hi, 1, 0, NULL);
	return model_open(place.dirfd, name, NULL);
}

TEST(text_set, finds_the_segment_and_the_document_of_a_content)
{
	struct text_model m;
	struct text *t[3];
	struct text_set *s;

	model_init(&m, 1, 4, 100, 90);
	t[0] = part(&m, "a", 0, 20);
	t[1] = part(&m, "b", 20, 30);
	t[2] = part(&m, "c", 50, 90); /* behind a gap */
	CHECK_INT(text_set_create(t, 3, &s, NULL), 0);
	CHECK_INT(s->n_symbols, 4);
	CHECK_INT(text_set_end(s), 190);
	for (uint32_t i = 0; i < 300; i++) {
		uint32_t of = i < 100 || i >= 190 ? 3 : i < 120 ? 0 : i < 130 ? 1 : i < 150 ? 3 : 2;
		const struct text_doc *d = text_set_doc(s, i);
		uint32_t found = 0;

		CHECK_INT(text_set_of(s, i), of);
		CHECK_INT(d != NULL, of < 3);
		CHECK(!d || d->hash_low == m.docs[i - 100].in.hash.low);
		CHECK_INT(text_set_find(s, 0, model_key(i - 100, 0), &found), of < 3);
		CHECK(of == 3 || found == i);
		CHECK_INT(text_set_find(s, 2, model_key(i - 100, 0), &found), of == 2);
	}
	CHECK(!text_set_faulted(s));
	text_set_unref(text_set_ref(s));
	for (unsigned i = 0; i < 3; i++)
		text_unref(t[i]);
	text_set_unref(s);
	model_fini(&m);
}

TEST(text_set, refuses_segments_that_do_not_belong_together)
{
	struct text_model m, three;
	struct text *t[4], *pair[2], *many[TEXT_SET_MAX + 1];
	struct text_set *s = NULL;
	struct err err = {0};

	model_init(&m, 2, 4, 0, 40);
	model_init(&three, 2, 3, 40, 10);
	t[0] = part(&m, "a", 0, 20);
	t[1] = part(&m, "b", 19, 40);
	t[2] = part(&m, "c", 20, 40);
	t[3] = part(&three, "d", 0, 10);
	CHECK_INT(text_set_create(t, 2, &s, &err), -EBADMSG);
	CHECK(strstr(err.what, "numbers of others") && err.hint[0]);
	pair[0] = t[2];
	pair[1] = t[0];
	CHECK_INT(text_set_create(pair, 2, &s, &err), -EBADMSG);
	pair[1] = t[3];
	CHECK_INT(text_set_create(pair, 2, &s, &err), -EBADMSG);
	CHECK(strstr(err.what, "another length"));
	for (unsigned i = 0; i <= TEXT_SET_MAX; i++)
		many[i] = t[0];
	CHECK_INT(text_set_create(many, TEXT_SET_MAX + 1, &s, &err), -EBADMSG);
	CHECK(s == NULL);
	for (unsigned i = 0; i < 4; i++)
		text_unref(t[i]);
	model_fini(&m);
	model_fini(&three);
}

/* Keys of a hostile file need not be spread. */
TEST(text_set, a_row_is_found_however_keys_are_spread)
{
	enum { N = 500 };
	struct text_builder_opts opts = {.n_symbols = 4, .n_adders = 1};
	uint64_t keys[N];

	for (unsigned shape = 0; shape < 4; shape++) {
		struct text_builder *b;
		struct text_written written;
		struct text_doc_in doc = {.order = 1};
		struct text *t;
		uint32_t id, content;

		CHECK_INT(text_builder_create(&opts, &b), 0);
		CHECK_INT(text_add_doc(text_builder_adder(b, 0), &doc, &id), 1);
		for (uint64_t i = 0; i < N; i++) {
			keys[i] = shape == 0   ? 2 * i
			          : shape == 1 ? UINT64_MAX - 2 * i
			          : shape == 2 ? (uint64_t)2 << i % 63 | i << 1
			                       : hash64(&i, sizeof(i), 0) & ~(uint64_t)1;
			CHECK_INT(text_add_file(text_builder_adder(b, 0), keys[i], id), 0);
		}
		CHECK_INT(text_builder_write(b, place.dirfd, "t", 0, NULL, &written, NULL), 0);
		text_builder_destroy(b);
		t = model_open(place.dirfd, "t", NULL);
		for (unsigned i = 0; i < N; i++) {
			CHECK_INT(text_find_file(text_cols(t), keys[i], &content), 1);
			CHECK_INT(text_find_file(text_cols(t), keys[i] ^ 1, &content), 0);
		}
		text_unref(t);
	}
}
