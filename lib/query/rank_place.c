#include "query/rank_place.h"

#include <stdlib.h>
#include <strings.h>

/* LANGUAGE.md, "Ranking". */
enum points {
	POINTS_TESTS = -25,
	POINTS_FOREIGN = -40, /* vendored, or made by a program */
	POINTS_HIDDEN = -10,
	POINTS_DEPTH = -1, /* each component, at most DEPTH_MAX of them */
};

#define DEPTH_MAX 20u

_Static_assert(2 * POINTS_FOREIGN + POINTS_DEPTH * (int)DEPTH_MAX == RANK_PLACE_MIN, "the worst");

/* Of a directory with all above it. */
struct kind {
	int8_t worst;
	uint8_t depth;
};

static bool
is_in(struct span s, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strlen(words[i]) == s.len && strncasecmp(words[i], s.data, s.len) == 0)
			return true;
	}
	return false;
}

static int
component_score(struct span name)
{
	static const char *const tests[] = {"test", "tests", "testing", "testdata", "testsuite",
		"selftests", "__tests__", "spec", "specs", "mock", "mocks", "fixtures", "example",
		"examples", "sample", "samples", "demo", "demos", "bench", "benchmarks"};
	static const char *const foreign[] = {"vendor", "vendored", "third_party", "third-party",
		"thirdparty", "3rdparty", "external", "extern", "deps", "node_modules",
		"bower_components", "site-packages", "dist-packages", "dist", "build", "target",
		"generated"};

	if (is_in(name, foreign, ARRAY_LEN(foreign)))
		return POINTS_FOREIGN;
	if (is_in(name, tests, ARRAY_LEN(tests)))
		return POINTS_TESTS;
	return name.len > 1 && name.data[0] == '.' ? POINTS_HIDDEN : 0;
}

/* Its part before one of its dots ends so. */
static bool
is_marked(struct span name, const char *const *marks, size_t n)
{
	const char *end = name.data + name.len, *dot = name.data;

	for (; (dot = memchr(dot, '.', (size_t)(end - dot))) != NULL; dot++) {
		struct span head = {name.data, (size_t)(dot - name.data)};

		for (size_t i = 0; i < n; i++) {
			if (span_ends(head, span_of(marks[i])))
				return true;
		}
	}
	return false;
}

static bool
is_test_name(struct span name)
{
	static const char *const marks[] = {"_test", "-test", ".test", ".spec"};

	return span_starts(name, SPAN_LIT("test_")) || span_starts(name, SPAN_LIT("test-")) ||
	       is_marked(name, marks, ARRAY_LEN(marks));
}

static bool
is_made_name(struct span name)
{
	static const char *const marks[] = {".min"};

	return is_marked(name, marks, ARRAY_LEN(marks)) || span_ends(name, SPAN_LIT(".lock")) ||
	       span_ends(name, SPAN_LIT(".map")) || span_eq(name, SPAN_LIT("package-lock.json"));
}

static int
name_score(struct span name)
{
	return is_made_name(name)                    ? POINTS_FOREIGN
	       : is_test_name(name)                  ? POINTS_TESTS
	       : name.len > 1 && name.data[0] == '.' ? POINTS_HIDDEN
	                                             : 0;
}

/* Directories stand after those that they are in. Of all components the worst kind counts once. */
static void
fill_kinds(const struct tree_cols *c, struct kind *kinds)
{
	for (uint32_t d = 1; d < c->n_dirs; d++) {
		uint32_t entry = c->dir_entry[d];
		const struct kind *above = &kinds[tree_parent(c, entry)];

		kinds[d].worst = (int8_t)MIN(above->worst, component_score(tree_name(c, entry)));
		kinds[d].depth = (uint8_t)MIN(above->depth + 1u, DEPTH_MAX);
	}
}

static void *
make_places(const struct tree_cols *c)
{
	AUTO(freep) struct kind *kinds = calloc(c->n_dirs + 1, sizeof(*kinds));
	int8_t *places = calloc((size_t)c->n_entries + RANK_GROUP, sizeof(*places));

	if (!kinds || !places) {
		free(places);
		return NULL;
	}
	fill_kinds(c, kinds);
	for (uint32_t e = 1; e < c->n_entries; e++) {
		const struct kind *dir = &kinds[tree_parent(c, e)];

		places[e] = (int8_t)(dir->worst + POINTS_DEPTH * dir->depth +
				     name_score(tree_name(c, e)));
	}
	return places;
}

const int8_t *
rank_places(struct tree *t)
{
	return tree_note(t, make_places);
}
