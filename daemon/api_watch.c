/*
 * What the server asks about watching: the barrier, and what `status` says of it.
 */
#include "api_watch.h"

#include <errno.h>
#include <stdlib.h>

struct barrier {
	server_done done;
	void *arg;
};

static void
on_synced(void *ctx, int result, uint64_t tick)
{
	struct barrier b = *(struct barrier *)ctx;

	(void)tick;
	free(ctx);
	/* Roots that cannot be brought up to now are named by the answer itself. */
	b.done(b.arg, result == -ESTALE ? 0 : result, NULL);
}

int
api_sync(void *ctx, usec_t deadline, server_done done, void *arg)
{
	struct daemon *d = ctx;
	struct barrier *b = malloc(sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	*b = (struct barrier){done, arg};
	r = engine_sync(d->engine, deadline, on_synced, b);
	if (r < 0)
		free(b);
	return r;
}

static const char *const wanted_words[] = {
	[ENGINE_WATCH_NO] = "no",
	[ENGINE_WATCH_AUTO] = "auto",
	[ENGINE_WATCH_DIRECTORIES] = "directories",
	[ENGINE_WATCH_POLL] = "poll",
};

void
api_put_root_watch(struct json *out, const struct engine_watch_status *w)
{
	json_key(out, "watch");
	json_open(out, '{');
	json_kv_cstr(out, "wanted", wanted_words[w->wanted]);
	json_kv_cstr(out, "kind", watch_kind_name(w->kind));
	json_kv_u64(out, "mounts", w->n_mounts);
	json_kv_bool(out, "stale", w->stale);
	json_kv_bool(out, "lost", w->lost);
	json_kv_u64(out, "losses", w->n_lost);
	json_kv_u64(out, "pending", w->n_pending);
	json_kv_u64(out, "batches", w->n_batches);
	json_kv_u64(out, "names", w->n_names);
	json_kv_u64(out, "lag_us", w->lag_usec);
	json_kv_u64(out, "most_lag_us", w->max_lag_usec);
	json_kv_u64(out, "verified_us", w->verified_usec);
	json_kv_u64(out, "mended", w->n_mended);
	if (w->poll_usec > 0)
		json_kv_u64(out, "poll_us", w->poll_usec);
	if (w->why[0])
		json_kv_cstr(out, "why", w->why);
	json_close(out, '}');
}

void
api_put_watch(struct json *out, const struct engine_status *s)
{
	const struct watch_stats *w = &s->watch;

	json_key(out, "watch");
	json_open(out, '{');
	json_kv_u64(out, "events", w->n_events);
	json_kv_u64(out, "coalesced", w->n_coalesced);
	json_kv_u64(out, "own", w->n_own);
	json_kv_u64(out, "foreign", w->n_foreign);
	json_kv_u64(out, "told", w->n_told);
	json_kv_u64(out, "waiting", w->n_waiting);
	json_kv_u64(out, "spilled", w->n_spilled);
	json_kv_u64(out, "refused", w->n_refused);
	json_kv_u64(out, "overflows", w->n_overflows);
	json_kv_u64(out, "losses", w->n_lost);
	json_kv_u64(out, "wakeups", w->n_wakeups);
	json_kv_u64(out, "directories", w->n_dirs);
	json_kv_u64(out, "directories_max", w->max_dirs);
	json_kv_u64(out, "directories_refused", w->n_dirs_refused);
	json_kv_u64(out, "syncs", s->n_syncs);
	json_close(out, '}');
}

void
api_put_journal(struct json *out, const struct engine_status *s)
{
	const struct engine_journal_status *j = &s->journal;

	json_key(out, "journal");
	json_open(out, '{');
	json_kv_u64(out, "records", j->n_records);
	json_kv_u64(out, "bytes", j->n_bytes);
	json_kv_u64(out, "tick", j->tick);
	json_kv_u64(out, "floor", j->floor);
	if (j->oldest_tick > 0) {
		json_kv_u64(out, "oldest_tick", j->oldest_tick);
		json_kv_u64(out, "oldest_us", j->oldest_usec);
	}
	json_kv_u64(out, "memory", j->memory_bytes);
	json_close(out, '}');
}
