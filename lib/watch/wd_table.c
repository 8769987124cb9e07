#include "watch/wd_table.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"

#define FIRST_SLOTS 64u
#define TAKEN_AWAY (-1)

/* Knuth's multiplier: numbers are consecutive, and the high bits of the product are spread. */
static size_t
wd_slot(const struct wd_table *t, int wd)
{
	return (size_t)(((uint32_t)wd * 2654435769u) >> 7) & (t->n_slots - 1);
}

static size_t
ino_slot(const struct wd_table *t, uint32_t mount, uint64_t ino)
{
	return (size_t)hash64(&ino, sizeof(ino), mount) & (t->n_slots - 1);
}

void
wd_table_fini(struct wd_table *t)
{
	free(t->rows);
	free(t->by_ino);
	*t = (struct wd_table){0};
}

/* The slot of wd, or the free one where it would be. Never full. */
static struct wd_row *
find_row(const struct wd_table *t, int wd)
{
	size_t at = wd_slot(t, wd);

	while (t->rows[at].wd != 0 && t->rows[at].wd != wd)
		at = (at + 1) & (t->n_slots - 1);
	return &t->rows[at];
}

const struct wd_row *
wd_table_find(const struct wd_table *t, int wd)
{
	struct wd_row *row = t->n_slots > 0 ? find_row(t, wd) : NULL;

	return row && row->wd != 0 ? row : NULL;
}

/* Where the number of the directory stands, or NULL; *ret_free: where it could be put. A number
 * that was removed leaves a mark behind, so every number here has a row. */
static int *
find_ino(const struct wd_table *t, uint32_t mount, uint64_t ino, int **ret_free)
{
	size_t at = ino_slot(t, mount, ino);

	*ret_free = NULL;
	for (;; at = (at + 1) & (t->n_slots - 1)) {
		int wd = t->by_ino[at];
		const struct wd_row *row;

		if (wd <= 0 && !*ret_free)
			*ret_free = &t->by_ino[at];
		if (wd == 0)
			return NULL;
		row = wd > 0 ? find_row(t, wd) : NULL;
		if (row && row->mount == mount && row->ino == ino)
			return &t->by_ino[at];
	}
}

int
wd_table_find_ino(const struct wd_table *t, uint32_t mount, uint64_t ino)
{
	int *unused, *at = t->n_slots > 0 ? find_ino(t, mount, ino, &unused) : NULL;

	return at ? *at : 0;
}

static void
put_ino(struct wd_table *t, const struct wd_row *row)
{
	int *place, *at = find_ino(t, row->mount, row->ino, &place);

	if (at) {
		*at = row->wd;
		return;
	}
	t->n_inos_used += *place == 0;
	*place = row->wd;
}

static int
rebuild(struct wd_table *t, size_t n_slots)
{
	struct wd_table n = {.n_slots = n_slots};

	n.rows = calloc(n_slots, sizeof(*n.rows));
	n.by_ino = calloc(n_slots, sizeof(*n.by_ino));
	if (!n.rows || !n.by_ino) {
		wd_table_fini(&n);
		return -ENOMEM;
	}
	for (size_t i = 0; i < t->n_slots; i++)
		if (t->rows[i].wd != 0) {
			*find_row(&n, t->rows[i].wd) = t->rows[i];
			n.n_rows++;
		}
	for (size_t i = 0; i < t->n_slots; i++)
		if (t->by_ino[i] > 0)
			put_ino(&n, find_row(&n, t->by_ino[i]));
	wd_table_fini(t);
	*t = n;
	return 0;
}

int
wd_table_reserve(struct wd_table *t)
{
	size_t used = MAX(t->n_rows, t->n_inos_used) + 1;

	if (used * 3 <= t->n_slots * 2)
		return 0;
	/* Marks of what was removed may be all that fills it. */
	if (t->n_slots > 0 && t->n_rows * 3 <= t->n_slots)
		return rebuild(t, t->n_slots);
	return rebuild(t, MAX(t->n_slots * 2, FIRST_SLOTS));
}

bool
wd_table_put(struct wd_table *t, struct wd_row row)
{
	struct wd_row *at = find_row(t, row.wd);
	bool is_new = at->wd == 0;

	if (!is_new && (at->mount != row.mount || at->ino != row.ino)) {
		wd_table_remove(t, row.wd);
		at = find_row(t, row.wd);
		is_new = true;
	}
	t->n_rows += is_new;
	*at = row;
	put_ino(t, &row);
	return is_new;
}

/* Rows behind the hole move into it when that is nearer to where they belong (Knuth 6.4, R). */
static void
close_hole(struct wd_table *t, size_t hole)
{
	size_t mask = t->n_slots - 1;

	for (size_t at = (hole + 1) & mask; t->rows[at].wd != 0; at = (at + 1) & mask) {
		size_t home = wd_slot(t, t->rows[at].wd);

		if (((at - home) & mask) < ((at - hole) & mask))
			continue;
		t->rows[hole] = t->rows[at];
		t->rows[at].wd = 0;
		hole = at;
	}
}

bool
wd_table_remove(struct wd_table *t, int wd)
{
	struct wd_row *row = t->n_slots > 0 ? find_row(t, wd) : NULL;
	int *unused, *at;

	if (!row || row->wd == 0)
		return false;
	at = find_ino(t, row->mount, row->ino, &unused);
	if (at && *at == wd)
		*at = TAKEN_AWAY;
	row->wd = 0;
	t->n_rows--;
	close_hole(t, (size_t)(row - t->rows));
	return true;
}
