#include "text/text_need.h"

#include <errno.h>
#include <string.h>

#include "text/pattern_impl.h"
#include "text/simple_regex.h"

static int
n_bits(uint64_t mask)
{
	return __builtin_popcountll(mask);
}

/* The one with the most bits, which says least. */
static uint32_t
weakest(const struct text_need *need)
{
	uint32_t at = 0;

	for (uint32_t i = 1; i < need->n; i++) {
		if (n_bits(need->any_of[i]) > n_bits(need->any_of[at]))
			at = i;
	}
	return at;
}

static uint64_t
strongest(const struct text_need *need)
{
	uint64_t best = need->any_of[0];

	for (uint32_t i = 1; i < need->n; i++) {
		if (n_bits(need->any_of[i]) < n_bits(best))
			best = need->any_of[i];
	}
	return best;
}

/* One of the marks of the mask, which has some; what is implied by another is left out. */
static void
ask(struct text_need *need, uint64_t mask)
{
	uint32_t kept = 0, at;

	for (uint32_t i = 0; i < need->n; i++) {
		if ((need->any_of[i] & ~mask) == 0)
			return;
	}
	for (uint32_t i = 0; i < need->n; i++) {
		if (mask & ~need->any_of[i])
			need->any_of[kept++] = need->any_of[i];
	}
	need->n = kept;
	if (need->n < TEXT_NEED_MAX) {
		need->any_of[need->n++] = mask;
		return;
	}
	at = weakest(need);
	if (n_bits(mask) < n_bits(need->any_of[at]))
		need->any_of[at] = mask;
}

void
text_need_and(struct text_need *to, const struct text_need *more)
{
	for (uint32_t i = 0; i < more->n; i++)
		ask(to, more->any_of[i]);
}

void
text_need_or(struct text_need *to, const struct text_need *other)
{
	struct text_need both = {0};

	if (to->n > 0 && other->n > 0)
		ask(&both, strongest(to) | strongest(other));
	*to = both;
}

static bool
is_ascii(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] & 0x80)
			return false;
	}
	return true;
}

/* A text that stands in every match, as it is or in any case: then there may be ASCII in place of
 * what is not. */
static int
ask_text(struct text_need *need, struct span text, bool fold)
{
	struct strbuf folded = {0};
	int r = fold ? fold_append(&folded, text) : 0;

	if (r == 0 && !is_ascii(fold ? strbuf_view(&folded) : text))
		ask(need, TEXT_MARKS_BEYOND);
	strbuf_fini(&folded);
	for (size_t i = 1; i < text.len && !fold; i++) {
		uint64_t mark =
			text_mark_of((unsigned char)text.data[i - 1], (unsigned char)text.data[i]);

		if (mark)
			ask(need, mark);
	}
	return r;
}

struct byte_set {
	bool is_known; /* else it may be any byte, or the text begins or ends there */
	bool has[256];
};

/* The byte of a match that is one of the first set, and the one behind it, of the second: where all
 * such pairs are marks. */
static void
ask_sets(struct text_need *need, const struct byte_set *first, const struct byte_set *second)
{
	uint64_t mask = 0;

	if (!first->is_known || !second->is_known)
		return;
	for (unsigned a = 0; a < 256; a++) {
		for (unsigned b = 0; b < 256 && first->has[a]; b++) {
			uint64_t mark = text_mark_of((unsigned char)a, (unsigned char)b);

			if (second->has[b] && !mark)
				return;
			mask |= second->has[b] ? mark : 0;
		}
	}
	if (mask)
		ask(need, mask);
}

static void
add_set(struct byte_set *to, const struct byte_set *more)
{
	for (unsigned c = 0; c < ARRAY_LEN(to->has); c++)
		to->has[c] = to->has[c] || more->has[c];
}

/* Where items meet. */
struct seam {
	struct byte_set must;   /* of the last item that is there for certain */
	struct byte_set behind; /* what may stand behind it, of those that need not be there */
	struct byte_set last;   /* what may stand before the next item */
};

static void
add_item(struct text_need *need, struct seam *s, const struct simple_item *item)
{
	struct byte_set set = {.is_known = true};

	if (!item->known) {
		*s = (struct seam){0};
		return;
	}
	memcpy(set.has, item->has, sizeof(set.has));
	add_set(&s->behind, &set);
	if (item->least == 0) {
		add_set(&s->last, &set);
		return;
	}
	s->behind.is_known = true;
	ask_sets(need, &s->must, &s->behind);
	ask_sets(need, &s->last, &set);
	s->must = s->last = set;
	s->behind = (struct byte_set){0};
}

static void
ask_regex(struct text_need *need, struct span pattern)
{
	struct simple_regex r = SIMPLE_REGEX(pattern, false);
	struct text_need all = {0};
	struct simple_item item;
	struct seam s = {0};
	int more;

	while ((more = simple_regex_next(&r, &item)) == 1)
		add_item(&all, &s, &item);
	if (more == 0)
		text_need_and(need, &all);
}

/* What the filter looks for stands in every match; else nobody has looked for it yet. */
static struct span
literal_of(const struct pattern *p)
{
	bool used = p->strategy == BY_NEEDLE || p->strategy == BY_FILTER;

	return used ? (struct span){p->needle.text, p->needle.len} : (struct span){0};
}

/* Without memory less is said. */
static void
need_of_text(const struct pattern *p, size_t i, struct text_need *ret)
{
	*ret = (struct text_need){0};
	if (!(p->flags & PATTERN_REGEX)) {
		(void)ask_text(ret, p->texts.data[i], p->fold);
		return;
	}
	if (p->texts.len == 1)
		(void)ask_text(ret, literal_of(p), p->fold);
	if (!p->fold)
		ask_regex(ret, p->texts.data[i]);
}

void
text_need_of(const struct pattern *p, struct text_need *ret)
{
	struct text_need one;

	*ret = (struct text_need){0};
	if (p->flags & PATTERN_PATH)
		return;
	for (size_t i = 0; i < p->texts.len; i++) {
		need_of_text(p, i, &one);
		if (i == 0)
			*ret = one;
		else
			text_need_or(ret, &one);
	}
}

/* What else may be there instead, but for the first. */
static void
print_letters(const char *behind, uint64_t bits, bool first, struct strbuf *out)
{
	bool many = n_bits(bits) > 1;

	(void)strbuf_puts(out, first ? "" : " | ");
	(void)strbuf_puts(out, behind);
	(void)strbuf_puts(out, many ? "[" : "");
	for (int i = 0; i < (int)TEXT_MARKS_LETTERS; i++) {
		if (bits >> i & 1)
			(void)strbuf_putc(out, (char)('A' + i));
	}
	(void)strbuf_puts(out, many ? "]" : "");
}

static void
print_mask(uint64_t mask, struct strbuf *out)
{
	const uint64_t letters = ((uint64_t)1 << TEXT_MARKS_LETTERS) - 1;
	uint64_t digits = mask & letters, small = mask >> TEXT_MARKS_SMALL & letters;
	bool beyond = mask & TEXT_MARKS_BEYOND, same = digits == small;
	bool many = (beyond && mask != TEXT_MARKS_BEYOND) || (!same && digits && small);

	(void)strbuf_puts(out, many ? "(" : "");
	(void)strbuf_puts(out, beyond ? "beyond ASCII" : "");
	if (digits)
		print_letters(same ? "[0-9a-z]" : "[0-9]", digits, !beyond, out);
	if (small && !same)
		print_letters("[a-z]", small, !beyond && !digits, out);
	(void)strbuf_puts(out, many ? ")" : "");
}

int
text_need_print(const struct text_need *need, struct strbuf *out)
{
	for (uint32_t i = 0; i < need->n; i++) {
		(void)strbuf_puts(out, " & ");
		print_mask(need->any_of[i], out);
	}
	return out->failed ? -ENOMEM : 0;
}
