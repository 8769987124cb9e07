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

/* The bodies' bytes of a list in blocks; 0: a bitmap has no more. */
static uint64_t
block_list_bytes(const struct shelf_pack *p, const uint32_t *units, uint32_t n)
{
	uint64_t bitmap = ((uint64_t)p->n_units + 7) / 8;
	uint64_t bytes = text_lasts_bytes(p->n_units, n);
	uint32_t from = 0;

	for (uint32_t i = 0; i < n; i += TEXT_BLOCK) {
		uint32_t m = MIN(n - i, TEXT_BLOCK), last = units[i + m - 1];

		bytes += text_block_bytes(m, from, last);
		from = last + 1;
	}
	return bytes < bitmap ? bytes : 0;
}

static int
add_bitmap(struct shelf_pack *p, const uint32_t *units, uint32_t n)
{
	size_t bytes = ((size_t)p->n_units + 7) / 8;
	char *out;

	put_number(&p->heads, 2 * (uint64_t)(n - 1) + 1);
	if (strbuf_reserve(&p->bodies, bytes) < 0)
		return -ENOMEM;
	out = p->bodies.data + p->bodies.len;
	memset(out, 0, bytes);
	for (uint32_t i = 0; i < n; i++)
		out[units[i] / 8] = (char)(out[units[i] / 8] | 1 << units[i] % 8);
	p->bodies.len += bytes;
	return 0;
}

static int
add_blocks(struct shelf_pack *p, const uint32_t *units, uint32_t n, uint64_t bytes)
{
	uint32_t from = 0;
	char *out;

	if (strbuf_reserve(&p->bodies, bytes + TEXT_BLOCK_SLACK) < 0)
		return -ENOMEM;
	out = p->bodies.data + p->bodies.len;
	if (n > TEXT_BLOCK) {
		text_lasts_put(units, n, p->n_units, out);
		out += text_lasts_bytes(p->n_units, n);
	}
	for (uint32_t i = 0; i < n; i += TEXT_BLOCK) {
		uint32_t m = MIN(n - i, TEXT_BLOCK);

		out += text_block_put(units + i, m, from, out);
		from = units[i + m - 1] + 1;
	}
	p->bodies.len += bytes;
	assert(out == p->bodies.data + p->bodies.len);
	return 0;
}

static int
add_short(struct shelf_pack *p, const uint32_t *units, uint32_t n)
{
	uint32_t last = units[n - 1];

	put_number(&p->heads, 2 * (uint64_t)(n - 1));
	(void)strbuf_add(&p->heads, &last, text_unit_bytes(p->n_units));
	return n > 1 ? add_blocks(p, units, n, text_block_bytes(n, 0, last)) : 0;
}

static int
add_list(struct shelf_pack *p, const uint32_t *units, uint32_t n)
{
	uint64_t bytes;

	if (n <= TEXT_BLOCK)
		return add_short(p, units, n);
	bytes = block_list_bytes(p, units, n);
	if (bytes == 0)
		return add_bitmap(p, units, n);
	put_number(&p->heads, 2 * (uint64_t)(n - 1));
	put_number(&p->heads, bytes);
	return add_blocks(p, units, n, bytes);
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
	r = add_list(p, units, n);
	return r == 0 && p->heads.failed ? -ENOMEM : r;
}

int
text_shelf_end(struct shelf_pack *p)
{
	return end_group(p);
}
