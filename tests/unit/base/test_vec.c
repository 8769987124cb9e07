#include "test.h"

#include <errno.h>

#include "base/vec.h"

struct pair {
	int a, b;
};

TEST(vec, elements_keep_their_order_while_it_grows)
{
	VEC(struct pair) v = {0};
	int n = 0;

	for (int i = 0; i < 1000; i++)
		CHECK_INT(VEC_PUSH(&v, (struct pair){i, -i}), 0);
	CHECK_INT(v.len, 1000);
	VEC_EACH (&v, p) {
		CHECK_INT(p->a, n);
		CHECK_INT(p->b, -n);
		n++;
	}
	CHECK_INT(n, 1000);
	CHECK_INT(VEC_POP(&v).a, 999);
	CHECK_INT(v.len, 999);
	VEC_FINI(&v);
	CHECK(v.data == NULL && v.cap == 0);
}

TEST(vec, walking_an_empty_vector_visits_nothing)
{
	VEC(int) v = {0};

	VEC_EACH (&v, p)
		CHECK(!p);
}

TEST(vec, an_impossible_size_leaves_the_vector_unchanged)
{
	VEC(struct pair) v = {0};

	CHECK_INT(VEC_PUSH(&v, (struct pair){1, 2}), 0);
	CHECK_INT(VEC_RESERVE(&v, SIZE_MAX), -ENOMEM);
	CHECK_INT(VEC_RESERVE(&v, SIZE_MAX / 8), -ENOMEM);
	CHECK_INT(v.len, 1);
	CHECK_INT(v.data[0].b, 2);
	VEC_FINI(&v);
}
