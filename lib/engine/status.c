#include "engine/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Of a pass: sizes are those of the index, so that the sum of all is what is wanted. */
static void
add_pass(const struct read_stats *stats, struct engine_contents_status *s)
{
	uint64_t bytes = counter_get(&stats->n_bytes), files = counter_get(&stats->n_files);
	usec_t took = clock_mono() - stats->began_mono;

	s->done_files = s->n_files - MIN(stats->want_files, s->n_files) + files;
	s->done_bytes = s->n_bytes - MIN(stats->want_bytes, s->n_bytes) + bytes;
	if (took < USEC_PER_SEC / 2 || bytes == 0)
		return;
	s->bytes_per_sec = (uint64_t)((double)bytes * (double)USEC_PER_SEC / (double)took);
	if (s->bytes_per_sec > 0 && stats->want_bytes > bytes)
		s->left_usec = (uint64_t)((double)(stats->want_bytes - bytes) /
					  (double)s->bytes_per_sec * (double)USEC_PER_SEC);
}

static void
contents_status_locked(const struct root *r, struct engine_contents_status *ret)
{
	const struct contents_state *c = &r->contents;

	*ret = (struct engine_contents_status){
		.mode = r->cfg.content,
		.n_symbols = r->cfg.n_symbols,
		.phase = c->phase,
		.n_binary = c->n_binary,
		.n_unreadable = c->fates[READ_REFUSED] + c->fates[READ_GONE] +
	                        c->fates[READ_CHANGED] + c->fates[READ_FRESH],
		.n_segments = c->set ? c->set->n : 0,
	};
	for (uint32_t i = 0; i < ret->n_segments; i++)
		ret->segment_bytes += text_file_bytes(c->set->text[i]);
	if (c->view) {
		ret->n_files = c->view->sums.n_files;
		ret->n_bytes = c->view->sums.n_bytes;
		ret->n_too_large = c->view->sums.n_too_large;
		ret->done_files = ret->n_files - c->view->sums.n_pending;
		ret->done_bytes = ret->n_bytes - c->view->sums.pending_bytes;
	}
	if (c->stats)
		add_pass(c->stats, ret);
	(void)snprintf(ret->error, sizeof(ret->error), "%s", c->error);
}

static int
root_status_locked(const struct root *r, struct engine_root_status *ret)
{
	*ret = (struct engine_root_status){
		.id = r->id,
		.name = strdup(r->cfg.name),
		.path = strdup(r->path),
		.state = r->state,
		.n_entries = r->stack ? r->n_entries : 0,
		.n_layers = r->stack ? r->stack->n_layers : 0,
		.walked_usec = r->walked_usec,
		.walk_took_usec = r->walk_took_usec,
		.walk_entries = r->stats ? counter_get(&r->stats->n_entries) : 0,
		.expect_entries = r->n_entries,
	};
	for (uint32_t i = 0; i < ret->n_layers; i++)
		ret->segment_bytes += tree_file_bytes(r->stack->layer[i].tree);
	if (r->n_resting > 0)
		ret->paused = manners_word(manners_why_now(&r->engine->manners));
	memcpy(ret->skipped, r->skipped, sizeof(ret->skipped));
	(void)snprintf(ret->error, sizeof(ret->error), "%s", r->error);
	contents_status_locked(r, &ret->contents);
	live_status_locked(r, &ret->watch);
	return ret->name && ret->path ? 0 : -ENOMEM;
}

static struct engine_journal_status
journal_status(struct engine *e)
{
	struct catalog_journal j;

	catalog_get_journal(e->catalog, &j);
	return (struct engine_journal_status){
		.n_records = j.n_records,
		.n_bytes = j.n_bytes,
		.tick = j.tick,
		.floor = j.floor,
		.oldest_tick = j.oldest_tick,
		.oldest_usec = j.oldest_usec,
		.memory_bytes = ledger_bytes(&e->ledger),
	};
}

int
engine_status(struct engine *e, struct engine_status *ret)
{
	struct engine_status s = {
		.n_walks = counter_get(&e->n_walks),
		.n_commits = counter_get(&e->n_commits),
		.n_merges = counter_get(&e->n_merges),
		.n_batches = counter_get(&e->n_batches),
		.n_walk_waits = counter_get(&e->n_walk_waits),
		.n_build_waits = counter_get(&e->n_build_waits),
		.most_batch_bytes = counter_get(&e->most_batch_bytes),
	};
	int r = 0;

	engine_heal(e);
	live_get_watch(e->live, &s.watch);
	s.journal = journal_status(e);
	LOCK_SCOPE(&e->lock);
	s.n_syncs = live_n_syncs_locked(e->live);
	s.roots = calloc(e->roots.len + 1, sizeof(*s.roots));
	if (!s.roots)
		return -ENOMEM;
	for (; s.n_roots < e->roots.len && r == 0; s.n_roots++)
		r = root_status_locked(e->roots.data[s.n_roots], &s.roots[s.n_roots]);
	if (r < 0) {
		engine_status_fini(&s);
		return r;
	}
	*ret = s;
	return 0;
}

void
engine_status_fini(struct engine_status *s)
{
	for (size_t i = 0; i < s->n_roots; i++) {
		free(s->roots[i].name);
		free(s->roots[i].path);
	}
	free(s->roots);
	*s = (struct engine_status){0};
}
