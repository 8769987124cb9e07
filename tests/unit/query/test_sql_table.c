#include "sql_rows.h"

TestSuite(sql_table, .init = plant_forest, .fini = fell_forest);

/* ---- what is handed down ---- */

static uint64_t
scanned(const char *text, size_t *ret_rows)
{
	struct lines lines = {0};
	struct sql_stats stats = answer(text, &lines);

	*ret_rows = lines.n;
	lines_fini(&lines);
	return stats.n_scanned;
}

TEST(sql_table, the_index_gives_only_rows_that_the_comparisons_admit)
{
	static const struct {
		const char *text;
		uint32_t more; /* the roots themselves, or what only SQLite can tell apart */
	} rows[] = {
		{"select path from files where size > 15000", 0},
		{"select path from files where size >= 100 and size < 5000 and type = 'f'", 0},
		{"select path from files where ext in ('h', 'gz') and links = 1", 0},
		{"select path from files where mtime >= 86400000 and mtime < 172800000", 0},
		{"select path from files where user = 'bin' and depth > 2", 0},
		{"select path from files where mode = 420", 0},
		{"select path from files where inode = 1010", 0},
		{"select path from files where path = '/r/one'", 0},
		{"select path from files where dir = '/r/two'", 0},
		{"select path from files where name = 'tar.gz'", 200},
		{"select path from files where name like '%.py'", FOREST_ROOTS},
		{"select path from files where path glob '/r/one/nested/*'", 100},
		{"select path from files('/r/one/nested')", 0},
		{"select path from files('/r/one') where type = 'd'", 0},
		{"select path from files where size > 15000 order by size desc", 0},
		{"select path from dirs where dir = '/r/one'", 0},
		{"select path from dirs where path = '/r/one/nested'", 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t n;
		uint64_t seen = scanned(rows[i].text, &n);

		CHECK_SAY(seen <= n + rows[i].more, "%s: %zu rows of %llu", rows[i].text, n,
			(unsigned long long)seen);
	}
}

static bool
explains(const char *statement, const char *part)
{
	AUTO(strbuf_fini) struct strbuf text = {0};
	struct lines lines = {0};
	bool found = false;

	(void)strbuf_printf(&text, "explain query plan %s", statement);
	(void)answer(text.data, &lines);
	for (size_t i = 0; i < lines.n; i++)
		found = found || strstr(lines.line[i], part);
	lines_fini(&lines);
	return found;
}

TEST(sql_table, the_plan_shows_what_is_handed_down)
{
	CHECK(explains("select 1 from files where size > 5 and ext = 'c'", ":size>? ext=?"));
	CHECK(explains("select 1 from files where ext in ('c','h')", ":ext in ?"));
	CHECK(explains("select 1 from files where name like 'a%'", ":name like ?"));
	CHECK(explains("select 1 from files('/r/one')", ":below=?"));
	CHECK(explains("select 1 from files order by size desc", ":order by -size"));
	CHECK(!explains("select 1 from files order by size desc", "TEMP B-TREE"));
	CHECK(explains("select 1 from files order by size desc limit 3", "-size limit ?"));
	CHECK(!explains("select 1 from files where size <> 3 order by size limit 3", "limit"));
	CHECK(!explains("select ext, count(*) from files group by ext", "TEMP B-TREE"));
	CHECK(explains("select * from dirs d join files f on f.dir = d.path", ":dir=?"));
	CHECK(explains("select * from files f join dirs d on f.path = d.path", ":path=?"));
}

TEST(sql_table, an_argument_means_what_in_means)
{
	static const char *const dirs[] = {"/r/one", "/r/one/", "/r//one", "/r/one/nested", "/r",
		"/", "/nowhere", "a", "", "/r/one/a"};

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		AUTO(strbuf_fini) struct strbuf text = {0}, wanted = {0};
		struct cursor_opts opts = {.deadline = USEC_NEVER};
		struct cursor *c;
		struct hit hit;
		size_t n = 0, rows;

		(void)strbuf_printf(&text, "select path from files('%s')", dirs[i]);
		(void)strbuf_printf(&wanted, "in:\"%s\"", dirs[i]);
		if (dirs[i][0]) {
			c = ask_cursor(forest.snapshot, wanted.data, &opts);
			while (cursor_next(c, &hit) == 1)
				n++;
			cursor_close(c);
		}
		(void)scanned(text.data, &rows);
		CHECK_SAY(rows == n, "%s: %zu rows, expected %zu", text.data, rows, n);
		strbuf_reset(&text);
		(void)strbuf_printf(&text,
			"select count(*) = (select count(*) from files('%s') f join dirs d on "
			"f.path = d.path and f.root = d.root where d.depth = f.depth) "
			"from dirs where below = '%s'",
			dirs[i], dirs[i]);
		{
			struct lines lines = {0};

			(void)answer(text.data, &lines);
			CHECK_STR(lines.line[0], "1");
			lines_fini(&lines);
		}
	}
}

TEST(sql_table, an_argument_may_come_from_another_table)
{
	size_t n, all;

	(void)scanned(
		"select f.path from dirs d, files(d.path) f where d.depth = 1 and d.root = 'two'",
		&n);
	(void)scanned("select path from files where depth > 1 and root = 'two'", &all);
	CHECK_INT(n, all);
}
