#include <errno.h>

#include "query/explain.h"
#include "query/ranking.h"
#include "server/search.h"

/* What the answer is made from, gone with the step. */
struct explanation {
	struct search search; /* as it would be run, but for the cursor */
	bool run;
	struct explain *plan; /* NULL: there is no index to plan for */
};

static void
explanation_fini(struct explanation *x)
{
	explain_destroy(x->plan);
	search_fini(&x->search);
}

static void
put_step(const struct explain *x, const struct explain_step *step, struct json *out)
{
	json_open(out, '{');
	json_kv_cstr(out, "term", step->text);
	json_kv_u64(out, "depth", step->depth);
	if (step->leaf)
		json_kv_u64(out, "rank", step->rank);
	if (step->estimated) {
		json_kv_u64(out, "estimate", step->estimate);
		json_kv_bool(out, "exact", step->exact);
	}
	if (step->grams) {
		json_kv_cstr(out, "grams", step->grams);
		json_kv_u64(out, "grams_estimate", step->grams_estimate);
		json_kv_u64(out, "documents", step->n_docs);
	}
	if (step->leaf && x->ran) {
		json_kv_u64(out, "chunks", step->cost.n_calls);
		json_kv_u64(out, "asked", step->cost.n_asked);
		json_kv_u64(out, "hits", step->cost.n_hits);
		json_kv_u64(out, "blocks_read", step->cost.n_read);
		json_kv_u64(out, "blocks_skipped", step->cost.n_skipped);
		json_kv_u64(out, "ns", step->cost.nsec);
	}
	json_close(out, '}');
}

static void
put_range(const struct snapshot *s, const struct sweep_range *r, struct json *out)
{
	uint32_t n = snapshot_cols(s, r->layer)->n_entries;

	json_open(out, '{');
	json_kv_cstr(out, "root", snapshot_root(s, r->layer)->name);
	json_kv_cstr(out, "path", snapshot_root(s, r->layer)->path);
	json_kv_u64(out, "layer", s->layers[r->layer].layer);
	json_kv_u64(out, "first", r->lo);
	json_kv_u64(out, "entries", snapshot_count(s, r->layer, r->lo, r->hi));
	json_kv_u64(out, "of", snapshot_count(s, r->layer, 0, n));
	json_close(out, '}');
}

static void
put_sort(const struct explanation *x, struct json *out)
{
	const struct sort_cost *cost = &x->plan->cost.sort;

	json_key(out, "sort");
	json_open(out, '{');
	json_key(out, "keys");
	json_open(out, '[');
	for (uint32_t i = 0; i < x->search.opts.n_sort; i++) {
		json_open(out, '{');
		json_kv_cstr(out, "field", field_word(x->search.opts.sort[i].field));
		json_kv_bool(out, "descending", x->search.opts.sort[i].descending);
		json_close(out, '}');
	}
	json_close(out, ']');
	if (x->plan->ran) {
		json_kv_u64(out, "kept", cost->n_kept);
		json_kv_u64(out, "blocks_skipped", cost->n_skipped);
		json_kv_u64(out, "ns", cost->nsec);
	}
	json_close(out, '}');
}

/* The points are told in words: they are the same for every question. */
static void
put_rank(const struct explanation *x, struct json *out)
{
	static const char *const by[] = {
		"name", "definition", "word", "kind of directory", "depth", "mtime"};
	const struct rank_cost *cost = &x->plan->cost.rank;

	json_key(out, "ranked");
	json_open(out, '{');
	json_key(out, "by");
	json_open(out, '[');
	for (size_t i = 0; i < ARRAY_LEN(by); i++)
		json_cstr(out, by[i]);
	json_close(out, ']');
	json_kv_u64(out, "candidates_at_once", RANK_CANDIDATES);
	json_kv_u64(out, "names_at_once", RANK_HEAD);
	json_kv_u64(out, "files_at_once", VERIFY_BATCH_RANKED);
	if (x->plan->ran) {
		json_kv_u64(out, "candidates", cost->n_candidates);
		json_kv_u64(out, "ns", cost->nsec);
	}
	json_close(out, '}');
}

static bool
reads_contents(const struct explanation *x)
{
	return x->search.opts.grep || query_has_content(x->search.query);
}

static bool
is_ranked(const struct explanation *x)
{
	return x->search.opts.n_sort == 0 &&
	       (x->search.opts.rank == RANK_ALWAYS ||
		       (x->search.opts.rank == RANK_CONTENTS && reads_contents(x)));
}

static void
put_run(const struct explain *x, struct json *out)
{
	json_key(out, "run");
	json_open(out, '{');
	json_kv_u64(out, "n", x->stats.n);
	json_kv_bool(out, "more", x->stats.more);
	json_kv_u64(out, "total", x->stats.total);
	json_kv_bool(out, "exact", x->stats.total_exact);
	json_kv_u64(out, "threads", x->cost.n_threads);
	json_kv_u64(out, "files_read", x->stats.n_verified);
	json_kv_u64(out, "bytes_read", x->stats.n_bytes_read);
	json_kv_u64(out, "ns", x->nsec);
	json_close(out, '}');
}

static void
put_plan(const struct explanation *x, struct json *out)
{
	const struct explain *plan = x->plan;

	json_kv_u64(out, "entries", plan->n_entries);
	json_kv_u64(out, "of", plan->n_all);
	json_key(out, "ranges");
	json_open(out, '[');
	for (uint32_t i = 0; i < plan->n_ranges; i++)
		put_range(x->search.view.snapshot, &plan->range[i], out);
	json_close(out, ']');
	json_key(out, "steps");
	json_open(out, '[');
	for (uint32_t i = 0; i < plan->n_steps; i++)
		put_step(plan, &plan->step[i], out);
	json_close(out, ']');
	if (plan->grep.text) {
		json_key(out, "pattern");
		put_step(plan, &plan->grep, out);
	}
	if (x->search.opts.n_sort > 0)
		put_sort(x, out);
	if (is_ranked(x))
		put_rank(x, out);
	if (plan->ran)
		put_run(plan, out);
}

static int
make_plan(struct job *j, struct explanation *x)
{
	struct err err = {0};
	int r;

	/* How a query is understood can be told without an index. */
	if (!j->server->ops.snapshot)
		return x->run ? bad_request(j, "this server has no index to run the query on") : 0;
	r = view_open(j, &x->search.view);
	if (r < 0)
		return r;
	view_limits(j, &x->search.opts);
	r = explain_create(
		x->search.query, x->search.view.snapshot, &x->search.opts, x->run, &x->plan, &err);
	err.code = r;
	return r < 0 ? job_fail(j, answer_code_of(r), &err) : 0;
}

static bool
is_grep(const struct job *j)
{
	return msg_get(msg_root(j->msg), "pattern") || msg_get(msg_root(j->msg), "patterns");
}

static int
explain(struct job *j, struct explanation *x, struct strbuf *out)
{
	AUTO(strbuf_fini) struct strbuf tree = {0};
	struct json json;
	int r;

	x->search.opts.limit = j->rows_default;
	(void)((r = param_bool(j, "run", &x->run)) < 0 ||
		(r = param_order(j, &x->search.opts)) < 0 ||
		(is_grep(j) && (r = grep_read(j, &x->search)) < 0) ||
		(r = param_query(j, &x->search.query)) < 0 || (r = make_plan(j, x)) < 0);
	if (r < 0)
		return r;
	r = query_print(x->search.query, &tree);
	if (r < 0)
		return job_fail_code(j, r);
	json = answer_open(out, strbuf_view(&j->id), "end");
	json_kv_str(&json, "tree", strbuf_view(&tree));
	json_kv_bool(&json, "content", reads_contents(x));
	if (x->plan)
		put_plan(x, &json);
	json_kv_u64(&json, "took_us", clock_mono() - j->arrived_usec);
	answer_close(&json);
	return 0;
}

int
op_explain(struct job *j, struct strbuf *out)
{
	struct explanation x = {0};
	int r = explain(j, &x, out);

	explanation_fini(&x);
	return r;
}
