/*
 * since and subscribe: what has changed after a clock and matches a query.
 *
 * Both work in rounds. A round goes from the clock that was told last to that of one snapshot, and
 * gives its rows (query/delta.h); where the journal does not reach back so far it begins with a
 * `gap`, and all that matches is given. `since` is one round. `subscribe` sleeps while the snapshot
 * is that of its clock, and holds none then; nothing is queued for it, so a slow client has a
 * longer round later.
 */
#include <errno.h>

#include "query/delta.h"
#include "query/names.h"
#include "query/query.h"
#include "server/ops.h"

/* Paths that a round tells one by one (some 20 MB of memory); past it, all that matches is told. */
#define MAX_CHANGES 100000u
/* A round without rows tells its clock only when none was told for so long; till then it is owed.
 */
#define CLOCK_USEC USEC_PER_SEC

struct since {
	struct query *query;
	struct fields fields;
	bool others;         /* also what changed and does not match */
	struct strbuf clock; /* what was told goes up to it; empty: it begins now */
	usec_t told_usec;    /* when a clock was told last; 0: never */
	bool owed;           /* the clock of the last round was not told */
	bool missed; /* of subscribe: files may have been left out whose contents were not known */

	/* The round; zeroed between two. */
	struct view view;
	struct delta *delta;
	struct cursor *all; /* after a gap, in place of delta */
	uint64_t n;         /* rows of it */
	struct path_maker there, gone;
	struct strbuf text; /* one value at a time */
};

static void
end_round(struct since *s)
{
	delta_close(TAKE_PTR(s->delta));
	cursor_close(TAKE_PTR(s->all));
	path_maker_fini(&s->there);
	path_maker_fini(&s->gone);
	s->there = s->gone = (struct path_maker){0};
	view_fini(&s->view);
	s->n = 0;
}

void
op_since_fini(void *state)
{
	struct since *s = state;

	end_round(s);
	query_unref(s->query);
	strbuf_fini(&s->clock);
	strbuf_fini(&s->text);
	free(s);
}

static int
add_batch(void *arg, uint32_t root, struct span records)
{
	return changes_add(arg, root, records);
}

/* 1 when it can be told what has changed, 0 when it cannot. */
static int
read_changes(struct job *j, struct since *s, struct changes *ret)
{
	const struct server_ops *ops = &j->server->ops;
	struct err err = {0};
	int r = ops->changes(
		ops->ctx, strbuf_view(&s->clock), s->view.snapshot, add_batch, ret, &err);

	if (r == -ESTALE || r == -E2BIG || r == -EBADMSG)
		return 0;
	if (r == -EINVAL)
		return job_fail(j, CODE_BAD_REQUEST, &err);
	if (r < 0 && err.what[0])
		return job_fail(j, answer_code_of(r), &err);
	return r < 0 ? job_fail_code(j, r) : 1;
}

static void
put_gap(struct job *j, const struct since *s, struct strbuf *out)
{
	struct json json = answer_open(out, strbuf_view(&j->id), "gap");

	json_kv_str(&json, "clock", strbuf_view(&s->clock));
	answer_close(&json);
}

/* From s->clock to the snapshot of s->view; `anew`: from nothing. */
static int
begin_round(struct job *j, struct since *s, bool anew, struct strbuf *out)
{
	struct changes changes = {.max = MAX_CHANGES};
	struct cursor_opts opts = {0};
	struct err err = {0};
	int r = anew ? 0 : read_changes(j, s, &changes);

	counter_add(&j->server->counters.n_since, r >= 0);
	counter_add(&j->server->counters.n_gaps, r == 0);
	view_limits(j, &opts);
	if (r > 0) {
		r = delta_open(s->query, s->view.snapshot, &changes, &opts, &s->delta, &err);
		if (r == 0 && s->others)
			delta_tell_others(s->delta);
	} else {
		changes_fini(&changes);
		if (r < 0)
			return r;
		put_gap(j, s, out);
		r = cursor_open(s->query, s->view.snapshot, &opts, &s->all, &err);
	}
	if (r == 0)
		return 0;
	err.code = r;
	return job_fail(j, answer_code_of(r), &err);
}

static int
next_row(struct since *s, struct delta_row *ret)
{
	struct hit hit;
	int r;

	if (s->delta)
		return delta_next(s->delta, ret);
	r = cursor_next(s->all, &hit);
	*ret = (struct delta_row){.kind = CHANGE_ADD,
		.snapshot = s->view.snapshot,
		.layer = hit.layer,
		.entry = hit.entry};
	return r;
}

static int
put_path(struct since *s, struct json *out, const struct snapshot *snap, uint32_t layer,
	uint32_t entry)
{
	struct path_maker *paths = snap == s->view.snapshot ? &s->there : &s->gone;
	struct span text;
	int r = path_make(paths, snap, layer, entry, &text);

	if (r == 0)
		json_str(out, text);
	return r;
}

/* [kind, where it was, values] */
static int
put_row(struct since *s, struct json *out, const struct delta_row *row)
{
	static const char *const words[] = {[CHANGE_ADD] = "add",
		[CHANGE_MODIFY] = "modify",
		[CHANGE_MOVE] = "move",
		[CHANGE_DELETE] = "delete",
		[CHANGE_OTHER] = "other"};
	int r = 0;

	json_open(out, '[');
	json_cstr(out, words[row->kind]);
	if (row->from)
		r = put_path(s, out, row->from, row->from_layer, row->from_entry);
	else
		json_raw(out, SPAN_LIT("null"));
	for (uint32_t i = 0; i < s->fields.n && r == 0; i++) {
		if (s->fields.field[i] == FIELD_PATH)
			r = put_path(s, out, row->snapshot, row->layer, row->entry);
		else
			r = put_field(out, row->snapshot, row->layer, row->entry,
				s->fields.field[i], &s->text);
	}
	json_close(out, ']');
	return r;
}

/* One line of rows, or nothing: what the last one said. */
static int
put_rows(struct job *j, struct since *s, struct strbuf *out)
{
	struct delta_row row;
	struct json json;
	int r;

	while ((r = next_row(s, &row)) > 0) {
		if (j->n_rows++ == 0)
			rows_open(j, out, &json);
		r = put_row(s, &json, &row);
		s->n++;
		if (r < 0)
			break;
		r = 1;
		if (rows_full(j, out))
			break;
	}
	if (j->n_rows > 0)
		rows_close(&json);
	return r;
}

/* What both kinds of ends have, but for how they close. */
static void
put_round(const struct since *s, struct json *json)
{
	struct cursor_stats st = {0};

	if (s->delta)
		delta_get_stats(s->delta, &st);
	else if (s->all)
		cursor_get_stats(s->all, &st);
	json_kv_u64(json, "n", s->n);
	json_kv_bool(json, "fresh", s->all != NULL);
	view_skipped(json, &st);
}

static int
open_state(struct job *j)
{
	struct since *s = calloc(1, sizeof(*s));
	struct span clock = {0};
	int r;

	if (!s)
		return job_fail_code(j, -ENOMEM);
	j->state = s;
	r = param_str(j, "clock", &clock);
	if (r == 0 && !clock.data && !j->work.subscribes)
		return bad_request(j, "\"clock\" must be the clock of an earlier answer");
	if (r == 0 && clock.data && strbuf_span(&s->clock, clock) < 0)
		return job_fail_code(j, -ENOMEM);
	if (r == 0 && clock.data && clock.len == 0)
		return bad_request(j, "\"clock\" must be the clock of an earlier answer");
	if (r == 0)
		r = param_bool(j, "others", &s->others);
	if (r == 0)
		r = param_fields(j, &s->fields);
	return r < 0 ? r : param_query(j, &s->query);
}

static int
open_since(struct job *j, struct strbuf *out)
{
	struct since *s;
	int r = open_state(j);

	if (r < 0)
		return r;
	s = j->state;
	r = view_open(j, &s->view);
	return r < 0 ? r : begin_round(j, s, false, out);
}

int
op_since(struct job *j, struct strbuf *out)
{
	struct since *s;
	struct json json;
	int r = j->state ? 0 : open_since(j, out);

	if (r < 0)
		return r;
	s = j->state;
	r = put_rows(j, s, out);
	if (r != 0)
		return r < 0 ? job_fail_code(j, r) : r;
	json = answer_open(out, strbuf_view(&j->id), "end");
	put_round(s, &json);
	view_close(j, &s->view, &json);
	return 0;
}

/* What was told goes up to the clock of the round. */
static int
take_clock(struct since *s)
{
	strbuf_reset(&s->clock);
	return strbuf_span(&s->clock, strbuf_view(&s->view.clock));
}

static void
put_clock(struct job *j, struct since *s, struct strbuf *out)
{
	struct json json = answer_open(out, strbuf_view(&j->id), "clock");

	put_round(s, &json);
	view_stale(j, &s->view, &json);
	json_kv_str(&json, "clock", strbuf_view(&s->clock));
	answer_close(&json);
	s->told_usec = clock_mono();
	s->owed = false;
}

static int
finish_round(struct job *j, struct since *s, struct strbuf *out)
{
	if (take_clock(s) < 0)
		return job_fail_code(j, -ENOMEM);
	s->owed = j->renews = true;
	if (s->n > 0 || s->all || clock_mono() - s->told_usec >= CLOCK_USEC)
		put_clock(j, s, out);
	end_round(s);
	return 1;
}

/* Nothing has changed since the last round. */
static int
rest(struct job *j, struct since *s, struct strbuf *out)
{
	usec_t due = s->told_usec + CLOCK_USEC;
	bool tell = s->owed && clock_mono() >= due;

	if (tell)
		put_clock(j, s, out);
	end_round(s);
	j->sleep_until = s->owed ? due : USEC_NEVER;
	return JOB_SLEEPS;
}

/* Contents become known without a tick of the clock: no change says so. Whoever began when files
 * were left out, here or in the question before, is told everything once none is. */
static bool
no_more_misses(struct since *s)
{
	bool before = s->missed;

	s->missed = query_may_miss(s->query, s->view.snapshot);
	return before && !s->missed;
}

/* 1 a round has begun, or all of one without rows is over; JOB_SLEEPS; or the failure. */
static int
next_round(struct job *j, struct since *s, struct strbuf *out)
{
	int r = view_open(j, &s->view);
	bool anew;

	if (r < 0)
		return r;
	anew = no_more_misses(s);
	if (s->clock.len == 0) /* from here on */
		return finish_round(j, s, out);
	if (s->told_usec > 0 && !anew &&
		span_eq(strbuf_view(&s->clock), strbuf_view(&s->view.clock)))
		return rest(j, s, out);
	r = begin_round(j, s, anew, out);
	return r < 0 ? r : 1;
}

int
op_subscribe(struct job *j, struct strbuf *out)
{
	struct since *s;
	int r = j->state ? 0 : open_state(j);

	if (r < 0)
		return r;
	s = j->state;
	if (!s->view.snapshot) {
		r = next_round(j, s, out);
		if (r < 0 || r == JOB_SLEEPS || !s->view.snapshot)
			return r;
	}
	r = put_rows(j, s, out);
	if (r == 0)
		return finish_round(j, s, out);
	return r < 0 ? job_fail_code(j, r) : r;
}
