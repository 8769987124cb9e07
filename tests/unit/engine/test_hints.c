#include "test.h"

#include "engine/hints.h"
#include <stdio.h>

TEST(hints, each_is_kept_once)
{
	struct hints h = {0};

	CHECK(hints_are_none(&h));
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 1000; i++) {
			char name[16];

			(void)snprintf(name, sizeof(name), "n%u", i / 2);
			hints_add(&h, i % 2, span_of(name));
			hints_add(&h, i, (struct span){0});
		}
	}
	CHECK(!hints_are_none(&h) && !h.all);
	CHECK_INT(h.items.len, 2000);
	VEC_EACH (&h.items, one) {
		VEC_EACH (&h.items, other)
			CHECK(one == other || one->ino != other->ino ||
				!span_eq(hint_name(&h, one), hint_name(&h, other)));
	}
	hints_fini(&h);
	CHECK(hints_are_none(&h));
}

TEST(hints, too_many_are_all)
{
	struct hints h = {0};

	for (uint64_t i = 0; i < HINTS_MAX_NAMES; i++)
		hints_add(&h, i, SPAN_LIT("x"));
	CHECK(!h.all);
	hints_add(&h, 0, SPAN_LIT("x"));
	CHECK(!h.all);
	hints_add(&h, HINTS_MAX_NAMES, SPAN_LIT("x"));
	CHECK(h.all && h.items.len == 0 && !hints_are_none(&h));
	hints_add(&h, 1, SPAN_LIT("y"));
	CHECK(h.all && h.items.len == 0);
	hints_fini(&h);
}

TEST(hints, so_are_too_long_ones)
{
	struct hints h = {0};
	char name[60000] = "";
	uint64_t i = 0;

	memset(name, 'n', sizeof(name));
	while (!h.all && i < 1000)
		hints_add(&h, i++, (struct span){name, sizeof(name)});
	CHECK(h.all && i == HINTS_MAX_BYTES / sizeof(name) + 1);
	hints_fini(&h);
}
