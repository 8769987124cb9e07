#include "catalog/journal.h"

#include <errno.h>
#include <sys/random.h>

#include "base/vec.h"
#include "catalog/rows.h"

#define TICK_MAX ((uint64_t)INT64_MAX / 2)
/* Of one step, so that nobody waits long: rows, and bytes of records after which it ends. */
#define TRIM_ROWS 1024u
#define TRIM_BYTES ((uint64_t)16 << 20)

static int
make_clock(struct db *db, struct err *err)
{
	AUTO(db_endp) struct db_query *q = NULL;
	uint64_t instance;
	int r;

	if (getrandom(&instance, sizeof(instance), 0) != (ssize_t)sizeof(instance))
		return err_set(err, -EIO, "could not get random bytes");
	r = db_query(db, "INSERT OR IGNORE INTO clock (one, instance, epoch) VALUES (1, ?1, 1)", &q,
		err);
	db_bind_u64(q, 1, instance);
	return r < 0 ? r : db_step(q, err);
}

static int
read_clock(struct db *db, const char *boot_id, struct journal *j, bool *ret_cut, struct err *err)
{
	AUTO(db_endp) struct db_query *q = NULL;
	int r = db_query(db,
		"SELECT instance, epoch, run, tick, floor, n_records, n_bytes, boot_id FROM clock",
		&q, err);
	struct span open_in;

	if (r == 0)
		r = db_step(q, err);
	if (r <= 0)
		return r < 0 ? r : db_damaged(db, err);
	*j = (struct journal){
		.clock = {db_u64(q, 0), db_u64(q, 1), db_u64(q, 2), db_u64(q, 3), db_u64(q, 4)},
		.n_records = db_u64(q, 5),
		.n_bytes = db_u64(q, 6),
	};
	open_in = db_span(q, 7);
	*ret_cut = open_in.len > 0 && (!*boot_id || !span_eq(open_in, span_of(boot_id)));
	return 0;
}

/* No writer leaves a floor or rows above the clock, and none counts so far. */
static int
check_clock(struct db *db, const struct catalog_clock *clock, struct err *err)
{
	uint64_t newest;
	int r = db_number(db, "SELECT coalesce(max(tick), 0) FROM journal", &newest, err);

	if (r < 0)
		return r;
	if (clock->tick > TICK_MAX || clock->floor > clock->tick || newest > clock->tick)
		return db_damaged(db, err);
	return 0;
}

static int
write_clock(struct db *db, const struct journal *j, struct err *err)
{
	AUTO(db_endp) struct db_query *q = NULL;
	int r = db_query(db,
		"UPDATE clock SET epoch = ?1, run = ?2, tick = ?3, floor = ?4, n_records = ?5,"
		" n_bytes = ?6",
		&q, err);

	db_bind_u64(q, 1, j->clock.epoch);
	db_bind_u64(q, 2, j->clock.run);
	db_bind_u64(q, 3, j->clock.tick);
	db_bind_u64(q, 4, j->clock.floor);
	db_bind_u64(q, 5, j->n_records);
	db_bind_u64(q, 6, j->n_bytes);
	return r < 0 ? r : db_step(q, err);
}

/* What was not synced may be anything. The layers below it tell what was there before, at no time
 * that is known, so a walk must look at everything again. */
static int
leave_out_unsynced(struct db *db, struct err *err)
{
	int r = db_exec(db,
		"UPDATE walk SET walked_usec = 0"
		" WHERE root IN (SELECT root FROM layer WHERE synced = 0)",
		err);

	if (r < 0)
		return r;
	return db_exec(db,
		"DELETE FROM layer WHERE at >="
		" (SELECT min(at) FROM layer AS l WHERE l.root = layer.root AND l.synced = 0)",
		err);
}

static int
note_boot(struct db *db, const char *boot_id, struct err *err)
{
	AUTO(db_endp) struct db_query *q = NULL;
	int r = db_query(db, "UPDATE clock SET boot_id = ?1", &q, err);

	db_bind_text(q, 1, *boot_id ? boot_id : "unknown");
	return r < 0 ? r : db_step(q, err);
}

/* The oldest row that counts. */
static int
find_oldest(struct db *db, struct journal *j, struct err *err)
{
	AUTO(db_endp) struct db_query *q = NULL;
	int r = db_query(db,
		"SELECT tick, at_usec FROM journal WHERE tick > ?1 ORDER BY tick LIMIT 1", &q, err);

	db_bind_u64(q, 1, j->clock.floor);
	if (r == 0)
		r = db_step(q, err);
	if (r < 0)
		return r;
	j->oldest_tick = r > 0 ? db_u64(q, 0) : 0;
	j->oldest_usec = r > 0 ? db_u64(q, 1) : 0;
	return 0;
}

int
journal_open(struct db *db, const char *boot_id, struct journal *ret, struct err *err)
{
	bool power_cut = false;
	int r = make_clock(db, err);

	if (r == 0)
		r = read_clock(db, boot_id, ret, &power_cut, err);
	if (r == 0)
		r = check_clock(db, &ret->clock, err);
	if (r == 0 && power_cut)
		r = leave_out_unsynced(db, err);
	if (r < 0)
		return r;
	if (power_cut) {
		ret->clock.epoch++;
		ret->clock.floor = ret->clock.tick;
	}
	ret->clock.run++;
	r = write_clock(db, ret, err);
	if (r == 0)
		r = find_oldest(db, ret, err);
	return r < 0 ? r : note_boot(db, boot_id, err);
}

int
journal_close(struct db *db, struct err *err)
{
	return db_exec(db,
		"UPDATE clock SET boot_id = ''"
		" WHERE NOT EXISTS (SELECT 1 FROM layer WHERE synced = 0)",
		err);
}

static int
insert_batch(struct db *db, const struct catalog_batch *b, struct err *err)
{
	AUTO(db_endp) struct db_query *q = NULL;
	int r = db_query(db, "INSERT INTO journal VALUES (?1, ?2, ?3, ?4, ?5)", &q, err);

	db_bind_u64(q, 1, b->tick);
	db_bind_u64(q, 2, b->root);
	db_bind_u64(q, 3, b->at);
	db_bind_u64(q, 4, b->n_records);
	db_bind_blob(q, 5, b->records);
	return r < 0 ? r : db_step(q, err);
}

int
journal_add(struct db *db, struct journal *j, const struct catalog_batch *batch, struct err *err)
{
	int r = 0;

	assert(batch->tick > j->clock.tick);
	if (batch->records.len > 0)
		r = insert_batch(db, batch, err);
	else
		j->clock.floor = batch->tick;
	if (r < 0)
		return r;
	if (batch->records.len == 0) {
		j->oldest_tick = j->oldest_usec = 0;
	} else if (j->oldest_tick == 0) {
		j->oldest_tick = batch->tick;
		j->oldest_usec = batch->at;
	}
	j->clock.tick = batch->tick;
	j->n_records += batch->records.len > 0 ? batch->n_records : 0;
	j->n_bytes += batch->records.len;
	return write_clock(db, j, err);
}

void
catalog_batches_free(struct catalog_batches *b)
{
	free(b->data);
	free(b->bytes);
	*b = (struct catalog_batches){0};
}

typedef VEC(struct catalog_batch) batch_vec;

/* Where the records are is not known before all have been read: only their lengths stand. */
static int
take_batch(struct db_query *q, batch_vec *to, struct strbuf *bytes)
{
	struct catalog_batch b = {
		.tick = db_u64(q, 0),
		.root = (uint32_t)db_u64(q, 1),
		.at = db_u64(q, 2),
		.n_records = db_u64(q, 3),
		.records.len = db_span(q, 4).len,
	};

	return strbuf_span(bytes, db_span(q, 4)) < 0 ? -ENOMEM : VEC_PUSH(to, b);
}

static int
take_batches(struct db *db, uint64_t from, uint64_t upto, size_t max_bytes, batch_vec *to,
	struct strbuf *bytes, struct err *err)
{
	AUTO(db_endp) struct db_query *q = NULL;
	int r = db_query(db,
		"SELECT tick, root, at_usec, n_records, data FROM journal"
		" WHERE tick > ?1 AND tick <= ?2 ORDER BY tick",
		&q, err);

	db_bind_u64(q, 1, from);
	db_bind_u64(q, 2, MIN(upto, (uint64_t)INT64_MAX));
	while (r == 0 && (to->len == 0 || bytes->len < max_bytes) && (r = db_step(q, err)) == 1)
		r = take_batch(q, to, bytes) < 0 ? rows_no_memory(err) : 0;
	return r;
}

int
journal_read(struct db *db, const struct journal *j, uint64_t from, uint64_t upto, size_t max_bytes,
	struct catalog_batches *ret, struct err *err)
{
	AUTO(strbuf_fini) struct strbuf bytes = {0};
	batch_vec rows = {0};
	size_t at = 0;
	int r;

	if (from < j->clock.floor)
		return err_set(err, -ESTALE, "what has changed since then is not known any more");
	r = take_batches(db, from, upto, max_bytes, &rows, &bytes, err);
	if (r < 0) {
		VEC_FINI(&rows);
		return r;
	}
	*ret = (struct catalog_batches){rows.data, rows.len, strbuf_take(&bytes)};
	VEC_EACH (&rows, b) {
		b->records.data = ret->bytes + at;
		at += b->records.len;
	}
	return 0;
}

/* What goes: up to which tick, and how much that is. */
struct trim {
	uint64_t upto, n_rows, n_records, n_bytes;
};

static bool
is_beyond(const struct journal *j, const struct catalog_opts *keep, usec_t now,
	const struct trim *t, struct db_query *q)
{
	usec_t at = db_u64(q, 1);

	return db_u64(q, 0) <= j->clock.floor || j->n_records - t->n_records > keep->keep_records ||
	       j->n_bytes - t->n_bytes > keep->keep_bytes ||
	       (now > keep->keep_usec && at < now - keep->keep_usec);
}

/* 1 it ended for being long enough. */
static int
find_beyond(struct db *db, const struct journal *j, const struct catalog_opts *keep, usec_t now,
	struct trim *t, struct err *err)
{
	AUTO(db_endp) struct db_query *q = NULL;
	int r = db_query(db,
		"SELECT tick, at_usec, n_records, length(data) FROM journal ORDER BY tick", &q,
		err);

	while (r == 0 && (r = db_step(q, err)) == 1) {
		if (!is_beyond(j, keep, now, t, q))
			return 0;
		t->upto = db_u64(q, 0);
		t->n_records += db_u64(q, 2);
		t->n_bytes += db_u64(q, 3);
		if (++t->n_rows >= TRIM_ROWS || t->n_bytes >= TRIM_BYTES)
			return 1;
		r = 0;
	}
	return r;
}

static int
delete_upto(struct db *db, uint64_t tick, struct err *err)
{
	AUTO(db_endp) struct db_query *q = NULL;
	int r = db_query(db, "DELETE FROM journal WHERE tick <= ?1", &q, err);

	db_bind_u64(q, 1, tick);
	return r < 0 ? r : db_step(q, err);
}

int
journal_trim(struct db *db, struct journal *j, const struct catalog_opts *keep, usec_t now,
	struct err *err)
{
	struct trim t = {0};
	int more = find_beyond(db, j, keep, now, &t, err), r;

	if (more < 0 || t.n_rows == 0)
		return more;
	r = delete_upto(db, t.upto, err);
	if (r < 0)
		return r;
	j->clock.floor = MAX(j->clock.floor, t.upto);
	j->n_records -= MIN(j->n_records, t.n_records);
	j->n_bytes -= MIN(j->n_bytes, t.n_bytes);
	r = write_clock(db, j, err);
	if (r == 0)
		r = find_oldest(db, j, err);
	return r < 0 ? r : more;
}
