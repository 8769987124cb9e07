/* Maps of random stacks of trees beside random sets of text segments, against rows looked through
 * one by one. */
#include "index/text_view.h"
#include "stack_model.h"
#include "text_place.h"

#include <dirent.h>

TestSuite(text_view, .init = place_set_up, .fini = place_tear_down);

#define MAX_ROWS 4096u
#define MAX_BYTES 90000u /* of sizes up to 100,000 */

/* What rows say, the latest last. */
struct row {
	uint64_t key;
	uint32_t content;
	bool gone;
};

struct world {
	struct plain p;
	struct tree_stack *stack;
	struct text *text[TEXT_SET_MAX];
	uint32_t n_text, end, n_files;
	struct row rows[MAX_ROWS];
	uint32_t n_rows;
	struct text_set *set;
	struct text_view *view;
};

static uint64_t
key_of(const struct tree_cols *c, uint32_t e)
{
	struct text_stamp s = {.dev = c->classes[tree_cls(c, e)].dev,
		.ino = tree_ino(c, e),
		.size = tree_size(c, e),
		.mtime_ns = tree_mtime(c, e),
		.ctime_ns = tree_ctime(c, e)};

	return text_file_key(&s);
}

static uint32_t
content_of(const struct world *w, const struct tree_cols *c, uint32_t e)
{
	uint64_t key = key_of(c, e);

	if (tree_type(c, e) != DT_REG)
		return TEXT_NO_FILE;
	if (tree_size(c, e) > MAX_BYTES)
		return TEXT_TOO_LARGE;
	for (uint32_t i = w->n_rows; i > 0; i--) {
		if (w->rows[i - 1].key == key && !w->rows[i - 1].gone)
			return w->rows[i - 1].content;
	}
	return TEXT_PENDING;
}

static void
change_tree(struct world *w)
{
	struct tree_change *set;
	uint32_t n = w->stack->n_layers;
	/* A layer more, or several become one. */
	uint32_t from =
		n == TREE_MAX_LAYERS ? 0 : n - plain_pick(&w->p, 4) / 3 * plain_pick(&w->p, n);

	for (uint32_t i = 1 + plain_pick(&w->p, 12); i > 0; i--)
		plain_change(&w->p);
	set = plain_tell(&w->p, w->stack);
	w->stack = plain_merge(w->stack, set, from, place.pool);
	tree_change_destroy(set);
	plain_settle(&w->p);
}

static void
add_doc(struct world *w, struct text_adder *a, uint32_t i)
{
	static const uint32_t flags[] = {TEXT_ASCII, TEXT_UTF8, TEXT_BINARY};
	uint32_t number = w->end + i, gram = number, id;
	struct text_unit_in unit = {.grams = &gram, .n_grams = 1};
	struct text_doc_in doc = {.order = i,
		.flags = flags[number % 3],
		.marks = number % 3 == 1 ? TEXT_MARKS_BEYOND : 0};

	doc.hash = hash128(&number, sizeof(number));
	CHECK_INT(text_add_unit(a, &unit), 0);
	CHECK_INT(text_add_doc(a, &doc, &id), 1);
}

/* Half of the entries of all layers that are pending get a content of a new segment, or one that
 * was there. */
static void
read_files(struct world *w)
{
	struct text_builder_opts opts = {.n_symbols = 4, .n_adders = 1};
	uint32_t n_docs = 1 + plain_pick(&w->p, 20);
	struct text_builder *b;
	struct text_written written;
	struct text_adder *a;
	char name[16];

	CHECK_INT(text_builder_create(&opts, &b), 0);
	a = text_builder_adder(b, 0);
	for (uint32_t i = 0; i < n_docs; i++)
		add_doc(w, a, i);
	for (uint32_t k = 0; k < w->stack->n_layers; k++) {
		const struct tree_cols *c = tree_stack_cols(w->stack, k);

		for (uint32_t e = 0; e < c->n_entries && w->n_rows < MAX_ROWS; e++) {
			uint32_t content = w->end + plain_pick(&w->p, n_docs);

			if (content_of(w, c, e) != TEXT_PENDING || plain_pick(&w->p, 2))
				continue;
			if (w->n_text > 0 && plain_pick(&w->p, 5) == 0)
				content = plain_pick(&w->p, w->end);
			if (w->set && content < w->end && !text_set_doc(w->set, content))
				continue;
			w->rows[w->n_rows++] = (struct row){key_of(c, e), content, false};
			CHECK_INT(text_add_known_file(a, key_of(c, e), content), 0);
		}
	}
	(void)snprintf(name, sizeof(name), "f%u", w->n_files++);
	CHECK_INT(text_builder_write(b, place.dirfd, name, w->end, NULL, &written, NULL), 0);
	text_builder_destroy(b);
	w->text[w->n_text++] = model_open(place.dirfd, name, NULL);
	w->end += n_docs;
}

/* Of neighbours one; what a third of the documents were is forgotten. */
static void
merge_texts(struct world *w)
{
	uint32_t lo = plain_pick(&w->p, w->n_text);
	uint32_t n = 1 + plain_pick(&w->p, w->n_text - lo);
	struct text_merge_source of[TEXT_SET_MAX] = {0};
	struct text_merge_opts opts = {0};
	struct text_written written;
	uint64_t dropped[TEXT_SET_MAX] = {0};
	char name[16];

	for (uint32_t i = 0; i < n; i++) {
		const struct text_cols *c = text_cols(w->text[lo + i]);

		dropped[i] = 0x9249249249249249 << plain_pick(&w->p, 3);
		of[i].text = w->text[lo + i];
		if (c->n_docs <= 64)
			of[i].dropped = &dropped[i];
		for (uint32_t r = 0; r < w->n_rows && of[i].dropped; r++) {
			uint32_t d = w->rows[r].content - c->base;

			if (d < c->n_docs && dropped[i] >> d & 1)
				w->rows[r].gone = true;
		}
	}
	(void)snprintf(name, sizeof(name), "f%u", w->n_files++);
	CHECK_INT(text_merge(of, n, &opts, place.dirfd, name, NULL, &written, NULL), 0);
	for (uint32_t i = 0; i < n; i++)
		text_unref(w->text[lo + i]);
	w->text[lo] = model_open(place.dirfd, name, NULL);
	memmove(&w->text[lo + 1], &w->text[lo + n], (w->n_text - lo - n) * sizeof(struct text *));
	w->n_text -= n - 1;
}

static void
check_sums(const struct world *w, const struct text_view *v)
{
	struct text_sums sums = {0};

	for (uint32_t k = 0; k < v->n_layers; k++) {
		const struct tree_cols *c = tree_stack_cols(w->stack, k);

		for (uint32_t e = 0; e < c->n_entries; e++) {
			uint32_t content = content_of(w, c, e);

			if (tree_is_dead(w->stack->layer[k].dead, e) || content == TEXT_NO_FILE)
				continue;
			sums.n_too_large += content == TEXT_TOO_LARGE;
			if (content == TEXT_TOO_LARGE)
				continue;
			sums.n_files++;
			sums.n_bytes += tree_size(c, e);
			sums.n_pending += content == TEXT_PENDING;
			sums.pending_bytes += content == TEXT_PENDING ? tree_size(c, e) : 0;
		}
	}
	CHECK(memcmp(&sums, &v->sums, sizeof(sums)) == 0);
}

static void
check_map(const struct world *w, const struct text_map *m, const struct tree_cols *c)
{
	uint32_t n_known = 0, lo, hi, from, next = 0;

	CHECK_INT(m->n_entries, c->n_entries);
	for (uint32_t e = 0; e < c->n_entries; e++) {
		uint32_t content = content_of(w, c, e), flags = TEXT_BINARY;

		CHECK_INT(m->content[e], content);
		CHECK_INT(m->pending[e / 64] >> e % 64 & 1, content == TEXT_PENDING);
		if (content < TEXT_CONTENT_END)
			flags = text_set_doc(w->set, content)->flags;
		CHECK_INT(m->text[e / 64] >> e % 64 & 1, flags != TEXT_BINARY);
		CHECK_INT(m->large && m->large[e / 64] >> e % 64 & 1, content == TEXT_TOO_LARGE);
		n_known += content < TEXT_CONTENT_END;
	}
	CHECK_INT(m->n_known, n_known);
	for (uint32_t i = 0; i <= w->end; i++) {
		text_map_entries(m, i, &lo, &hi);
		n_known -= hi - lo;
		text_map_entries_from(m, i % 3 ? 0 : next, i, &from, &next);
		CHECK_INT(from, lo);
		CHECK_INT(next, hi);
		for (uint32_t k = lo; k < hi; k++) {
			CHECK_INT(m->content[m->by_content[k]], i);
			CHECK(k == lo || m->by_content[k - 1] < m->by_content[k]);
		}
	}
	CHECK_INT(n_known, 0);
}

static void
check_view(const struct world *w, const struct text_view *v)
{
	CHECK_INT(v->n_layers, w->stack->n_layers);
	CHECK(v->set == w->set);
	for (uint32_t k = 0; k < v->n_layers; k++)
		check_map(w, v->map[k], tree_stack_cols(w->stack, k));
	check_sums(w, v);
}

/* The view anew, and from the one before. */
static void
look(struct world *w)
{
	struct text_view_opts opts = {.max_bytes = MAX_BYTES, .pool = place.pool};
	struct text_set *set = NULL;
	struct text_view *v;

	if (w->n_text > 0)
		CHECK_INT(text_set_create(w->text, w->n_text, &set, NULL), 0);
	text_set_unref(w->set);
	w->set = set;
	CHECK_INT(text_view_create(w->stack, w->set, &opts, &v), 0);
	check_view(w, v);
	text_view_unref(v);
	opts.before = w->view;
	CHECK_INT(text_view_create(w->stack, w->set, &opts, &v), 0);
	check_view(w, v);
	text_view_unref(w->view);
	w->view = v;
}

static struct world *
world_create(uint64_t seed)
{
	struct world *w = calloc(1, sizeof(*w));

	CHECK(w);
	plain_init(&w->p, seed);
	w->stack = plain_stack(&w->p, place.dir);
	return w;
}

static void
world_destroy(struct world *w)
{
	text_view_unref(w->view);
	text_set_unref(w->set);
	for (uint32_t i = 0; i < w->n_text; i++)
		text_unref(w->text[i]);
	tree_stack_unref(w->stack);
	plain_fini(&w->p);
	free(w);
}

TEST(text_view, says_what_the_rows_say)
{
	unsigned long rounds = 3 + test_scale(150);

	for (uint64_t seed = 0; seed < rounds; seed++) {
		struct world *w = world_create(seed);

		for (unsigned i = 0; i < 30; i++) {
			uint32_t what = plain_pick(&w->p, 5);

			if (what < 2)
				change_tree(w);
			else if (what < 4 && w->n_text < 10)
				read_files(w);
			else if (w->n_text > 0)
				merge_texts(w);
			if (plain_pick(&w->p, 3))
				look(w);
		}
		world_destroy(w);
	}
}

TEST(text_view, takes_over_maps_that_nothing_changed)
{
	struct text_view_opts opts = {.max_bytes = MAX_BYTES};
	struct world *w = world_create(5);
	struct text_view *v, *other;

	for (unsigned i = 0; i < 3; i++)
		change_tree(w);
	read_files(w);
	look(w);
	opts.before = w->view;
	CHECK_INT(text_view_create(w->stack, w->set, &opts, &v), 0);
	for (uint32_t k = 0; k < v->n_layers; k++)
		CHECK(v->map[k] == w->view->map[k]);
	opts.max_bytes = 10; /* other files are too large */
	CHECK_INT(text_view_create(w->stack, w->set, &opts, &other), 0);
	CHECK(other->map[0] != v->map[0]);
	CHECK(other->sums.n_too_large > v->sums.n_too_large);
	text_view_unref(other);
	text_view_unref(v);
	world_destroy(w);
}

TEST(text_view, can_be_stopped)
{
	struct text_view_opts opts = {.max_bytes = MAX_BYTES};
	struct world *w = world_create(6);
	struct text_view *v;
	struct stop stop;

	stop_init(&stop, NULL);
	stop_request(&stop);
	opts.stop = &stop;
	CHECK_INT(text_view_create(w->stack, NULL, &opts, &v), -ECANCELED);
	stop_fini(&stop);
	world_destroy(w);
}
