#include "walk/aim.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/arena.h"
#include "base/hash.h"

#define FIRST_SLOTS 16u /* a power of two */
#define FIRST_BYTES 1024u

struct walk_aim {
	struct arena arena; /* of nodes */
	struct aim_node *root;
	uint64_t n; /* nodes but the root */
	/* By the node that it is in and its name; open addressing, at most half full. */
	struct aim_slot {
		uint64_t hash;
		struct aim_node *node; /* NULL: free */
	} * slots;
	size_t n_slots;
	uint64_t seed; /* names are users' */
};

static struct aim_node *
make_node(struct walk_aim *a, struct aim_node *in, struct span name)
{
	struct aim_node *node = arena_zalloc(&a->arena, sizeof(*node) + name.len + 1);

	if (!node)
		return NULL;
	node->parent = in;
	node->len = (uint16_t)name.len;
	if (name.len > 0)
		memcpy(node->name, name.data, name.len);
	return node;
}

int
aim_create(struct walk_aim **ret)
{
	struct walk_aim *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->arena.chunk_bytes = FIRST_BYTES;
	/* Without randomness it is only slower with names that were made for that. */
	if (getrandom(&a->seed, sizeof(a->seed), GRND_NONBLOCK) < 0)
		a->seed = (uintptr_t)a;
	a->root = make_node(a, NULL, (struct span){0});
	if (!a->root) {
		aim_destroy(a);
		return -ENOMEM;
	}
	*ret = a;
	return 0;
}

void
aim_destroy(struct walk_aim *a)
{
	if (!a)
		return;
	arena_fini(&a->arena);
	free(a->slots);
	free(a);
}

static uint64_t
hash_of(const struct walk_aim *a, const struct aim_node *in, struct span name)
{
	return hash64(name.data, name.len, a->seed ^ (uintptr_t)in);
}

/* Where it is, or would be. */
static struct aim_slot *
slot_of(const struct walk_aim *a, const struct aim_node *in, struct span name, uint64_t hash)
{
	for (uint64_t h = hash;; h++) {
		struct aim_slot *slot = &a->slots[h & (a->n_slots - 1)];
		const struct aim_node *node = slot->node;

		if (!node || (slot->hash == hash && node->parent == in && node->len == name.len &&
				     memcmp(node->name, name.data, name.len) == 0))
			return slot;
	}
}

static int
grow(struct walk_aim *a)
{
	struct walk_aim more = *a;

	more.n_slots = a->n_slots ? 2 * a->n_slots : FIRST_SLOTS;
	more.slots = calloc(more.n_slots, sizeof(*more.slots));
	if (!more.slots)
		return -ENOMEM;
	for (size_t i = 0; i < a->n_slots; i++) {
		struct aim_node *node = a->slots[i].node;

		if (node)
			*slot_of(&more, node->parent, (struct span){node->name, node->len},
				a->slots[i].hash) = a->slots[i];
	}
	free(a->slots);
	*a = more;
	return 0;
}

/* The node of a name, which is made if need be; NULL: out of memory. */
static struct aim_node *
have_node(struct walk_aim *a, struct aim_node *in, struct span name)
{
	uint64_t hash = hash_of(a, in, name);
	struct aim_slot *slot;

	if (a->n * 2 >= a->n_slots && grow(a) < 0)
		return NULL;
	slot = slot_of(a, in, name, hash);
	if (slot->node)
		return slot->node;
	*slot = (struct aim_slot){hash, make_node(a, in, name)};
	if (!slot->node)
		return NULL;
	slot->node->next = in->kids;
	in->kids = slot->node;
	in->n_kids++;
	a->n++;
	/* Many names: fewer chunks. */
	a->arena.chunk_bytes = MIN(MAX(a->arena.total_bytes, (size_t)FIRST_BYTES), 1u << 16);
	return slot->node;
}

/* The first component, which is cut off with the slash behind it. */
static struct span
take_component(struct span *path)
{
	const char *slash = memchr(path->data, '/', path->len);
	size_t len = slash ? (size_t)(slash - path->data) : path->len;
	struct span name = {path->data, len};

	path->data += len + (slash != NULL);
	path->len -= len + (slash != NULL);
	return name;
}

static bool
is_name(struct span name)
{
	return name.len > 0 && name.len <= UINT16_MAX && !span_eq(name, SPAN_LIT(".")) &&
	       !span_eq(name, SPAN_LIT("..")) && !memchr(name.data, '\0', name.len);
}

static bool
is_path(struct span path)
{
	if (path.len > 0 && path.data[path.len - 1] == '/')
		return false;
	while (path.len > 0)
		if (!is_name(take_component(&path)))
			return false;
	return true;
}

int
aim_add(struct walk_aim *a, struct span path, enum aim_how how)
{
	struct aim_node *node = a->root;

	if (!is_path(path))
		return -EINVAL;
	while (path.len > 0 && node->how != AIM_DEEP) {
		node = have_node(a, node, take_component(&path));
		if (!node)
			return -ENOMEM;
	}
	node->how = MAX(node->how, how);
	return 0;
}

bool
aim_has(const struct walk_aim *a, struct span path)
{
	const struct aim_node *node = a->root;

	while (node && node->how != AIM_DEEP && path.len > 0)
		node = aim_find(a, node, take_component(&path));
	return node;
}

uint64_t
aim_count(const struct walk_aim *a)
{
	return a->n;
}

size_t
aim_bytes(const struct walk_aim *a)
{
	return sizeof(*a) + a->arena.total_bytes + a->n_slots * sizeof(a->slots[0]);
}

const struct aim_node *
aim_root(const struct walk_aim *a)
{
	return a->root;
}

const struct aim_node *
aim_find(const struct walk_aim *a, const struct aim_node *in, struct span name)
{
	if (a->n_slots == 0)
		return NULL;
	return slot_of(a, in, name, hash_of(a, in, name))->node;
}
