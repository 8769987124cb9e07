/**
 * sift: which entries the contents of a question admit, as far as grams tell.
 *
 * What stands beside each other of content terms is one query of grams, and of what else a text
 * needs (text/text_need.h), a *sieve*: all that an AND, or an OR, has of them below it, as far as
 * nothing else lies in between; and for the question as a whole, with what is searched for by grep.
 * Under NOT there is none: what a file does not hold says nothing about its match.
 *
 *     (name:a | content:x) content:y content:z     of the AND: y & z     of the OR: x
 *
 * A sieve is asked once a root, of each of its text segments; for each layer the documents become a
 * bitmap of entries, and what the index does not know is added: files that are pending, when they
 * are few enough to be read (sift_plan()), and those too large to be read, to be counted. Roots
 * whose contents are not indexed have no bitmaps: all their files are candidates.
 *
 * Candidates, which are to be verified: a file of which the tree is right, that matches, is among
 * them. One that is known to be binary is among them, too, as far as the question cannot be
 * decided without it: it is then counted, never read (sift_take_binary(), verify.h), as often as
 * it would be if it were read.
 *
 * Ownership: borrows query, snapshot and opts; sift_create()/sift_destroy().
 * Threads:   one at a time.
 * Errors:    -ENOMEM, -ECANCELED.
 */
#pragma once

#include "gram/gram_query.h"
#include "query/expr.h"
#include "query/panes.h"

/** Files that are pending are read by a question when they are no more than this; warm that takes
 *  some half a second on two threads. Else those that are large are left out, and counted; and if
 *  what remains is still more, all. Bytes are those on the disk: holes are not read. */
#define SIFT_PENDING_FILES 20000u
#define SIFT_PENDING_BYTES ((uint64_t)256 << 20)
#define SIFT_PENDING_LARGE ((uint64_t)16 << 20)

/** So many files are read in the time that it takes to decode long lists. */
#define SIFT_FEW 32u

struct sift;
struct eval;
struct bits;

int sift_create(const struct query *q, const struct snapshot *s, const struct cursor_opts *opts,
	struct sift **ret);
void sift_destroy(struct sift *f); /* NULL is legal */

/** Decide whether grams are asked at all: long lists are not, when the rest of the question leaves
 *  SIFT_FEW files; and whether pending files are read, those that the rest admits. Before the first
 *  bind; workers and dupes are those of `e`. Errors: those of sweep_next() too. */
int sift_plan(struct sift *f, const struct eval *e);
/** Files that are left out because of that. */
uint64_t sift_n_left_out(const struct sift *f);

/** Of a text that the index knows in several units, where opts->grep may match: none when the entry
 *  is of no such text, or matches span lines. Of the file as it was when it was indexed. */
int sift_panes(struct sift *f, uint32_t layer, uint32_t entry, struct panes *ret);

/** The bitmaps of a layer, in the arena: ret has n_group + 1 of them, by number of the group, that
 *  of the whole question last; NULL where all entries are admitted. */
int sift_bind(struct sift *f, uint32_t layer, struct arena *a, const uint64_t **ret);

/** Of the candidates [lo, lo + n) of a layer, those known to be binary leave `bits` and are
 * counted, where it is certain that contents decide about each of them; else nothing is done, and
 * the verification sees to them. Threads: any; each candidate once. */
void sift_take_binary(struct sift *f, uint32_t layer, uint32_t lo, uint32_t n, struct bits *bits);
uint64_t sift_n_binary(const struct sift *f);

/** What the index of contents says of a content term, or of a grep, for who explains. Numbers are
 * of all roots together, dead entries too. */
struct sift_report {
	/* gram_query_print(), text_need_print(); empty: no root has an index of contents */
	struct strbuf grams;
	uint64_t estimate; /* documents at most, by the lengths of lists alone */
	uint64_t n_docs;   /* that are found */
	uint64_t n_files;  /* that have one of these, or are pending or too large */
};
/** `n` NULL: of opts->grep, else opts may be NULL. `ret` is zeroed, and its grams end by
 *  strbuf_fini() also after an error. 1; 0: there is none. */
int sift_explain(const struct snapshot *s, const struct node *n, const struct cursor_opts *opts,
	struct sift_report *ret);
