#include "index/text_set.h"

#include <errno.h>

static void
set_destroy(struct arc *a)
{
	struct text_set *s = CONTAINER_OF(a, struct text_set, arc);

	for (uint32_t i = 0; i < s->n; i++)
		text_unref(s->text[i]);
	free(s);
}

static int
check_place(struct text *const *texts, uint32_t i, struct err *err)
{
	const struct text_cols *c = text_cols(texts[i]), *before = i ? text_cols(texts[i - 1]) : c;
	const char *what = NULL;

	if (c->n_symbols != before->n_symbols)
		what = "its grams are of another length";
	else if (i > 0 && c->base < (uint64_t)before->base + before->n_docs)
		what = "its contents have the numbers of others";
	if (!what)
		return 0;
	(void)err_set(err, -EBADMSG, "text segment %u of its root does not belong there: %s", i + 1,
		what);
	(void)err_hint(err, "the segments are made again by reading the files");
	return -EBADMSG;
}

int
text_set_create(struct text *const *texts, uint32_t n, struct text_set **ret, struct err *err)
{
	struct text_set *s;

	assert(n > 0);
	if (n > TEXT_SET_MAX)
		return err_set(err, -EBADMSG,
			"more than %u text segments of one root: they are made again by reading "
			"the "
			"files",
			TEXT_SET_MAX);
	for (uint32_t i = 0; i < n; i++) {
		int r = check_place(texts, i, err);

		if (r < 0)
			return r;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_set(err, -ENOMEM, "could not open the index of contents: %s",
			err_reason(-ENOMEM));
	arc_init(&s->arc, set_destroy);
	s->n_symbols = text_cols(texts[0])->n_symbols;
	for (; s->n < n; s->n++)
		s->text[s->n] = text_ref(texts[s->n]);
	*ret = s;
	return 0;
}

struct text_set *
text_set_ref(struct text_set *s)
{
	arc_get(&s->arc);
	return s;
}

void
text_set_unref(struct text_set *s)
{
	if (s)
		arc_put(&s->arc);
}

uint32_t
text_set_end(const struct text_set *s)
{
	const struct text_cols *c = text_cols(s->text[s->n - 1]);

	return c->base + c->n_docs;
}

uint32_t
text_set_of(const struct text_set *s, uint32_t content)
{
	uint32_t lo = 0, hi = s->n;
	const struct text_cols *c;

	/* The last one that begins at or before it. */
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (text_cols(s->text[mid])->base <= content)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0)
		return s->n;
	c = text_cols(s->text[lo - 1]);
	return content - c->base < c->n_docs ? lo - 1 : s->n;
}

const struct text_doc *
text_set_doc(const struct text_set *s, uint32_t content)
{
	uint32_t i = text_set_of(s, content);
	const struct text_cols *c = i < s->n ? text_cols(s->text[i]) : NULL;
	const struct text_doc *d = c ? &c->docs[content - c->base] : NULL;

	return d && !(d->flags & TEXT_DROPPED) ? d : NULL;
}

/* Rows may name contents of an older segment that was merged since, and has dropped them. */
static bool
is_there(const struct text_set *s, uint32_t i, uint32_t content)
{
	const struct text_cols *c = text_cols(s->text[i]);

	if (content - c->base < c->n_docs && c->n_live == c->n_docs)
		return true;
	return text_set_doc(s, content) != NULL;
}

uint32_t
text_set_find_many(const struct text_set *s, uint32_t from, uint64_t *keys, uint32_t *places,
	uint32_t n, uint32_t *ret)
{
	uint32_t content[TEXT_FIND_MANY], n_found = 0;

	assert(n <= TEXT_FIND_MANY);
	for (uint32_t i = s->n; i > from && n > 0; i--) {
		uint32_t left = 0;

		text_find_files(text_cols(s->text[i - 1]), keys, n, content);
		for (uint32_t k = 0; k < n; k++) {
			if (content[k] != TEXT_NO_CONTENT && is_there(s, i - 1, content[k])) {
				ret[places[k]] = content[k];
				n_found++;
				continue;
			}
			keys[left] = keys[k];
			places[left++] = places[k];
		}
		n = left;
	}
	return n_found;
}

int
text_set_find(const struct text_set *s, uint32_t from, uint64_t key, uint32_t *ret_content)
{
	uint32_t place = 0;

	return (int)text_set_find_many(s, from, &key, &place, 1, ret_content);
}

bool
text_set_faulted(const struct text_set *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		if (text_faulted(s->text[i]))
			return true;
	}
	return false;
}

uint64_t
text_file_key(const struct text_stamp *s)
{
	_Static_assert(sizeof(*s) == 40, "a stamp has no padding");

	return hash64(s, sizeof(*s), 0);
}
