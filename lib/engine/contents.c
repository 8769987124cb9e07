#include "engine/contents.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/internal.h"
#include "engine/reading.h"
#include "engine/text_commit.h"
#include "engine/text_merger.h"
#include "gram/symbol.h"

/* Numbers are not used again; when they come to an end, all is read again under new ones. */
#define LAST_CONTENT (TEXT_CONTENT_END - (1u << 28))

static void
forget_adopted(struct contents_state *c)
{
	for (uint32_t i = 0; i < c->n_adopted; i++)
		free(c->adopted[i].file);
	free(c->adopted);
	c->adopted = NULL;
	c->n_adopted = 0;
}

void
contents_fini(struct contents_state *c)
{
	forget_adopted(c);
	text_set_unref(c->set);
	text_view_unref(c->view);
	text_view_unref(c->tidied);
	files_fini(&c->files);
}

int
contents_adopt(struct root *r, const struct catalog_root *known)
{
	struct contents_state *c = &r->contents;

	c->adopted = calloc(known->n_texts + 1, sizeof(*c->adopted));
	if (!c->adopted)
		return -ENOMEM;
	for (uint32_t i = 0; i < known->n_texts; i++) {
		c->adopted[i] = known->texts[i];
		c->adopted[i].file = strdup(known->texts[i].file);
		if (!c->adopted[i].file) {
			forget_adopted(c);
			return -ENOMEM;
		}
		c->n_adopted++;
	}
	return 0;
}

/* What the configuration says now. */
struct settings {
	bool indexed;
	char name[128];
};

static struct settings
take_settings(struct root *r)
{
	struct settings s;

	LOCK_SCOPE(&r->engine->lock);
	s.indexed = r->cfg.content == SNAP_CONTENT_INDEX;
	(void)snprintf(s.name, sizeof(s.name), "%s", r->cfg.name);
	r->contents.n_symbols = r->cfg.n_symbols;
	r->contents.max_bytes = r->cfg.content_max_bytes ? r->cfg.content_max_bytes : UINT64_MAX;
	r->contents.wanted = false;
	r->contents.retry_at = 0;
	return s;
}

/* Opening what an earlier run has left. */

struct opened {
	struct text *texts[TEXT_SET_MAX];
	struct files files;
	uint32_t n;
};

static void
opened_fini(struct opened *o)
{
	for (uint32_t i = 0; i < o->n; i++)
		text_unref(o->texts[i]);
	files_fini(&o->files);
}

static void
report_dropped(struct root *r, const struct settings *s, const char *why)
{
	engine_event(r->engine, true,
		"could not use saved contents of root \"%s\": %s; they are read again", s->name,
		why);
}

static void
open_one(struct root *r, const struct settings *s, const struct catalog_text *known,
	struct opened *o)
{
	struct text_open_opts opts = {.pool = r->engine->io};
	struct err err = {0};

	/* Of another configuration, or another version of the symbols: not even wrong. */
	if (!s->indexed || known->n_symbols != r->contents.n_symbols ||
		known->symbols != symbols_sum(symbols_get()))
		return;
	if (text_open(r->engine->segment_fd, known->file, &opts, &o->texts[o->n], &err) < 0) {
		report_dropped(r, s, err.what);
		return;
	}
	o->files.name[o->files.n] = strdup(known->file);
	if (!o->files.name[o->files.n]) {
		text_unref(o->texts[o->n]);
		return;
	}
	o->files.n = ++o->n;
}

static struct text_set *
set_of(struct root *r, const struct settings *s, struct opened *o)
{
	struct text_set *set = NULL;
	struct err err = {0};

	if (o->n > 0 && text_set_create(o->texts, o->n, &set, &err) < 0) {
		report_dropped(r, s, err.what);
		files_fini(&o->files);
	}
	return set;
}

void
contents_open(struct root *r)
{
	struct contents_state *c = &r->contents;
	struct settings s = take_settings(r);
	AUTO(opened_fini) struct opened o = {0};
	struct files files;
	struct text_set *set;
	struct err err = {0};
	int code;

	if (c->n_adopted == 0)
		return;
	for (uint32_t i = 0; i < c->n_adopted; i++)
		open_one(r, &s, &c->adopted[i], &o);
	set = set_of(r, &s, &o);
	files = o.files;
	o.files = (struct files){0};
	code = text_commit_adopted(r, set, &files, files.n == c->n_adopted, &err);
	for (uint32_t i = 0; code == 0 && i < c->n_adopted; i++) {
		if (!files_have(&c->files, c->adopted[i].file))
			(void)unlinkat(r->engine->segment_fd, c->adopted[i].file, 0);
	}
	if (code < 0 && code != -ECANCELED)
		report_dropped(r, &s, err.what);
	forget_adopted(c);
}

/* Phases. */

static uint64_t
n_pending_locked(const struct root *r)
{
	return r->contents.view ? r->contents.view->sums.n_pending : 0;
}

void
contents_walked_locked(struct root *r, bool aimed)
{
	struct contents_state *c = &r->contents;

	lock_assert_held(&r->engine->lock);
	if (r->cfg.content != SNAP_CONTENT_INDEX)
		return;
	if (!aimed || n_pending_locked(r) > c->n_left + CONTENTS_FEW_FILES)
		c->phase = CONTENTS_READING;
}

bool
contents_wanted_locked(const struct root *r, usec_t *ret_at)
{
	const struct contents_state *c = &r->contents;

	*ret_at = c->retry_at ? c->retry_at : USEC_NEVER;
	return c->wanted || (c->retry_at && clock_mono() >= c->retry_at);
}

void
contents_changed_locked(struct root *r, struct text_view **ret_view)
{
	struct contents_state *c = &r->contents;

	lock_assert_held(&r->engine->lock);
	c->settings++;
	c->wanted = true;
	c->phase = r->cfg.content == SNAP_CONTENT_INDEX ? CONTENTS_READING : CONTENTS_OFF;
	if (c->view)
		*ret_view = TAKE_PTR(c->view);
	root_end_leisure_locked(r);
	cond_broadcast(&r->changed);
}

void
contents_inherit_locked(struct root *to, const struct root *from)
{
	const struct contents_state *old = &from->contents;

	if (!old->set || files_copy(&to->contents.files, old->files.name, old->files.n) < 0)
		return; /* all is read again */
	to->contents.set = text_set_ref(old->set);
	to->contents.next_content = old->next_content;
	if (old->view && to->cfg.content == from->cfg.content &&
		to->cfg.content_max_bytes == from->cfg.content_max_bytes)
		to->contents.view = text_view_ref(old->view);
}

static void
set_phase(struct root *r, enum contents_phase phase)
{
	LOCK_SCOPE(&r->engine->lock);
	r->contents.phase = phase;
	r->contents.n_left = n_pending_locked(r);
	r->contents.patience = 0;
	r->contents.error[0] = '\0';
}

/* It is tried again, after a time that doubles. */
static void
fail(struct root *r, const struct settings *s, enum contents_phase phase, const struct err *err)
{
	struct contents_state *c = &r->contents;
	bool said;

	{
		LOCK_SCOPE(&r->engine->lock);
		said = strcmp(c->error, err->what) == 0;
		c->phase = phase;
		c->patience =
			MIN(MAX(2 * c->patience, CONTENTS_RETRY_USEC), CONTENTS_RETRY_MAX_USEC);
		c->retry_at = clock_deadline(c->patience);
		(void)snprintf(c->error, sizeof(c->error), "%s", err->what);
	}
	if (!said)
		engine_event(r->engine, true,
			"could not go on with the contents of root \"%s\": %s; it is tried again",
			s->name, err->what);
}

static void
show_stats(struct root *r, struct read_stats *stats)
{
	LOCK_SCOPE(&r->engine->lock);
	r->contents.stats = stats;
}

/* A pass was ended: what it has found stays to be told. */
static void
note_fates(struct root *r, const struct read_stats *stats)
{
	LOCK_SCOPE(&r->engine->lock);
	for (unsigned i = 0; i < N_READ_FATES; i++)
		r->contents.fates[i] = counter_get(&stats->fates[i]);
}

/* Live files that are binary. */
static uint64_t
count_binary(const struct root *r, const struct text_view *v)
{
	static const struct hash128 hash = TEXT_BINARY_HASH;
	uint64_t n = 0;

	for (uint32_t i = 0; v->set && i < v->set->n; i++) {
		const struct text_cols *c = text_cols(v->set->text[i]);
		uint32_t doc, lo, hi;

		if (!text_find_hash(c, &hash, &doc))
			continue;
		for (uint32_t k = 0; k < v->n_layers; k++) {
			const struct text_map *m = v->map[k];

			for (text_map_entries(m, c->base + doc, &lo, &hi); lo < hi; lo++)
				n += !tree_is_dead(r->stack->layer[k].dead, m->by_content[lo]);
		}
	}
	return n;
}

static void
note_binary(struct root *r)
{
	struct text_view *v = text_view_now(r);
	uint64_t n = v ? count_binary(r, v) : 0;

	text_view_unref(v);
	LOCK_SCOPE(&r->engine->lock);
	r->contents.n_binary = n;
}

/* Work. */

/* A view of what there is, when none could be made before. */
static int
see(struct root *r, struct err *err)
{
	struct text_view *v = text_view_now(r);
	int code = v ? 0 : text_commit_view(r, err);

	text_view_unref(v);
	return code;
}

/* Can the segments not be used any more? The configuration wants others or none, the disk could not
 * give what they hold, or the numbers are used up. */
static bool
is_unwanted(struct root *r, const struct settings *s)
{
	const struct contents_state *c = &r->contents;

	if (text_set_faulted(c->set)) {
		report_dropped(r, s, "the disk could not be read");
		return true;
	}
	return !s->indexed || c->set->n_symbols != c->n_symbols || c->next_content >= LAST_CONTENT;
}

static int
drop_unwanted(struct root *r, const struct settings *s, struct err *err)
{
	struct contents_state *c = &r->contents;
	int code;

	if (!c->set || !is_unwanted(r, s))
		return 0;
	code = text_commit_none(r, err);
	if (code < 0 || c->next_content < LAST_CONTENT)
		return code;
	LOCK_SCOPE(&r->engine->lock);
	c->next_content = 0; /* all is pending in the view: nobody takes old numbers for new ones */
	return 0;
}

static int
read_pass(struct root *r, struct err *err)
{
	AUTO(freep) struct read_stats *stats = calloc(1, sizeof(*stats));
	int code;

	if (!stats)
		return err_set(
			err, -ENOMEM, "could not read the files of \"%s\": out of memory", r->path);
	stats->began_mono = clock_mono();
	show_stats(r, stats);
	code = reading_run(r, stats, err);
	show_stats(r, NULL);
	if (code == 0)
		note_fates(r, stats);
	return code;
}

/* Until all was tried. */
static int
read_all(struct root *r, struct err *err)
{
	int code = see(r, err);

	while (code == 0) {
		code = read_pass(r, err);
		if (code != -EAGAIN)
			break;
		code = text_merger_run(r, err);
	}
	return code;
}

void
contents_run(struct root *r)
{
	struct settings s = take_settings(r);
	struct err err = {0};
	int code = drop_unwanted(r, &s, &err);

	if (code == 0 && s.indexed && r->stack)
		code = read_all(r, &err);
	if (code == -ECANCELED)
		return;
	if (code < 0) {
		fail(r, &s, CONTENTS_FAILED, &err);
		return;
	}
	if (!s.indexed)
		return;
	if (r->stack)
		note_binary(r);
	set_phase(r, CONTENTS_DONE);
	code = text_merger_run(r, &err);
	if (code < 0 && code != -ECANCELED)
		fail(r, &s, CONTENTS_DONE, &err);
}
