/* One byte of flags, the pattern up to the first newline, and the text that is searched. */
#include "fuzz.h"

#include <errno.h>

#include "text/pattern.h"

#define TEXT_MAX_BYTES 2048u
#define MAX_MATCHES 64u
#define ALL_FLAGS 0xffu

static void
find_all(struct matcher *m, enum pattern_flags flags, struct span text)
{
	struct match found;
	size_t from = 0;

	for (unsigned i = 0; i < MAX_MATCHES; i++) {
		int r = matcher_find(m, text, from, &found);

		assert(r == 0 || r == 1 || r == -EOVERFLOW || r == -ENOMEM);
		if (r != 1)
			return;
		assert(found.start >= from && found.start <= found.end && found.end <= text.len);
		assert(flags & (PATTERN_PATH | PATTERN_MULTI) || found.start == found.end ||
			!memchr(text.data + found.start, '\n', found.end - found.start));
		from = found.end + (found.start == found.end);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum pattern_flags flags = size > 0 ? data[0] & ALL_FLAGS : 0;
	struct span text = {(const char *)data + (size > 0), size - (size > 0)};
	struct span pattern = fuzz_cut(&text, '\n');
	struct pattern *p = NULL;
	struct matcher *m = NULL;
	struct err err = {0};
	int r = pattern_create(pattern, flags, &p, &err);

	assert(r == 0 || r == -EINVAL || r == -EOVERFLOW || r == -ENOMEM);
	if (r < 0) {
		assert(r == -ENOMEM || err.what[0]);
		assert(err.pos <= pattern.len + 1);
		return 0;
	}
	text.len = MIN(text.len, TEXT_MAX_BYTES);
	if (matcher_create(p, &m) == 0)
		find_all(m, flags, text);
	matcher_destroy(m);
	pattern_destroy(p);
	return 0;
}
