/**
 * ops: what the requests do on a worker. Each is a job_step; `fini` frees what it left in
 * job.state.
 */
#pragma once

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
int op_explain(struct job *j, struct strbuf *out);

/** Members of a request, read on a worker: 0 (absent: *ret is left as it is), or the failure. */
int param_u64(struct job *j, const char *key, uint64_t max, uint64_t *ret);
int param_bool(struct job *j, const char *key, bool *ret);
int param_str(struct job *j, const char *key, struct span *ret);
/** A string or {"s","b64"}, which is decoded into `scratch`; -EINVAL when it is absent. */
int param_bytes(struct job *j, const char *key, struct strbuf *scratch, struct span *ret);
/** "case" and "q" of search, grep and explain as a parsed query. */
struct query;
int param_query(struct job *j, struct query **ret);
