#include "index/text_shelf.h"

#include "index/text_block.h"

#include <errno.h>

void
text_shelf_init(struct shelf_pack *p, uint32_t n_units)
{
	*p = (struct shelf_pack){.n_units = n_units};
}

void
text_shelf_fini(struct shelf_pack *p)
{
	strbuf_fini(&p->bytes);
	strbuf_fini(&p->heads);
	strbuf_fini(&p->bodies);
	VEC_FINI(&p->starts);
}

void
text_shelf_begin(struct shelf_pack *p)
{
	strbuf_reset(&p->bytes);
	strbuf_reset(&p->heads);
	strbuf_reset(&p->bodies);
	p->starts.len = 0;
	p->groups = p->lists = 0;
	p->group = 0;
}

static void
put_number(struct strbuf *b, uint64_t v)
{
	char bytes[10];
	size_t n = 0;

	for (; v >= 128; v >>= 7)
		bytes[n++] = (char)(v | 128);
	bytes[n++] = (char)v;
	(void)strbuf_add(b, bytes, n);
}

static int
end_group(struct shelf_pack *p)
{
	if (p->lists == 0)
		return 0;
	p->groups |= (uint64_t)1 << p->group;
	if (p->bytes.len > UINT32_MAX)
		return -EFBIG;
	if (VEC_PUSH(&p->starts, (uint32_t)p->bytes.len) < 0 ||
		strbuf_add(&p->bytes, &p->lists, sizeof(p->lists)) < 0 ||
		strbuf_span(&p->bytes, strbuf_view(&p->heads)) < 0 ||
		strbuf_span(&p->bytes, strbuf_view(&p->bodies)) < 0)
		return -ENOMEM;
	strbuf_reset(&p->heads);
	strbuf_reset(&p->bodies);
	p->lists = 0;
	return 0;
}

static void
put_bitmap(char *out, size_t bytes, const uint32_t *units, uint32_t n)
{
	memset(out, 0, bytes);
	for (uint32_t i = 0; i < n; i++)
		out[units[i] / 8] = (char)(out[units[i] / 8] | 1 << units[i] % 8);
}

/* All but the last unit of a block, which stands in its skip. */
static size_t
put_blocks(const struct shelf_pack *p, const uint32_t *units, uint32_t n, char *skips)
{
	size_t at = text_skips_bytes(p->n_units, n);
	uint32_t from = 0;

	memset(skips, 0, at);
	for (uint32_t i = 0; i < n; i += TEXT_BLOCK) {
		uint32_t m = MIN(n - i, TEXT_BLOCK);
		size_t bytes = text_block_put(units + i, m - 1, from, skips + at);
		struct text_skip skip = {units[i + m - 1], (uint32_t)bytes};

		assert(bytes <= TEXT_BLOCK_MAX_BYTES);
		text_skip_put(skips, p->n_units, i / TEXT_BLOCK, skip);
		at += bytes;
		from = units[i + m - 1] + 1;
	}
	return at;
}

static int
add_list(struct shelf_pack *p, const uint32_t *units, uint32_t n)
{
	size_t bitmap = ((size_t)p->n_units + 7) / 8, bytes;
	size_t most = (size_t)((n - 1) / TEXT_BLOCK + 1) * TEXT_BLOCK_MAX_BYTES;
	char *out;

	if (strbuf_reserve(&p->bodies,
		    MAX(most + text_skips_bytes(p->n_units, n), bitmap) + TEXT_BLOCK_SLACK) < 0)
		return -ENOMEM;
	out = p->bodies.data + p->bodies.len;
	bytes = n <= TEXT_BLOCK ? text_block_put(units, n, 0, out) : put_blocks(p, units, n, out);
	if (bytes >= bitmap) {
		put_bitmap(out, bitmap, units, n);
		put_number(&p->heads, 2 * (uint64_t)(n - 1) + 1);
		p->bodies.len += bitmap;
		return 0;
	}
	put_number(&p->heads, 2 * (uint64_t)(n - 1));
	put_number(&p->heads, bytes);
	p->bodies.len += bytes;
	return 0;
}

static int
add_one(struct shelf_pack *p, uint32_t unit)
{
	put_number(&p->heads, 0);
	return strbuf_add(&p->heads, &unit, text_unit_bytes(p->n_units));
}

int
text_shelf_add(struct shelf_pack *p, uint32_t gram, const uint32_t *units, uint32_t n)
{
	int r = 0;

	assert(n > 0 && units[n - 1] < p->n_units);
	for (uint32_t i = 1; TRAWL_DEBUG && i < n; i++)
		assert(units[i] > units[i - 1]); /* else a unit had a gram twice */
	if (gram / TEXT_GROUP != p->group)
		r = end_group(p);
	if (r < 0)
		return r;
	p->group = gram / TEXT_GROUP;
	p->lists |= (uint64_t)1 << gram % TEXT_GROUP;
	r = n == 1 ? add_one(p, units[0]) : add_list(p, units, n);
	return r == 0 && p->heads.failed ? -ENOMEM : r;
}

int
text_shelf_end(struct shelf_pack *p)
{
	return end_group(p);
}
