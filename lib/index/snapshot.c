#include "index/snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "index/snapshot_link.h"
#include "sync/lock.h"

/* Guards the list of all snapshots, from create to fini: making and ending them is rare. */
static struct lock live_lock = LOCK_INITIALIZER(RANK_LEAF, "snapshots");
static struct list live = LIST_INIT(live);

static void
enlist(struct snapshot *s)
{
	LOCK_SCOPE(&live_lock);

	s->created = clock_mono();
	list_push_back(&live, &s->live);
}

static void
delist(struct snapshot *s)
{
	LOCK_SCOPE(&live_lock);

	list_remove(&s->live);
}

/* A snapshot whose count is zero is readable as long as it is in the list. */
void
snapshot_get_stats(struct snapshot_stats *ret)
{
	struct snapshot_stats st = {0};

	LOCK_SCOPE(&live_lock);
	LIST_EACH (&live, link)
		st.n_live++;
	if (st.n_live > 1) {
		const struct snapshot *oldest = LIST_ITEM(live.next, struct snapshot, live);

		st.stale_since = LIST_ITEM(oldest->live.next, struct snapshot, live)->created;
		st.stale_refs = arc_refs(&oldest->shared.arc);
	}
	*ret = st;
}

static void
snapshot_fini(struct shared *shared)
{
	struct snapshot *s = CONTAINER_OF(shared, struct snapshot, shared);

	delist(s);
	snap_links_fini(s->links);
	for (uint32_t i = 0; i < s->n_roots; i++) {
		free(s->roots[i].name);
		free(s->roots[i].path);
		text_view_unref(s->roots[i].view);
		tree_stack_unref(s->roots[i].stack);
	}
}

static void
snapshot_release(struct shared *shared)
{
	free(CONTAINER_OF(shared, struct snapshot, shared));
}

struct snapshot *
snapshot_create(uint32_t n_roots)
{
	size_t roots_bytes = n_roots * sizeof(struct snap_root);
	size_t layers_bytes = (size_t)n_roots * TREE_MAX_LAYERS * sizeof(struct snap_layer);
	struct snapshot *s =
		calloc(1, sizeof(*s) + sizeof(struct snap_links) + roots_bytes + layers_bytes);

	if (!s)
		return NULL;
	s->n_roots = n_roots;
	s->links = (struct snap_links *)(s + 1);
	s->roots = (struct snap_root *)(s->links + 1);
	s->layers = (struct snap_layer *)(s->roots + n_roots);
	shared_init(&s->shared, snapshot_fini, snapshot_release);
	enlist(s);
	return s;
}

void
snapshot_seal(struct snapshot *s)
{
	s->n_layers = 0;
	for (uint32_t i = 0; i < s->n_roots; i++) {
		struct snap_root *r = &s->roots[i];

		assert(!r->view || (r->stack && r->view->n_layers == r->stack->n_layers));
		r->first_layer = s->n_layers;
		for (uint32_t k = 0; r->stack && k < r->stack->n_layers; k++)
			s->layers[s->n_layers++] = (struct snap_layer){.root = i,
				.layer = k,
				.tree = r->stack->layer[k].tree,
				.dead = r->stack->layer[k].dead,
				.map = r->view ? r->view->map[k] : NULL};
	}
}

struct snapshot *
snapshot_ref(struct snapshot *s)
{
	arc_get(&s->shared.arc);
	return s;
}

void
snapshot_unref(struct snapshot *s)
{
	if (s)
		arc_put(&s->shared.arc);
}

const char *
snapshot_clock(const struct snapshot *s, char buf[SNAPSHOT_CLOCK_BYTES])
{
	(void)snprintf(buf, SNAPSHOT_CLOCK_BYTES, "c:%" PRIx64 ":%" PRIu64 ":%" PRIu64, s->instance,
		s->epoch, s->tick);
	return buf;
}

static uint64_t
add_number(uint64_t sum, uint64_t n)
{
	return hash64(&n, sizeof(n), sum);
}

static uint64_t
add_texts(uint64_t sum, const struct text_set *set)
{
	for (uint32_t i = 0; set && i < set->n; i++) {
		const struct text_cols *c = text_cols(set->text[i]);

		sum = add_number(sum, (uint64_t)c->base << 32 | c->n_docs);
	}
	return sum;
}

uint64_t
snapshot_layout(const struct snapshot *s, bool contents)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < s->n_layers; i++) {
		const struct snap_layer *l = &s->layers[i];

		sum = add_number(sum, tree_header_sum(l->tree));
		if (contents)
			sum = add_number(sum, l->map ? l->map->all.n_pending : UINT64_MAX);
	}
	for (uint32_t i = 0; contents && i < s->n_roots; i++) {
		if (s->roots[i].view)
			sum = add_texts(sum, s->roots[i].view->set);
	}
	return sum;
}

/* The text before the next colon, which goes from *rest. */
static struct span
take_part(struct span *rest)
{
	const char *colon = memchr(rest->data, ':', rest->len);
	struct span part = {rest->data, colon ? (size_t)(colon - rest->data) : rest->len};
	size_t used = part.len + (colon != NULL);

	*rest = (struct span){rest->data + used, rest->len - used};
	return part;
}

/* As it is printed: small letters. */
static int
parse_hex(struct span s, uint64_t *ret)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t n = 0;

	if (s.len == 0 || s.len > 16)
		return -EINVAL;
	for (size_t i = 0; i < s.len; i++) {
		const char *at = s.data[i] ? strchr(digits, s.data[i]) : NULL;

		if (!at)
			return -EINVAL;
		n = n << 4 | (uint64_t)(at - digits);
	}
	*ret = n;
	return 0;
}

int
snapshot_clock_parse(
	struct span text, uint64_t *ret_instance, uint64_t *ret_epoch, uint64_t *ret_tick)
{
	struct span rest = text;

	if (text.len == 0 || !span_eq(take_part(&rest), SPAN_LIT("c")) ||
		parse_hex(take_part(&rest), ret_instance) < 0 ||
		parse_u64(take_part(&rest), ret_epoch) < 0 || parse_u64(rest, ret_tick) < 0)
		return -EINVAL;
	return 0;
}

bool
snapshot_faulted(const struct snapshot *s)
{
	for (uint32_t i = 0; i < s->n_layers; i++) {
		if (tree_faulted(s->layers[i].tree))
			return true;
	}
	for (uint32_t i = 0; i < s->n_roots; i++) {
		const struct text_view *v = s->roots[i].view;

		if (v && v->set && text_set_faulted(v->set))
			return true;
	}
	return false;
}

int
snapshot_path(const struct snapshot *s, uint32_t layer, uint32_t entry, struct strbuf *out)
{
	const struct snap_root *r = snapshot_root(s, layer);
	int error = strbuf_puts(out, r->path);

	/* "/" is the one root whose path ends in a slash already. */
	if (error == 0 && entry != 0 && !span_eq(span_of(r->path), SPAN_LIT("/")))
		error = strbuf_putc(out, '/');
	if (error == 0)
		error = tree_path(snapshot_cols(s, layer), entry, out);
	return error;
}

/* Length of the root's path when `path` is it or below it, with whole components; else -1. */
static ssize_t
root_prefix(const struct snap_root *r, struct span path)
{
	struct span root = span_of(r->path);

	if (span_eq(root, SPAN_LIT("/")))
		root.len = 0;
	if (!span_starts(path, root) || (path.len > root.len && path.data[root.len] != '/'))
		return -1;
	return (ssize_t)root.len;
}

int
snapshot_lookup(
	const struct snapshot *s, struct span path, uint32_t *ret_layer, uint32_t *ret_entry)
{
	const struct snap_root *best = NULL;
	ssize_t best_len = -1;
	struct tree_at at;

	if (path.len == 0 || path.data[0] != '/')
		return -ENOENT;
	for (uint32_t i = 0; i < s->n_roots; i++) {
		ssize_t len = root_prefix(&s->roots[i], path);

		if (len > best_len) {
			best = &s->roots[i];
			best_len = len;
		}
	}
	if (!best || !best->stack)
		return -ENOENT;
	path.data += best_len;
	path.len -= (size_t)best_len;
	if (tree_stack_lookup(best->stack, path, &at) < 0)
		return -ENOENT;
	*ret_layer = best->first_layer + at.layer;
	*ret_entry = at.entry;
	return 0;
}
