#include "catalog/rows.h"

#include <errno.h>
#include <string.h>

#include "base/vec.h"

int
rows_no_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "could not use the catalog: %s", err_reason(-ENOMEM));
}

int
rows_no_root(uint32_t id, struct err *err)
{
	return err_set(err, -ENOENT, "the catalog has no root number %u", id);
}

static void
root_fini(struct catalog_root *r)
{
	for (uint32_t i = 0; i < r->n_texts; i++)
		free(r->texts[i].file);
	free(r->texts);
	for (uint32_t i = 0; i < r->n_segments; i++)
		free(r->segments[i]);
	free(r->path);
	free(r->skipped);
}

bool
catalog_names(const struct catalog_root *r, const char *file)
{
	for (uint32_t i = 0; i < r->n_segments; i++) {
		if (strcmp(r->segments[i], file) == 0)
			return true;
	}
	for (uint32_t i = 0; i < r->n_texts; i++) {
		if (strcmp(r->texts[i].file, file) == 0)
			return true;
	}
	return false;
}

/* The root of the row; its rows follow each other. NULL: out of memory. */
static struct catalog_root *
root_of_row(struct db_query *q, struct catalog_roots *to, size_t *cap)
{
	struct catalog_root row = {
		.id = (uint32_t)db_u64(q, 0),
		.settings = db_u64(q, 2),
		.n_entries = db_u64(q, 3),
		.walked_usec = db_u64(q, 4),
		.tick = db_u64(q, 5),
	};

	if (to->len > 0 && to->data[to->len - 1].id == row.id)
		return &to->data[to->len - 1];
	if (db_copy(q, 1, &row.path) < 0 || db_copy(q, 6, &row.skipped) < 0 ||
		vec_reserve((void **)&to->data, to->len, cap, 1, sizeof(row)) < 0) {
		root_fini(&row);
		return NULL;
	}
	to->data[to->len] = row;
	return &to->data[to->len++];
}

static int
read_layer(
	struct db *db, struct db_query *q, struct catalog_roots *to, size_t *cap, struct err *err)
{
	struct catalog_root *root = root_of_row(q, to, cap);
	char *file = NULL;

	if (!root || db_copy(q, 7, &file) < 0)
		return rows_no_memory(err);
	if (!file)
		return 0;
	if (root->n_segments == CATALOG_MAX_SEGMENTS) {
		free(file);
		return db_damaged(db, err);
	}
	root->n_synced += root->n_synced == root->n_segments && db_u64(q, 8) != 0;
	root->segments[root->n_segments++] = file;
	return 0;
}

static int
read_layers(struct db *db, struct catalog_roots *ret, struct err *err)
{
	AUTO(db_endp) struct db_query *q = NULL;
	size_t cap = 0;
	int r = db_query(db,
		"SELECT id, path, settings, n_entries, walked_usec, tick, skipped, file, synced "
		"FROM root"
		" LEFT JOIN walk ON walk.root = id LEFT JOIN layer ON layer.root = id"
		" ORDER BY id, at",
		&q, err);

	while (r == 0 && (r = db_step(q, err)) == 1)
		r = read_layer(db, q, ret, &cap, err);
	return r;
}

/* The root `id`, looked for from *at on: both lists ascend. NULL: there is none. */
static struct catalog_root *
root_of_id(const struct catalog_roots *roots, size_t *at, uint64_t id)
{
	while (*at < roots->len && roots->data[*at].id < id)
		(*at)++;
	return *at < roots->len && roots->data[*at].id == id ? &roots->data[*at] : NULL;
}

static int
read_text(struct db *db, struct db_query *q, struct catalog_root *root, struct err *err)
{
	struct catalog_text text = {.n_symbols = (uint32_t)db_u64(q, 2), .symbols = db_u64(q, 3)};

	if (!root || root->n_texts == CATALOG_MAX_TEXTS)
		return db_damaged(db, err);
	if (!root->texts)
		root->texts = calloc(CATALOG_MAX_TEXTS, sizeof(*root->texts));
	if (!root->texts || db_copy(q, 1, &text.file) < 0)
		return rows_no_memory(err);
	root->texts[root->n_texts++] = text;
	return 0;
}

static int
read_texts(struct db *db, struct catalog_roots *roots, struct err *err)
{
	AUTO(db_endp) struct db_query *q = NULL;
	size_t at = 0;
	int r = db_query(
		db, "SELECT root, file, n_symbols, symbols FROM text ORDER BY root, at", &q, err);

	while (r == 0 && (r = db_step(q, err)) == 1)
		r = read_text(db, q, root_of_id(roots, &at, db_u64(q, 0)), err);
	return r;
}

int
catalog_read_roots(struct db *db, struct catalog_roots *ret, struct err *err)
{
	int r = read_layers(db, ret, err);

	return r < 0 ? r : read_texts(db, ret, err);
}

void
catalog_roots_free(struct catalog_roots *r)
{
	for (size_t i = 0; i < r->len; i++)
		root_fini(&r->data[i]);
	free(r->data);
	*r = (struct catalog_roots){0};
}

/* Its foreign key would fail at the commit, with less to say. */
static int
check_root(struct db *db, uint32_t id, struct err *err)
{
	AUTO(db_endp) struct db_query *q = NULL;
	int r = db_query(db, "SELECT 1 FROM root WHERE id = ?1", &q, err);

	db_bind_u64(q, 1, id);
	if (r == 0)
		r = db_step(q, err);
	if (r < 0)
		return r;
	return r == 0 ? rows_no_root(id, err) : 0;
}

static int
replace_walk(struct db *db, const struct catalog_root *root, struct err *err)
{
	AUTO(db_endp) struct db_query *q = NULL;
	int r = db_query(db, "REPLACE INTO walk VALUES (?1, ?2, ?3, ?4, ?5, ?6)", &q, err);

	db_bind_u64(q, 1, root->id);
	db_bind_u64(q, 2, root->settings);
	db_bind_u64(q, 3, root->n_entries);
	db_bind_u64(q, 4, root->walked_usec);
	db_bind_u64(q, 5, root->tick);
	db_bind_text(q, 6, root->skipped ? root->skipped : "");
	return r < 0 ? r : db_step(q, err);
}

static int
delete_layers(struct db *db, const struct catalog_root *root, struct err *err)
{
	AUTO(db_endp) struct db_query *q = NULL;
	int r = db_query(db, "DELETE FROM layer WHERE root = ?1", &q, err);

	db_bind_u64(q, 1, root->id);
	return r < 0 ? r : db_step(q, err);
}

static int
insert_layer(struct db *db, const struct catalog_root *root, uint32_t at, struct err *err)
{
	AUTO(db_endp) struct db_query *q = NULL;
	int r = db_query(db, "INSERT INTO layer VALUES (?1, ?2, ?3, ?4)", &q, err);

	db_bind_u64(q, 1, root->id);
	db_bind_u64(q, 2, at);
	db_bind_text(q, 3, root->segments[at]);
	db_bind_u64(q, 4, at < root->n_synced);
	return r < 0 ? r : db_step(q, err);
}

int
rows_replace_root(struct db *db, const struct catalog_root *root, struct err *err)
{
	int r = check_root(db, root->id, err);

	if (r == 0)
		r = replace_walk(db, root, err);
	if (r == 0)
		r = delete_layers(db, root, err);
	for (uint32_t i = 0; i < root->n_segments && r == 0; i++)
		r = insert_layer(db, root, i, err);
	return r;
}

int
rows_settle(struct db *db, uint32_t id, const char *file, struct err *err)
{
	AUTO(db_endp) struct db_query *q = NULL;
	int r = db_query(db, "UPDATE layer SET synced = 1 WHERE root = ?1 AND file = ?2", &q, err);

	db_bind_u64(q, 1, id);
	db_bind_text(q, 2, file);
	return r < 0 ? r : db_step(q, err);
}

static int
delete_texts(struct db *db, uint32_t id, struct err *err)
{
	AUTO(db_endp) struct db_query *q = NULL;
	int r = db_query(db, "DELETE FROM text WHERE root = ?1", &q, err);

	db_bind_u64(q, 1, id);
	return r < 0 ? r : db_step(q, err);
}

static int
insert_text(struct db *db, uint32_t id, uint32_t at, const struct catalog_text *t, struct err *err)
{
	AUTO(db_endp) struct db_query *q = NULL;
	int r = db_query(db, "INSERT INTO text VALUES (?1, ?2, ?3, ?4, ?5)", &q, err);

	db_bind_u64(q, 1, id);
	db_bind_u64(q, 2, at);
	db_bind_text(q, 3, t->file);
	db_bind_u64(q, 4, t->n_symbols);
	db_bind_u64(q, 5, t->symbols);
	return r < 0 ? r : db_step(q, err);
}

int
rows_replace_texts(
	struct db *db, uint32_t id, const struct catalog_text *texts, uint32_t n, struct err *err)
{
	int r = check_root(db, id, err);

	if (r == 0)
		r = delete_texts(db, id, err);
	for (uint32_t i = 0; i < n && r == 0; i++)
		r = insert_text(db, id, i, &texts[i], err);
	return r;
}
