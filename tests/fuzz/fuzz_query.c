/* A query text; its length decides which case is in force. */
#include "fuzz.h"

#include <errno.h>

#include "query/query.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct query_env env = {
		.now_ns = 1700000000000000000ll, .cas = (enum query_case)(size % 3)};
	struct span text = {(const char *)data, size};
	struct query_sort keys[QUERY_MAX_SORT_KEYS];
	struct strbuf out = {0};
	struct query *q = NULL;
	struct err err = {0};
	int r = query_parse(text, &env, &q, &err);

	assert(r == 0 || r == -EINVAL || r == -EOVERFLOW || r == -ENOMEM);
	if (r == 0) {
		(void)query_has_content(q);
		assert(query_print(q, &out) == 0);
		query_unref(query_ref(q));
		query_unref(q);
	} else {
		assert(err.what[0] && err.pos <= size + 1);
	}
	r = query_sort_parse(text, keys, &err);
	assert(r <= (int)QUERY_MAX_SORT_KEYS);
	strbuf_fini(&out);
	return 0;
}
