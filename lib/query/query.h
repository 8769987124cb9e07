/**
 * query: a question parsed, and the cursor that answers it.
 *
 * The language (one for every face) is described in query/LANGUAGE.md. query_parse() makes an
 * immutable tree; cursor_open() binds it to a snapshot; cursor_next() gives the answers one at a
 * time.
 *
 * A cursor is resumable: it computes ahead one bounded window (a chunk of entries, a batch of files
 * to verify) only when cursor_next() needs it, keeps its place between calls, may be called from
 * different threads one after the other, and may be left alone for hours: it holds its snapshot.
 * Metadata terms are evaluated chunk by chunk over the columns; contents are read only of
 * candidates that the rest of the query admits, in parallel on the pool, and the caller takes part.
 *
 * Order of answers: the snapshot's layers in their order, entries in entry order, unless a sort is
 * asked; with a sort everything is evaluated at the first cursor_next(), ties in entry order;
 * ranked, some thousand candidates and the lines of some files are (ranking.h).
 *
 * Truth: names and metadata are those of the snapshot. A file whose contents are verified is opened
 * below its root without following links and must be a regular file; its lines are those of now. A
 * candidate that is gone or unreadable or binary or too large is counted in cursor_stats.skipped,
 * never silently dropped.
 *
 * Memory: of one file at most opts.max_kept_bytes of lines are kept (text, places of lines and
 * spans; of a UTF-16 file as much as its text), of all files together 32 times that and once more
 * for each thread. When those were given the file is opened again and searched further, provided
 * that it is the very same: the rest of one that changed meanwhile is counted in skipped.changed.
 *
 * Ownership: query: arena inside, query_destroy(). Cursor: cursor_close(); it holds references to
 * the query (query_ref) and the snapshot.
 * Threads:   a query is const; a cursor belongs to one thread at a time.
 * Errors:    parse: -EINVAL with err->pos (1-based column in bytes) and a hint;
 * -EOVERFLOW too long or too deep. next: -ECANCELED, -ETIMEDOUT, -ENOMEM, -EIO the segment could
 * not be read, -EOVERFLOW a pattern reached its match limit.
 */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "query/field.h"
#include "query/trace.h"
#include "sync/pool.h"
#include "text/pattern.h"

#define QUERY_MAX_BYTES 8192u
#define QUERY_MAX_DEPTH 64u
#define QUERY_MAX_TERMS 256u
#define QUERY_MAX_SORT_KEYS 4u

struct query;

enum query_case { QUERY_CASE_SMART, QUERY_CASE_EXACT, QUERY_CASE_FOLD };

struct query_env {
	int64_t now_ns;      /* what "<7d" is counted from */
	enum query_case cas; /* until case: in the text says otherwise */
};

int query_parse(struct span text, const struct query_env *env, struct query **ret, struct err *err);
struct query *query_ref(struct query *q);
void query_unref(struct query *q);
/** Does it read contents? */
bool query_has_content(const struct query *q);
struct snapshot;
/** May its answers leave files out because the contents of too many are not known yet? They become
 *  known without a tick of the clock. */
bool query_may_miss(const struct query *q, const struct snapshot *s);
/** The parsed tree as text ("(and (word kmalloc) (ext c))"), for `explain` and tests. */
int query_print(const struct query *q, struct strbuf *out);

struct query_sort {
	enum field field;
	bool descending;
};

/** "mtime:desc,name" into keys: their number, or -EINVAL with err. */
int query_sort_parse(
	struct span text, struct query_sort keys[QUERY_MAX_SORT_KEYS], struct err *err);

struct entry_set;

/** What the answers of a grep are. */
enum grep_answer {
	GREP_LINES,   /* lines that match, with context; of a multi-line match all its lines */
	GREP_MATCHES, /* each match by itself, with context */
	GREP_FILES,   /* files that have a line that matches */
	GREP_FILES_WITHOUT, /* files that were searched and have none */
	GREP_COUNT_LINES,   /* files that have one, with the number of such lines */
	GREP_COUNT_MATCHES, /* the same, with the number of matches */
};

/** Does what is likely meant come first (ranking.h)? */
enum cursor_rank {
	RANK_OFF,
	RANK_CONTENTS, /* when contents are read */
	RANK_ALWAYS,
};

struct cursor_opts {
	struct query_sort sort[QUERY_MAX_SORT_KEYS];
	uint32_t n_sort;
	enum cursor_rank rank; /* without a sort */
	uint64_t offset;       /* answers passed over first (paging) */
	uint64_t limit;        /* answers given at most; 0: all */
	bool count_exact;      /* go on counting past the limit */

	/* Answers are of these entries alone (entry_set.h); borrowed until close, without a sort.
	 * NULL: of all. */
	const struct entry_set *only;
	bool blind; /* contents are not read: what else the question leaves is an answer */

	/* grep: answers are lines, not entries. */
	const struct pattern *grep; /* borrowed until close; NULL: search */
	enum grep_answer answer;
	bool invert;             /* lines without a match match, and no others */
	uint32_t before, after;  /* lines of context */
	uint64_t max_per_file;   /* matching lines; 0: all */
	uint32_t max_line_bytes; /* longer lines are cut around the first match; 0: 4096 */
	bool first_span_only;    /* of each line: the others are not looked for */
	/* GREP_LINES: lines that follow each other in the answer come together, as struct hit has
	 * them. Without effect with a limit, an offset, a rank, context or `invert`, and where
	 * matches span lines. */
	bool blocks;
	size_t max_kept_bytes; /* of the lines of one file, at once; 0: 1 MiB */
	size_t max_part_bytes; /* of a large file that is searched by several threads; 0: 4 MiB */

	usec_t deadline;   /* monotonic; USEC_NEVER for none */
	bool trace;        /* count what each step costs, for cursor_get_cost() */
	struct stop *stop; /* may be NULL */
	struct pool *compute, *io;
	struct hash_cache *hashes; /* of files that were compared before; may be NULL */
};

/** Are the answers lines, or matches, rather than files? */
static inline bool
cursor_gives_lines(const struct cursor_opts *o)
{
	return o->grep && (o->answer == GREP_LINES || o->answer == GREP_MATCHES);
}

/** Must a file hold a match of opts->grep to give an answer? Else what the pattern needs says
 *  nothing about which files to read. */
static inline bool
cursor_needs_match(const struct cursor_opts *o)
{
	return o->grep && !o->invert && o->answer != GREP_FILES_WITHOUT;
}

struct hit {
	uint32_t layer, entry; /* of the snapshot: snapshot.h */
	/* grep only; text and spans are valid until the next cursor_next(). */
	uint64_t line;    /* 1-based; of the first line, of the match itself */
	uint64_t offset;  /* of the line's first byte, or the match's, in the (decoded) file */
	uint64_t column;  /* 1-based, in bytes, of the first match; 1 with `invert`, 0 context */
	struct span text; /* the line without its end, the lines, or the match */
	uint32_t cut;     /* bytes left out before `text` (long lines) */
	bool cut_end;     /* bytes were left out after it */
	bool last;        /* the line ends with the file, not with a line feed */
	bool context;     /* a line of context, no match in it */
	bool before;      /* it leads to the match after it, and follows none closely */
	uint32_t n_spans;
	const struct match *spans; /* within text, ascending */
	uint64_t count;            /* GREP_COUNT_*; no line, then */
	/* Of a block the number of its lines: `text` is each with its number before it and a line
	 * feed behind, "12:text\n". `line` and `offset` are of the first; there is nothing else. 0:
	 * a line by itself, also because it was cut. */
	uint32_t n_lines;
};

struct cursor;

int cursor_open(struct query *q, struct snapshot *s, const struct cursor_opts *opts,
	struct cursor **ret, struct err *err);
/** 1 an answer in *ret, 0 the end, or an error (which every later call repeats). */
int cursor_next(struct cursor *c, struct hit *ret);
/** The same without a grep, some at once, all of one layer: how many (`n` at most, which is not 0),
 *  0 the end, or an error. No answer waits for others that must be looked for. */
int cursor_next_entries(struct cursor *c, uint32_t *ret_layer, uint32_t *ret_entry, uint32_t n);
void cursor_close(struct cursor *c); /* NULL is legal */
const struct snapshot *cursor_snapshot(const struct cursor *c);

struct cursor_stats {
	uint64_t n;     /* answers given (context lines not counted) */
	bool more;      /* the limit left some out */
	uint64_t total; /* answers there are; exact when total_exact */
	bool total_exact;
	uint64_t n_files; /* grep: files that had a match, of those given */
	uint64_t n_verified, n_bytes_read;
	struct {
		uint64_t binary, too_large, unreadable, gone;
		uint64_t changed; /* while its lines were given: the rest is left out */
		uint64_t off;     /* root has content = no */
		uint64_t pending; /* not indexed yet, and too many to be read */
		uint64_t limit;   /* match limit reached */
	} skipped;
};
void cursor_get_stats(const struct cursor *c, struct cursor_stats *ret);

struct cursor_cost {
	struct leaf_cost *leaf; /* by number of the leaf; of malloc, the caller's */
	unsigned n_threads;     /* that evaluated something */
	bool sorted, ranked;
	struct sort_cost sort;
	struct rank_cost rank;
};
/** With opts.trace, after the end: 0 or -ENOMEM. */
int cursor_get_cost(const struct cursor *c, struct cursor_cost *ret);
/** What of the roots is looked at (sweep.h); valid until the cursor is closed. */
struct sweep_range;
uint32_t cursor_ranges(const struct cursor *c, const struct sweep_range **ret);
