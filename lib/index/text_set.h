/**
 * text_set: the text segments of one root: what is known of the contents of its files.
 *
 * Segments ascend by their ranges of content numbers, and hold grams of one kind. Content numbers
 * are the root's own, and never used again: a set that came later has the same contents under the
 * same numbers, or has dropped them.
 *
 * Ownership: counted (struct arc); a set holds its segments. Immutable.
 * Threads:   any number of readers.
 * Errors:    -ENOMEM; -EBADMSG ranges overlap or descend, kinds of grams differ, or there are more
 *            than TEXT_SET_MAX.
 */
#pragma once

#include "index/text_segment.h"
#include "sync/arc.h"

#define TEXT_SET_MAX 64u

struct text_set {
	struct arc arc;
	unsigned n_symbols;
	uint32_t n;
	struct text *text[TEXT_SET_MAX]; /* base ascending */
};

/** The set holds references of its own. n is 1 or more. */
int text_set_create(struct text *const *texts, uint32_t n, struct text_set **ret, struct err *err);
struct text_set *text_set_ref(struct text_set *s);
void text_set_unref(struct text_set *s); /* NULL is legal */

/** One more than the greatest number that was given: what a next segment begins with. */
uint32_t text_set_end(const struct text_set *s);
/** The segment that has a content: its index, or s->n. */
uint32_t text_set_of(const struct text_set *s, uint32_t content);
/** The document of a content: NULL when it is not there or was dropped. */
const struct text_doc *text_set_doc(const struct text_set *s, uint32_t content);
/** The content of a file with this key, by the rows of segments [from, s->n), the latest first: 1
 *  and it, or 0. What it gives is there. */
int text_set_find(const struct text_set *s, uint32_t from, uint64_t key, uint32_t *ret_content);
/** The same of n keys, n at most TEXT_FIND_MANY: ret[places[i]] where there is one, else nothing is
 *  written; how many. Both arrays are scratch afterwards. */
uint32_t text_set_find_many(const struct text_set *s, uint32_t from, uint64_t *keys,
	uint32_t *places, uint32_t n, uint32_t *ret);
/** Could the disk not give what was asked for? */
bool text_set_faulted(const struct text_set *s);

/** What tells that a file has not changed: the fields of its entry in the tree, or of fstat(). */
struct text_stamp {
	uint64_t dev, ino, size;
	int64_t mtime_ns, ctime_ns;
};
uint64_t text_file_key(const struct text_stamp *s);
