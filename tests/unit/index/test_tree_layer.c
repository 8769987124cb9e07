/* What is wrong with a layer, or with how it lies upon others, is found. */
#include "small_stack.h"

/* Entries of the layer: "" b b.c c2 b/new; flags 8 8 2 2 0. Dead in the base: b.c, b/x, b.c/y. */
static struct layered good;
static struct image layer;

static void
make_layer(void)
{
	good = layered_init();
	(void)layered_put(&good, layered_dir(&good, "b"), "new", false);
	layered_kill(&good, layered_dir(&good, "b"), "x");
	layered_kill(&good, layered_dir(&good, "b.c"), "y");
	CHECK_INT(
		tree_change_read(good.set, layered_put(&good, TREE_CHANGE_ROOT, "c2", true), 0), 0);
	layered_image(&good, 1, &layer);
}

static void
free_layer(void)
{
	layered_fini(&good);
}

TestSuite(tree_layer, .init = make_layer, .fini = free_layer);

TEST(tree_layer, holds_the_changes_and_the_way_to_them)
{
	static const char *const names[] = {"", "b", "b.c", "c2", "new"};
	static const uint8_t flags[] = {8, 8, 2, 2, 0};
	static const struct tree_range dead[] = {{3, 4}, {6, 7}, {8, 9}};
	const struct tree_cols *c;
	struct tree *t;
	struct err err;

	CHECK_INT(image_open(&layer, &t, &err), 0);
	c = tree_cols(t);
	CHECK_INT(c->n_entries, ARRAY_LEN(names));
	for (uint32_t e = 0; e < c->n_entries; e++) {
		CHECK(span_eq(tree_name(c, e), span_of(names[e])));
		CHECK_INT(tree_flags(c, e), flags[e]);
	}
	CHECK_INT(c->n_below, 1);
	CHECK_INT(c->n_dead, ARRAY_LEN(dead));
	CHECK_INT(memcmp(c->dead, dead, sizeof(dead)), 0);
	tree_unref(t);
}

TEST(tree_layer, each_rule_of_one_layer_is_checked)
{
	static const struct rule_case cases[] = {
		{"flags: E6", {{SECTION_FLAGS, 1, PACKED, 10}}},
		{"flags: E6", {{SECTION_FLAGS, 0, PACKED, 9}}},
		{"flags: E3", {{SECTION_FLAGS, 4, PACKED, 8}}},
		{"flags: E4", {{SECTION_FLAGS, 1, PACKED, 2}}},
		{"below: Y2", {{SECTION_BELOW, 2, 4, 0}}},
		{"below: Y2", {{SECTION_BELOW, 2, 4, UINT32_MAX}}},
		{"dead: Y2: not as many", {{SECTION_BELOW, 3, 4, 2}}},
		{"dead: Y2: not as many", {{SECTION_BELOW, 3, 4, 4}}},
		{"dead: Y2: ranges", {{SECTION_DEAD, 1, 4, 6}}},  /* touches the next */
		{"dead: Y2: ranges", {{SECTION_DEAD, 1, 4, 3}}},  /* empty */
		{"dead: Y2: ranges", {{SECTION_DEAD, 2, 4, 2}}},  /* descends */
		{"dead: Y2: ranges", {{SECTION_DEAD, 5, 4, 10}}}, /* past the end */
	};

	image_must_find(&layer, cases, ARRAY_LEN(cases));
}

TEST(tree_layer, what_only_layers_have_is_not_in_a_base)
{
	static struct image im;

	im = layer;
	image_put(&im, 28, 4, TREE_KIND_BASE);
	image_sum_again(&im);
	image_must_refuse(&im, -EBADMSG, "below: Y1");
	im = layer;
	image_put(&im, ROW_AT(SECTION_NEEDED + 1), 4, 50); /* `dead` is another section */
	image_put(&im, ROW_AT(SECTION_NEEDED + 1) + 4, 4, TREE_SECTION_OPTIONAL);
	image_sum_again(&im);
	image_must_refuse(&im, -EBADMSG, "dead: Y1");
}

/* A layer that is right by itself, upon the base. */
static int
stack_patched(const struct patch *patches, size_t n, struct tree_stack **ret, struct err *err)
{
	static struct image im;
	struct tree *t;
	int r;

	im = layer;
	for (size_t i = 0; i < n && patches[i].width > 0; i++)
		image_put(&im,
			image_section(&im, patches[i].section) + patches[i].at * patches[i].width,
			patches[i].width, patches[i].value);
	image_sum_again(&im);
	CHECK_SAY(image_open(&im, &t, err) == 0, "%s", err->what);
	*ret = NULL;
	r = tree_merge_stack(good.s, 1, t, ret, err);
	tree_unref(t);
	return r;
}

TEST(tree_layer, made_upon_another_segment_does_not_lie_upon_this)
{
	static const struct patch wrong[] = {
		{SECTION_BELOW, 0, 8, 1}, /* its sum */
		{SECTION_BELOW, 2, 4, 10} /* its entries */
	};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct tree_stack *s;
		struct err err;

		CHECK_INT(stack_patched(&wrong[i], 1, &s, &err), -EBADMSG);
		CHECK(strstr(err.what, "Y3") != NULL && err.hint[0] != '\0');
	}
}

TEST(tree_layer, layers_that_contradict_each_other_are_found)
{
	static const struct {
		const char *text;
		struct patch patches[6];
	} cases[] = {
		/* a is dead and b.c is not, though it is told anew */
		{"Y4: there twice: \"b.c\"", {{SECTION_DEAD, 0, 4, 1}, {SECTION_DEAD, 1, 4, 2}}},
		{"Y4: the root is not there", {{SECTION_DEAD, 0, 4, 0}, {SECTION_DEAD, 1, 4, 1}}},
		/* b/c is dead, what is in it is not */
		{"Y5: not there, and not empty: \"b/c\"",
			{{SECTION_DEAD, 2, 4, 5}, {SECTION_DEAD, 3, 4, 6}}},
		/* what is in b/c is dead, and b/c does not say so */
		{"Y6: says wrongly whether it is empty: \"b/c\"",
			{{SECTION_DEAD, 0, 4, 1}, {SECTION_DEAD, 1, 4, 2}, {SECTION_DEAD, 2, 4, 3},
				{SECTION_DEAD, 3, 4, 4}, {SECTION_DEAD, 4, 4, 7},
				{SECTION_DEAD, 5, 4, 9}}},
		/* b.c/y is not dead, and b.c says that it is empty */
		{"Y6: says wrongly whether it is empty: \"b.c\"",
			{{SECTION_DEAD, 0, 4, 1}, {SECTION_DEAD, 1, 4, 2}, {SECTION_DEAD, 2, 4, 3},
				{SECTION_DEAD, 3, 4, 4}, {SECTION_DEAD, 4, 4, 6},
				{SECTION_DEAD, 5, 4, 7}}},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct patch patches[6];
		struct tree_stack *s;
		struct err err = {0};

		memcpy(patches, cases[i].patches, sizeof(patches));
		CHECK_INT(stack_patched(patches, 6, &s, &err), 0);
		CHECK_INT(tree_stack_check(s, &err), -EBADMSG);
		CHECK_SAY(strstr(err.what, cases[i].text) != NULL, "\"%s\" lacks \"%s\"", err.what,
			cases[i].text);
		CHECK(err.hint[0] != '\0');
		tree_stack_unref(s);
	}
}
