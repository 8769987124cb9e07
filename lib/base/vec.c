#include "base/vec.h"

#include <errno.h>

int
vec_reserve(void **data, size_t len, size_t *cap, size_t extra, size_t elem_bytes)
{
	size_t need, want, bytes;
	void *p;

	if (__builtin_add_overflow(len, extra, &need))
		return -ENOMEM;
	if (need <= *cap)
		return 0;
	want = MAX(MAX(need, *cap + *cap / 2), (size_t)8);
	if (__builtin_mul_overflow(want, elem_bytes, &bytes))
		return -ENOMEM;
	p = realloc(*data, bytes);
	if (!p)
		return -ENOMEM;
	*data = p;
	*cap = want;
	return 0;
}
