#include "catalog/schema.h"

#include "catalog/catalog.h"

#include <errno.h>
#include <inttypes.h>

#define APPLICATION_ID "1953658732" /* 0x7472776c, "trwl": what file(1) may know us by */

/* steps[n] makes version n + 1 of version n. A path is bytes, not text: a blob. */
static const char *const steps[] = {
	/* Numbers of roots are never reused: AUTOINCREMENT. */
	"CREATE TABLE root ("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  path BLOB NOT NULL UNIQUE"
	") STRICT;"
	"CREATE TABLE segment ("
	"  root INTEGER PRIMARY KEY REFERENCES root (id) ON DELETE CASCADE,"
	"  file TEXT NOT NULL UNIQUE,"
	"  settings INTEGER NOT NULL,"
	"  n_entries INTEGER NOT NULL,"
	"  walked_usec INTEGER NOT NULL,"
	"  tick INTEGER NOT NULL,"
	"  skipped TEXT NOT NULL"
	") STRICT;"
	"CREATE TABLE setting ("
	"  key TEXT PRIMARY KEY,"
	"  value TEXT NOT NULL"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE clock ("
	"  one INTEGER PRIMARY KEY CHECK (one = 1),"
	"  instance INTEGER NOT NULL,"
	"  epoch INTEGER NOT NULL"
	") STRICT;"
	"PRAGMA application_id = " APPLICATION_ID ";"
	"PRAGMA user_version = 1;",
	/* A root has segments upon each other, the base at 0. SQLite cannot drop a unique column:
         * what is known of the walk moves. */
	"CREATE TABLE layer ("
	"  root INTEGER NOT NULL REFERENCES root (id) ON DELETE CASCADE,"
	"  at INTEGER NOT NULL,"
	"  file TEXT NOT NULL UNIQUE,"
	"  PRIMARY KEY (root, at)"
	") STRICT, WITHOUT ROWID;"
	"INSERT INTO layer SELECT root, 0, file FROM segment;"
	"CREATE TABLE walk ("
	"  root INTEGER PRIMARY KEY REFERENCES root (id) ON DELETE CASCADE,"
	"  settings INTEGER NOT NULL,"
	"  n_entries INTEGER NOT NULL,"
	"  walked_usec INTEGER NOT NULL,"
	"  tick INTEGER NOT NULL,"
	"  skipped TEXT NOT NULL"
	") STRICT;"
	"INSERT INTO walk SELECT root, settings, n_entries, walked_usec, tick, skipped FROM "
	"segment;"
	"DROP TABLE segment;"
	"PRAGMA user_version = 2;",
	/* Text segments, and what their grams are made of. */
	"CREATE TABLE text ("
	"  root INTEGER NOT NULL REFERENCES root (id) ON DELETE CASCADE,"
	"  at INTEGER NOT NULL,"
	"  file TEXT NOT NULL UNIQUE,"
	"  n_symbols INTEGER NOT NULL,"
	"  symbols INTEGER NOT NULL,"
	"  PRIMARY KEY (root, at)"
	") STRICT, WITHOUT ROWID;"
	"PRAGMA user_version = 3;",
	/* The journal, the clock of it, and what a power cut leaves. Epochs were runs, whose
         * numbers names of files have; ticks began anew in each. */
	"CREATE TABLE journal ("
	"  tick INTEGER PRIMARY KEY,"
	"  root INTEGER NOT NULL,"
	"  at_usec INTEGER NOT NULL,"
	"  n_records INTEGER NOT NULL,"
	"  data BLOB NOT NULL"
	") STRICT;"
	"ALTER TABLE layer ADD COLUMN synced INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE clock ADD COLUMN run INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE clock ADD COLUMN tick INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE clock ADD COLUMN floor INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE clock ADD COLUMN n_records INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE clock ADD COLUMN n_bytes INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE clock ADD COLUMN boot_id TEXT NOT NULL DEFAULT '';"
	"UPDATE clock SET run = epoch, epoch = epoch + 1;"
	"PRAGMA user_version = 4;",
};
_Static_assert(ARRAY_LEN(steps) == CATALOG_VERSION, "one step a version");

/* An empty database is a catalog of version 0; one with tables must say that it is ours. */
static int
check_ours(struct db *db, struct err *err)
{
	uint64_t id, n_tables;
	int r = db_number(db,
		"SELECT application_id = " APPLICATION_ID " FROM pragma_application_id", &id, err);

	if (r == 0)
		r = db_number(db, "SELECT count(*) FROM sqlite_schema", &n_tables, err);
	if (r < 0)
		return r;
	return id == 1 || n_tables == 0 ? 0 : db_damaged(db, err);
}

int
schema_check(struct db *db, const char *state_dir, uint64_t *ret_version, struct err *err)
{
	uint64_t version;
	int r = check_ours(db, err);

	if (r == 0)
		r = db_number(db, "PRAGMA user_version", &version, err);
	if (r < 0)
		return r;
	if (version > CATALOG_VERSION) {
		(void)err_set(err, -EOPNOTSUPP,
			"the state directory \"%s\" was written by a newer trawld (version %" PRIu64
			")",
			state_dir, version);
		(void)err_hint(
			err, "run that trawld, or give this one a state directory of its own");
		return -EOPNOTSUPP;
	}
	*ret_version = version;
	return 0;
}

int
schema_upgrade(struct db *db, uint64_t version, struct err *err)
{
	int r = 0;

	for (; r == 0 && version < CATALOG_VERSION; version++)
		r = db_exec(db, steps[version], err);
	return r;
}
