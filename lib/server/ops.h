/**
 * ops: what the requests do on a worker. Each is a job_step; `fini` frees what it left in
 * job.state.
 */
#pragma once

#include "query/field.h"
#include "server/job.h"

/* op_search.c */
int op_search(struct job *j, struct strbuf *out);
int op_grep(struct job *j, struct strbuf *out);
void op_search_fini(void *state);

/* op_small.c: one answer, no state */
int op_status(struct job *j, struct strbuf *out);
int op_roots(struct job *j, struct strbuf *out);
int op_why(struct job *j, struct strbuf *out);
int op_stat(struct job *j, struct strbuf *out);
int op_rescan(struct job *j, struct strbuf *out);
int op_clock(struct job *j, struct strbuf *out);

/* op_since.c */
int op_since(struct job *j, struct strbuf *out);
int op_subscribe(struct job *j, struct strbuf *out);
void op_since_fini(void *state);

/* op_reload.c */
int op_reload(struct job *j, struct strbuf *out);

/* op_explain.c */
int op_explain(struct job *j, struct strbuf *out);

/* op_total.c, op_stats.c, op_dupes.c */
int op_du(struct job *j, struct strbuf *out);
void op_du_fini(void *state);
int op_top(struct job *j, struct strbuf *out);
void op_top_fini(void *state);
int op_stats(struct job *j, struct strbuf *out);
void op_stats_fini(void *state);
int op_dupes(struct job *j, struct strbuf *out);
void op_dupes_fini(void *state);

/* op_sql.c */
int op_sql(struct job *j, struct strbuf *out);
void op_sql_fini(void *state);

/** Members of a request, read on a worker: 0 (absent: *ret is left as it is), or the failure. */
int param_u64(struct job *j, const char *key, uint64_t max, uint64_t *ret);
int param_bool(struct job *j, const char *key, bool *ret);
int param_str(struct job *j, const char *key, struct span *ret);
/** A string or {"s","b64"}, which is decoded into `scratch`; -EINVAL when it is absent. */
int param_bytes(struct job *j, const char *key, struct strbuf *scratch, struct span *ret);
/** One of a NULL-terminated list: *ret is its index. */
int param_word(struct job *j, const char *key, const char *const *words, unsigned *ret);
/** "case" and "q" of search, grep and explain as a parsed query. */
struct query;
int param_query(struct job *j, struct query **ret);
/** "limit", "sort" and "count" of search, grep and explain. */
struct cursor_opts;
int param_order(struct job *j, struct cursor_opts *opts);
/** "fields" of search, since and subscribe; without it, the path. */
#define MAX_FIELDS 32u
struct fields {
	uint32_t n;
	enum field field[MAX_FIELDS];
};
int param_fields(struct job *j, struct fields *ret);
/** One value of an entry. */
int put_field(struct json *out, const struct snapshot *s, uint32_t layer, uint32_t entry,
	enum field f, struct strbuf *scratch);
/** Fail the job with a sentence about its request. */
int bad_request(struct job *j, const char *what);

/* op_parts.c: what answers over a snapshot share. */

/** What an answer sees. Zeroed before; view_fini() in the end. */
struct view {
	struct snapshot *snapshot;
	struct strbuf clock;
};
int view_open(struct job *j, struct view *v);
void view_fini(struct view *v);
struct cursor_stats;
/** The pools, the token and the cache that the request may use. */
void view_limits(struct job *j, struct cursor_opts *opts);
/** The member "skipped". */
void view_skipped(struct json *out, const struct cursor_stats *st);
/** The member "stale". */
void view_stale(struct job *j, const struct view *v, struct json *out);
/** "stale", "clock" and "took_us", which end an `end`. */
void view_close(struct job *j, const struct view *v, struct json *out);

enum { ROWS_MAX_LINE = 512, ROWS_FIRST_BYTES = 16 << 10 };
/** A `rows` event; j->n_rows counts what is in it. */
void rows_open(struct job *j, struct strbuf *out, struct json *ret);
void rows_close(struct json *out);
bool rows_full(const struct job *j, const struct strbuf *out);
/** A number that every reader understands exactly; nanoseconds. */
void put_count(struct json *out, uint64_t number);
void put_time(struct json *out, int64_t ns);
