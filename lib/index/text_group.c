#include "index/text_group.h"

#include "base/bytes.h"
#include "index/text_block.h"

#include <errno.h>

int
text_group_find(const struct text_cols *c, uint32_t group, const char **ret, uint64_t *ret_bytes)
{
	unsigned per_shelf = text_groups_per_shelf(c), g = group % per_shelf;
	const struct text_shelf *s = &c->shelves[group / per_shelf];
	uint32_t i = s->rank + (uint32_t)__builtin_popcountll(s->groups & (((uint64_t)1 << g) - 1));

	if (!(s->groups >> g & 1))
		return 0;
	*ret = c->postings + s->at + c->groups[i];
	*ret_bytes =
		(i + 1 < s[1].rank ? s->at + c->groups[i + 1] : s[1].at) - (s->at + c->groups[i]);
	return 1;
}

static int
read_number(struct bytes *b, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 63; shift += 7) {
		uint8_t byte;

		if (bytes_u8(b, &byte) < 0)
			return -EBADMSG;
		v |= (uint64_t)(byte & 127) << shift;
		if (byte < 128) {
			*ret = v;
			return 0;
		}
	}
	return -EBADMSG;
}

static int
read_unit(const struct text_cols *c, struct bytes *b, uint32_t *ret)
{
	struct span s;
	uint32_t v = 0;

	if (bytes_slice(b, text_unit_bytes(c->n_units), &s) < 0)
		return -EBADMSG;
	memcpy(&v, s.data, s.len);
	*ret = v;
	return 0;
}

/* P4 of a head. */
static int
read_head(const struct text_cols *c, struct bytes *b, struct text_entry *ret)
{
	uint64_t v;

	if (read_number(b, &v) < 0 || v / 2 >= c->n_units)
		return -EBADMSG;
	*ret = (struct text_entry){.n = (uint32_t)(v / 2) + 1, .bitmap = v & 1};
	if (ret->bitmap) {
		ret->bytes = ((uint64_t)c->n_units + 7) / 8;
		return 0;
	}
	if (ret->n > 1)
		return read_number(b, &ret->bytes);
	if (read_unit(c, b, &ret->unit) < 0 || ret->unit >= c->n_units)
		return -EBADMSG;
	return 0;
}

int
text_group_read(const struct text_cols *c, uint32_t group, const char *at, uint64_t bytes,
	struct text_entry ret[TEXT_GROUP])
{
	struct bytes b = bytes_of(at, bytes);
	uint64_t bits;
	unsigned n = 0;

	if (bytes_u64(&b, &bits) < 0)
		return -EBADMSG;
	for (; bits; bits &= bits - 1, n++) {
		if (read_head(c, &b, &ret[n]) < 0)
			return -EBADMSG;
		ret[n].gram = group * TEXT_GROUP + (uint32_t)__builtin_ctzll(bits);
	}
	for (unsigned i = 0; i < n; i++) {
		ret[i].body = (const char *)b.at;
		if (ret[i].bytes > bytes_left(&b))
			return -EBADMSG;
		b.at += ret[i].bytes;
	}
	return n > 0 && bytes_left(&b) == 0 ? (int)n : -EBADMSG;
}

unsigned
text_group_lists(const struct text_cols *c, uint32_t group, struct text_entry ret[TEXT_GROUP])
{
	const char *at;
	uint64_t bytes;
	int n;

	if (text_group_find(c, group, &at, &bytes) == 0)
		return 0;
	n = text_group_read(c, group, at, bytes, ret);
	return n > 0 ? (unsigned)n : 0;
}

int
text_entry_find(const struct text_cols *c, uint32_t gram, struct text_entry *ret)
{
	struct text_entry lists[TEXT_GROUP];
	unsigned n = text_group_lists(c, gram / TEXT_GROUP, lists);

	for (unsigned i = 0; i < n; i++) {
		if (lists[i].gram == gram) {
			*ret = lists[i];
			return 1;
		}
	}
	return 0;
}
