/*
 * api: the answers that only the whole daemon can give, as callbacks of the server.
 */
#include "api_watch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"
#include "query/field.h"
#include "query/hash_cache.h"
#include "sync/registry.h"

static const char *const state_words[] = {
	[ROOT_NEW] = "new",
	[ROOT_INDEXING] = "indexing",
	[ROOT_READY] = "ready",
	[ROOT_FAILED] = "failed",
};

static struct snapshot *
on_snapshot(void *ctx)
{
	struct daemon *d = ctx;

	return engine_snapshot(d->engine);
}

static void
put_skipped(struct json *out, const uint64_t skipped[N_WALK_SKIPS])
{
	json_key(out, "skipped");
	json_open(out, '{');
	for (unsigned i = 1; i < N_WALK_SKIPS; i++) {
		if (skipped[i] > 0)
			json_kv_u64(out, walk_skip_word((enum walk_skip)i), skipped[i]);
	}
	json_close(out, '}');
}

static const char *const content_words[] = {
	[SNAP_CONTENT_OFF] = "no", [SNAP_CONTENT_SCAN] = "scan", [SNAP_CONTENT_INDEX] = "yes"};
static const char *const phase_words[] = {
	[CONTENTS_OFF] = "off",
	[CONTENTS_READING] = "reading",
	[CONTENTS_DONE] = "ready",
	[CONTENTS_FAILED] = "failed",
};

static void
put_contents(struct json *out, const struct engine_contents_status *c)
{
	json_key(out, "content");
	json_open(out, '{');
	json_kv_cstr(out, "mode", content_words[c->mode]);
	json_kv_cstr(out, "state", phase_words[c->phase]);
	if (c->mode == SNAP_CONTENT_INDEX) {
		json_kv_u64(out, "gram", c->n_symbols);
		json_kv_u64(out, "files", c->n_files);
		json_kv_u64(out, "bytes", c->n_bytes);
		json_kv_u64(out, "files_done", c->done_files);
		json_kv_u64(out, "bytes_done", c->done_bytes);
		json_kv_u64(out, "bytes_per_s", c->bytes_per_sec);
		json_kv_u64(out, "left_us", c->left_usec);
		json_kv_u64(out, "unreadable", c->n_unreadable);
		json_kv_u64(out, "binary", c->n_binary);
		json_kv_u64(out, "too_large", c->n_too_large);
		json_kv_u64(out, "segments", c->n_segments);
		json_kv_u64(out, "segment_bytes", c->segment_bytes);
	}
	if (c->error[0])
		json_kv_cstr(out, "error", c->error);
	json_close(out, '}');
}

static void
put_root(struct json *out, const struct engine_root_status *r)
{
	json_open(out, '{');
	json_kv_u64(out, "id", r->id);
	json_kv_cstr(out, "name", r->name);
	json_kv_cstr(out, "path", r->path);
	json_kv_cstr(out, "state", state_words[r->state]);
	json_kv_u64(out, "entries", r->n_entries);
	json_kv_u64(out, "bytes", r->segment_bytes);
	json_kv_u64(out, "layers", r->n_layers);
	json_kv_u64(out, "walked_us", r->walked_usec);
	json_kv_u64(out, "took_us", r->walk_took_usec);
	json_kv_u64(out, "walk_entries", r->walk_entries);
	json_kv_u64(out, "expect_entries", r->expect_entries);
	if (r->paused)
		json_kv_cstr(out, "paused", r->paused);
	api_put_root_watch(out, &r->watch);
	put_contents(out, &r->contents);
	put_skipped(out, r->skipped);
	if (r->error[0])
		json_kv_cstr(out, "error", r->error);
	json_close(out, '}');
}

static void
engine_status_finip(struct engine_status *s)
{
	engine_status_fini(s);
}

static void
put_roots(struct json *out, const struct engine_status *s)
{
	json_key(out, "roots");
	json_open(out, '[');
	for (size_t i = 0; i < s->n_roots; i++)
		put_root(out, &s->roots[i]);
	json_close(out, ']');
}

static int
list_roots(struct daemon *d, struct engine_status *ret, struct err *err)
{
	int r = engine_status(d->engine, ret);

	return r < 0 ? err_set(err, r, "could not list the roots: %s", err_reason(r)) : 0;
}

static int
on_roots(void *ctx, struct json *out, struct err *err)
{
	AUTO(engine_status_finip) struct engine_status s = {0};
	int r = list_roots(ctx, &s, err);

	if (r == 0)
		put_roots(out, &s);
	return r;
}

static void
put_server(struct json *out, const struct daemon *d)
{
	struct server_stats s;

	server_get_stats(d->server, &s);
	json_key(out, "server");
	json_open(out, '{');
	json_kv_u64(out, "connections", s.n_connections);
	json_kv_u64(out, "accepted", s.n_accepted);
	json_kv_u64(out, "requests", s.n_requests);
	json_kv_u64(out, "running", s.n_running);
	json_kv_u64(out, "waiting", s.n_waiting);
	json_kv_u64(out, "subscriptions", s.n_subscriptions);
	json_kv_u64(out, "since", s.n_since);
	json_kv_u64(out, "gaps", s.n_gaps);
	json_kv_u64(out, "denied", s.n_denied);
	json_kv_u64(out, "errors", s.n_errors);
	json_kv_u64(out, "rows", s.n_rows);
	json_kv_u64(out, "bytes_out", s.n_bytes_out);
	json_kv_u64(out, "dropped_stalled", s.n_dropped_stalled);
	json_kv_u64(out, "mails", s.n_mails);
	json_kv_u64(out, "mail_waits", s.n_mail_waits);
	json_kv_u64(out, "most_mails", s.most_mails);
	json_kv_u64(out, "rests", s.n_rests);
	json_close(out, '}');
}

/* What cannot be freed yet, and who sees to that. */
static void
put_readers(struct json *out)
{
	struct snapshot_stats snap;
	struct epoch_stats epoch;
	usec_t now;

	snapshot_get_stats(&snap);
	epoch_get_stats(&epoch);
	now = clock_mono();
	json_key(out, "snapshots");
	json_open(out, '{');
	json_kv_u64(out, "live", snap.n_live);
	json_kv_u64(out, "stale_us", snap.stale_since ? now - snap.stale_since : 0);
	json_kv_u64(out, "stale_holders", (uint64_t)snap.stale_refs);
	json_close(out, '}');
	json_key(out, "epoch");
	json_open(out, '{');
	json_kv_u64(out, "deferred", epoch.n_deferred);
	json_kv_u64(out, "freed", epoch.n_freed);
	if (epoch.stalled_tid) {
		json_kv_cstr(out, "stalled", epoch.stalled_name);
		json_kv_u64(out, "stalled_us", now - epoch.stalled_since);
	}
	json_close(out, '}');
}

/* Who runs: how many, and the names of those who are not waiting for work, this one among them. */
static void
put_threads(struct json *out)
{
	struct thread_info threads[64];
	size_t n = registry_list(threads, ARRAY_LEN(threads));

	json_key(out, "threads");
	json_open(out, '{');
	json_kv_u64(out, "running", n);
	json_key(out, "busy");
	json_open(out, '[');
	for (size_t i = 0; i < MIN(n, ARRAY_LEN(threads)); i++) {
		if (!threads[i].idle)
			json_cstr(out, threads[i].name);
	}
	json_close(out, ']');
	json_close(out, '}');
}

static void
put_pipeline(struct json *out, const struct engine_status *s)
{
	json_key(out, "pipeline");
	json_open(out, '{');
	json_kv_u64(out, "walks", s->n_walks);
	json_kv_u64(out, "commits", s->n_commits);
	json_kv_u64(out, "merges", s->n_merges);
	json_kv_u64(out, "batches", s->n_batches);
	json_kv_u64(out, "walk_waits", s->n_walk_waits);
	json_kv_u64(out, "build_waits", s->n_build_waits);
	json_kv_u64(out, "most_bytes", s->most_batch_bytes);
	json_close(out, '}');
}

static void
put_pool(struct json *out, const char *name, const struct pool *p)
{
	struct pool_stats s;

	pool_get_stats(p, &s);
	json_key(out, name);
	json_open(out, '{');
	json_kv_u64(out, "threads", s.n_threads);
	json_kv_u64(out, "busy", s.n_busy);
	json_kv_u64(out, "waiting", s.n_waiting);
	json_kv_u64(out, "query_tasks", s.n_run[TASK_QUERY]);
	json_kv_u64(out, "index_tasks", s.n_run[TASK_INDEX]);
	json_kv_u64(out, "stolen", s.n_stolen);
	json_kv_u64(out, "sleeps", s.n_sleeps);
	json_close(out, '}');
}

/* Of files that were compared. */
static void
put_hashes(struct json *out, struct hash_cache *c)
{
	struct hash_cache_stats s;

	hash_cache_get_stats(c, &s);
	json_key(out, "hashes");
	json_open(out, '{');
	json_kv_u64(out, "kept", s.n_hashes);
	json_kv_u64(out, "bytes", s.n_bytes);
	json_kv_u64(out, "max_bytes", s.max_bytes);
	json_kv_u64(out, "found", s.n_found);
	json_kv_u64(out, "missed", s.n_missed);
	json_kv_u64(out, "forgotten", s.n_forgotten);
	json_close(out, '}');
}

static void
put_memory(struct json *out)
{
	struct memory_stats m;

	memory_get_stats(&m);
	json_key(out, "memory");
	json_open(out, '{');
	json_kv_u64(out, "rss", m.rss_bytes);
	json_kv_u64(out, "anon", m.anon_bytes);
	json_kv_u64(out, "file", m.file_bytes);
	if (m.has_jemalloc) {
		json_key(out, "jemalloc");
		json_open(out, '{');
		json_kv_u64(out, "allocated", m.allocated_bytes);
		json_kv_u64(out, "active", m.active_bytes);
		json_kv_u64(out, "mapped", m.mapped_bytes);
		json_kv_u64(out, "retained", m.retained_bytes);
		json_close(out, '}');
	}
	json_close(out, '}');
}

static int
on_status(void *ctx, struct json *out, struct err *err)
{
	struct daemon *d = ctx;
	AUTO(engine_status_finip) struct engine_status engine = {0};
	struct snapshot *s;
	char clock[SNAPSHOT_CLOCK_BYTES];
	int r = list_roots(d, &engine, err);

	if (r < 0)
		return r;
	s = engine_snapshot(d->engine);
	json_kv_cstr(out, "version", TRAWL_VERSION);
	json_kv_u64(out, "pid", (uint64_t)getpid());
	json_kv_u64(out, "uptime_us", clock_mono() - d->started_mono);
	json_kv_cstr(out, "clock", snapshot_clock(s, clock));
	json_kv_cstr(out, "state_dir", d->state_dir);
	snapshot_unref(s);
	put_server(out, d);
	json_key(out, "pools");
	json_open(out, '{');
	put_pool(out, "compute", d->compute);
	put_pool(out, "io", d->io);
	put_pool(out, "humble", engine_humble(d->engine));
	json_close(out, '}');
	put_pipeline(out, &engine);
	api_put_watch(out, &engine);
	api_put_journal(out, &engine);
	put_readers(out);
	put_threads(out);
	put_hashes(out, d->hashes);
	put_memory(out);
	put_roots(out, &engine);
	return 0;
}

/* The kernel would look at what stands before the NUL, which is another path. */
static int
check_path(struct span path, struct err *err)
{
	if (memchr(path.data, '\0', path.len))
		return err_set(err, -EINVAL, "a path cannot hold a NUL byte");
	return 0;
}

static int
on_why(void *ctx, struct span path, struct json *out, struct err *err)
{
	struct daemon *d = ctx;
	struct engine_why w = {0};
	int r = check_path(path, err);

	if (r == 0)
		r = engine_why(d->engine, path, &w, err);
	if (r < 0)
		return r;
	json_kv_str(out, "path", path);
	json_kv_bool(out, "indexed", w.indexed);
	json_kv_bool(out, "exists", w.verdict.exists);
	json_kv_cstr(out, "reason", walk_skip_word(w.verdict.skip));
	json_kv_cstr(out, "text", walk_skip_sentence(w.verdict.skip));
	json_key(out, "at"); /* what the reason is about, relative to the root */
	json_u64(out, w.verdict.at);
	if (w.verdict.rule[0])
		json_kv_cstr(out, "rule", w.verdict.rule);
	if (w.verdict.source[0])
		json_kv_cstr(out, "source", w.verdict.source);
	json_kv_cstr(out, "root", w.root_name);
	json_kv_cstr(out, "root_path", w.root_path);
	json_kv_cstr(out, "content", w.content);
	engine_why_fini(&w);
	return 0;
}

/* As in rows: nanoseconds are a string, because many readers of JSON round numbers to 53 bits. */
static void
put_value(struct json *out, enum field_kind kind, struct span text, int64_t number)
{
	char digits[24];

	switch (kind) {
	case FIELD_TEXT:
		json_str(out, text);
		return;
	case FIELD_NUMBER:
		json_i64(out, number);
		return;
	case FIELD_TIME:
		(void)snprintf(digits, sizeof(digits), "%" PRId64, number);
		json_cstr(out, digits);
		return;
	}
}

static int
put_fields(const struct snapshot *s, uint32_t layer, uint32_t entry, struct json *out)
{
	AUTO(strbuf_fini) struct strbuf text = {0};

	for (unsigned f = 0; f < N_FIELDS; f++) {
		int64_t number = 0;
		int r;

		strbuf_reset(&text);
		r = field_value(s, layer, entry, (enum field)f, &text, &number);
		if (r < 0)
			return r;
		json_key(out, field_word((enum field)f));
		put_value(out, field_kind((enum field)f), strbuf_view(&text), number);
	}
	return 0;
}

static int
on_stat(void *ctx, struct snapshot *s, struct span path, struct json *out, struct err *err)
{
	uint32_t layer, entry;
	int r = check_path(path, err);

	(void)ctx;
	if (r < 0)
		return r;
	while (path.len > 1 && path.data[path.len - 1] == '/')
		path.len--;
	r = snapshot_lookup(s, path, &layer, &entry);
	if (r < 0)
		return err_set(err, -ENOENT, "\"%.*s\" is not in the index",
			(int)MIN(path.len, 150u), path.data);
	r = put_fields(s, layer, entry, out);
	return r < 0 ? err_set(err, r, "could not show the entry: %s", err_reason(r)) : 0;
}

static int
on_rescan(void *ctx, const char *root, struct err *err)
{
	struct daemon *d = ctx;

	return engine_rescan(d->engine, root, err);
}

static int
on_reload(void *ctx, server_done done, void *arg, struct err *err)
{
	return reload_begin(ctx, done, arg, err);
}

struct changes_told {
	int (*fn)(void *arg, uint32_t root, struct span records);
	void *arg;
};

static int
tell_batch(void *ctx, const struct engine_batch *b)
{
	const struct changes_told *told = ctx;

	return told->fn(told->arg, b->root, b->records);
}

static int
on_changes(void *ctx, struct span clock, const struct snapshot *s,
	int (*fn)(void *arg, uint32_t root, struct span records), void *arg, struct err *err)
{
	struct changes_told told = {fn, arg};
	struct engine_clock since;
	struct daemon *d = ctx;

	if (snapshot_clock_parse(clock, &since.instance, &since.epoch, &since.tick) < 0) {
		(void)err_set(
			err, -EINVAL, "'%.*s' is no clock", (int)MIN(clock.len, 64u), clock.data);
		return err_hint(err, "it is the \"clock\" of an answer, as c:7f3a:12:97");
	}
	return engine_changes(d->engine, &since, s->tick, tell_batch, &told, err);
}

static void
on_clock(void *ctx, const struct snapshot *s, struct strbuf *out)
{
	char clock[SNAPSHOT_CLOCK_BYTES];

	(void)ctx;
	(void)strbuf_puts(out, snapshot_clock(s, clock));
}

static void
on_stale(void *ctx, const struct snapshot *s, struct json *out)
{
	(void)ctx;
	for (uint32_t i = 0; i < s->n_roots; i++) {
		if (s->roots[i].stale)
			json_cstr(out, s->roots[i].name);
	}
}

void
api_fill(struct server_ops *ops, struct daemon *d)
{
	*ops = (struct server_ops){
		.ctx = d,
		.snapshot = on_snapshot,
		.status = on_status,
		.roots = on_roots,
		.why = on_why,
		.stat = on_stat,
		.rescan = on_rescan,
		.reload = on_reload,
		.changes = on_changes,
		.sync = api_sync,
		.clock = on_clock,
		.stale = on_stale,
		.hashes = d->hashes,
	};
}
