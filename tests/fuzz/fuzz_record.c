/* Records of the journal. The sum is made to fit: what else is wrong has to be found by itself.
 * What is taken can be packed again, and is the same then. */
#include "fuzz.h"

#include <errno.h>

#include "base/hash.h"
#include "index/record.h"

static unsigned n_reached;

unsigned
fuzz_n_reached(void)
{
	return n_reached;
}

static void
check_path(struct span p)
{
	assert(p.len <= RECORD_PATH_MAX);
	assert(!memchr(p.data, '\0', p.len));
	assert(p.len == 0 || (p.data[0] != '/' && p.data[p.len - 1] != '/'));
}

/* The packed form of all records, or of those before the first that is refused. */
static int
pack_again(struct span bytes, struct strbuf *ret)
{
	struct record_writer w = {0};
	struct record_list l;
	struct record rec;
	int r = record_open(&l, bytes), end = r;

	while (r == 0 && (end = record_next(&l, &rec)) == 1) {
		check_path(rec.path);
		check_path(rec.from);
		assert((rec.kind == RECORD_MOVE) == (rec.from.len > 0));
		r = record_put(&w, &rec);
		assert(r == 0);
	}
	assert(end == 0 || end == -EBADMSG);
	record_close(&l);
	r = record_finish(&w, ret);
	assert(r == 0);
	return end;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t sum = hash64(data, size, 0);
	struct strbuf all = {0}, once = {0}, twice = {0};
	int r;

	(void)strbuf_add(&all, data, size);
	(void)strbuf_add(&all, &sum, sizeof(sum));
	assert(!all.failed);
	n_reached += pack_again(strbuf_view(&all), &once) == 0;
	r = pack_again(strbuf_view(&once), &twice);
	assert(r == 0 && span_eq(strbuf_view(&once), strbuf_view(&twice)));
	strbuf_fini(&all);
	strbuf_fini(&once);
	strbuf_fini(&twice);
	return 0;
}
