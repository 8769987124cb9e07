#include "sql_rows.h"

#include "sync/stop.h"
#include "sync/thread.h"

TestSuite(sql_limits, .init = plant_forest, .fini = fell_forest);

/* ---- what is refused ---- */

static void
check_refused(const char *text, int code, const char *part)
{
	struct sql *q = NULL;
	struct err err = {0};
	int r = sql_open(forest.snapshot, span_of(text), &plain, &q, &err);

	while (r >= 0 && (r = sql_next(q, &err)) == 1)
		;
	sql_close(q);
	CHECK_SAY(r == code, "%s: %d, expected %d (%s)", text, r, code, err.what);
	CHECK_SAY(strstr(err.what, part) != NULL, "%s: %s", text, err.what);
	CHECK(strchr(err.what, '\n') == NULL && err.code == code);
}

TEST_SINGLE(sql_limits, everything_but_a_question_over_our_tables_is_refused)
{
	static const struct {
		const char *text, *part;
	} rows[] = {
		{"insert into files(path) values('x')", ""},
		{"update files set size = 0", ""},
		{"delete from files", ""},
		{"create table t(a)", "only questions"},
		{"create temp table t(a)", "only questions"},
		{"create view v as select 1", "only questions"},
		{"create temp trigger x after insert on files begin select 1; end", ""},
		{"create virtual table t using fts5(a)", ""},
		{"create virtual table temp.t using files", ""},
		{"drop table files", ""},
		{"alter table files rename to x", ""},
		{"attach 'x.db' as x", ""},
		{"attach ':memory:' as x", ""},
		{"detach main", "only questions"},
		{"pragma table_info(files)", "only questions"},
		{"pragma temp_store_directory = '/tmp'", "only questions"},
		{"pragma writable_schema = on", "only questions"},
		{"vacuum", "only questions"},
		{"vacuum into '/tmp/stolen'", "only questions"},
		{"analyze", ""},
		{"reindex", "only questions"},
		{"begin", "only questions"},
		{"commit", "only questions"},
		{"savepoint x", "only questions"},
		{"select load_extension('x')", "load_extension"},
		{"select fts3_tokenizer('x')", "fts3_tokenizer"},
		{"select sqlite_compileoption_get(1)", "not allowed"},
		{"select name from sqlite_master", "no table \"sqlite_master\""},
		{"select name from sqlite_schema", "no table"},
		{"select name from sqlite_temp_schema", "no table"},
		{"select * from pragma_database_list", "no"},
		{"select * from pragma_table_info('files')", "no"},
		{"select * from dbstat", "no such table"},
		{"select * from sqlite_stmt", "no such table"},
		{"select * from json_each('[1]')", "no"},
		{"select * from json_tree('[1]')", "no"},
		{"select * from bytecode('select 1')", "no"},
		{"select * from tables_used('select 1')", "no"},
		{"select * from anything", "no such table"},
		{"select anything from files", "no such column"},
		{"select path from files where name = \"foo\"", "no such column"},
		{"select edit('x')", "no such function"},
		{"select readfile('/etc/passwd')", "no such function"},
		{"select ?1", "parameter"},
		{"select 1; select 2", "more than one"},
		{"select 1; drop table files", "more than one"},
		{"", "no statement"},
		{"-- nothing", "no statement"},
		{"select", "incomplete"},
		{"select * frm files", "syntax error"},
		{"select 'unclosed", "unrecognized token"},
		{"select path from files where size >", "incomplete"},
		{"select * from files('a', 'b')", "too many arguments"},
		{"explain", "incomplete"},
		{"select count(*) from files where name match 'x'", ""},
		{"select count(*) from files where name regexp 'x'", ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_refused(rows[i].text, -EINVAL, rows[i].part);
}

TEST_SINGLE(sql_limits, a_refusal_points_at_the_place)
{
	struct sql *q = NULL;
	struct err err = {0};

	CHECK_INT(sql_open(forest.snapshot, SPAN_LIT("select path frm files"), &plain, &q, &err),
		-EINVAL);
	CHECK_INT(err.pos, 17);
	err = (struct err){0};
	CHECK_INT(sql_open(forest.snapshot, SPAN_LIT("select pth from files"), &plain, &q, &err),
		-EINVAL);
	CHECK_INT(err.pos, 8);
	CHECK(strstr(err.hint, "single quotes") != NULL);
	err = (struct err){0};
	CHECK_INT(sql_open(forest.snapshot, SPAN_LIT("select 1; select 2"), &plain, &q, &err),
		-EINVAL);
	CHECK_INT(err.pos, 10);
}

TEST_SINGLE(sql_limits, blanks_and_comments_may_follow_a_statement)
{
	struct lines lines = {0};

	(void)answer("select 1 ; -- done\n /* really */ ; ", &lines);
	CHECK_INT(lines.n, 1);
	lines_fini(&lines);
}

/* ---- limits ---- */

static const char endless[] =
	"with recursive n(i) as (values(1) union all select i + 1 from n) select max(i) from n";

static const char many_rows[] = "with recursive n(i) as (values(1) union all select i + 1 from n) "
				"select i from n";

TEST_SINGLE(sql_limits, an_endless_statement_ends_at_its_deadline)
{
	static const char *const texts[] = {endless,
		"select count(*) from files a, files b, files c, files d, files e where a.size + "
		"b.size + c.size + d.size + e.size < 0",
		"with recursive n(i) as (values(1) union all select i + 1 from n, files where i < "
		"1e15) select sum(i) from n",
		"select count(*) from dirs a, dirs b, dirs c, dirs d where a.size < b.size - "
		"c.size * "
		"d.size"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct sql_opts opts = {.deadline = clock_deadline(20 * USEC_PER_MSEC)};
		struct sql *q = open_sql(texts[i], &opts);
		struct err err = {0};
		usec_t began = clock_mono();

		CHECK_INT(sql_next(q, &err), -ETIMEDOUT);
		CHECK_INT(sql_next(q, NULL), -ETIMEDOUT);
		CHECK(clock_mono() - began < 5 * USEC_PER_SEC);
		sql_close(q);
	}
}

static int
stop_soon(void *arg)
{
	stop_request(arg);
	return 0;
}

TEST(sql_limits, a_token_ends_it)
{
	struct stop stop;
	struct thread thread;
	struct sql_opts opts = {.deadline = USEC_NEVER, .stop = &stop};
	struct sql *q;

	stop_init(&stop, NULL);
	q = open_sql(endless, &opts);
	CHECK_INT(thread_start(&thread, "stopper", stop_soon, &stop), 0);
	CHECK_INT(sql_next(q, NULL), -ECANCELED);
	CHECK_INT(thread_join(&thread), 0);
	sql_close(q);
	CHECK_INT(sql_open(forest.snapshot, SPAN_LIT("select 1"), &opts, &q, NULL), -ECANCELED);
	stop_fini(&stop);
}

TEST_SINGLE(sql_limits, a_statement_that_needs_too_much_memory_ends_with_a_sentence)
{
	static const char *const texts[] = {
		"with recursive n(i) as (values(1) union all select i + 1 from n limit 1000000) "
		"select count(*) from (select distinct i, hex(randomblob(50)) from n)",
		"with recursive n(i) as (values(1) union all select i + 1 from n limit 1000000) "
		"select i, hex(randomblob(50)) r from n order by r",
		"select a.path || b.path p from files a, files b order by p",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct sql_opts opts = {.deadline = USEC_NEVER, .memory_bytes = 4 << 20};
		struct sql *q = open_sql(texts[i], &opts);
		struct err err = {0};
		struct sql_stats stats;

		CHECK_INT(sql_next(q, &err), -E2BIG);
		CHECK_SAY(strstr(err.what, "more than 4 MiB") != NULL, "%s", err.what);
		sql_get_stats(q, &stats);
		CHECK(stats.most_bytes > 1 << 20 && stats.most_bytes <= 5 << 20);
		sql_close(q);
	}
}

TEST_SINGLE(sql_limits, all_statements_together_have_a_limit)
{
	struct sql *q[8] = {NULL};
	struct err err = {0};
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(q) && r != -E2BIG; i++) {
		struct sql_opts opts = {.deadline = USEC_NEVER, .memory_bytes = 200 << 20};

		q[i] = open_sql("with recursive n(i) as (values(1) union all select i + 1 from n "
				"limit 900) select hex(randomblob(100000)) r from n order by r",
			&opts);
		r = sql_next(q[i], &err);
		CHECK(r == 1 || r == -E2BIG);
	}
	CHECK_INT(r, -E2BIG);
	CHECK(strstr(err.what, "all statements together") != NULL);
	for (size_t i = 0; i < ARRAY_LEN(q); i++)
		sql_close(q[i]);
	q[0] = open_sql("select count(*) from files", &plain); /* all was given back */
	CHECK_INT(sql_next(q[0], NULL), 1);
	sql_close(q[0]);
}

TEST_SINGLE(sql_limits, long_values_and_statements_are_refused)
{
	AUTO(strbuf_fini) struct strbuf text = {0};
	struct sql *q = NULL;

	check_refused("select zeroblob(1000000)", -E2BIG, "longer than");
	check_refused("select replace(hex(zeroblob(1000)), '0', hex(zeroblob(1000)))", -E2BIG,
		"longer than");
	check_refused(
		"with recursive n(i, t) as (select 1, 'xxxxxxxx' union all select i + 1, t || "
		"t from n) select max(length(t)) from n",
		-E2BIG, "longer than");
	(void)strbuf_puts(&text, "select '");
	while (text.len < SQL_MAX_BYTES)
		(void)strbuf_putc(&text, 'x');
	(void)strbuf_putc(&text, '\'');
	CHECK_INT(sql_open(forest.snapshot, strbuf_view(&text), &plain, &q, NULL), -E2BIG);
	CHECK_INT(sql_open(forest.snapshot, SPAN_LIT("select 1\0select 2"), &plain, &q, NULL),
		-EINVAL);
}

TEST_SINGLE(sql_limits, bombs_of_syntax_are_refused_soon)
{
	AUTO(strbuf_fini) struct strbuf deep = {0}, wide = {0}, joins = {0}, nested = {0};
	struct sql_opts opts = {.deadline = clock_deadline(3 * USEC_PER_SEC)};
	const struct strbuf *all[] = {&deep, &wide, &joins, &nested};

	(void)strbuf_puts(&deep, "select ");
	for (int i = 0; i < 5000; i++)
		(void)strbuf_putc(&deep, '(');
	(void)strbuf_puts(&wide, "select 1");
	for (int i = 0; i < 200; i++)
		(void)strbuf_puts(&wide, " union select 1");
	(void)strbuf_puts(&joins, "select count(*) from files f0");
	for (int i = 1; i < 64; i++)
		(void)strbuf_printf(&joins, " join files f%d on f%d.size = f%d.inode", i, i, i - 1);
	(void)strbuf_puts(&nested, "with a0 as (select * from files)");
	for (int i = 1; i < 30; i++)
		(void)strbuf_printf(
			&nested, ", a%d as (select x.* from a%d x, a%d y)", i, i - 1, i - 1);
	(void)strbuf_puts(&nested, " select count(*) from a29");
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		usec_t began = clock_mono();
		struct sql *q = NULL;
		int r = sql_open(forest.snapshot, strbuf_view(all[i]), &opts, &q, NULL);

		if (r == 0)
			r = sql_next(q, NULL);
		sql_close(q);
		CHECK(r == -EINVAL || r == -E2BIG || r == -ETIMEDOUT || r == 1);
		CHECK_SAY(clock_mono() - began < 10 * USEC_PER_SEC, "%.60s took %llu ms",
			all[i]->data, (unsigned long long)(clock_mono() - began) / 1000);
	}
}

/* ---- resuming ---- */

static int
step_once(void *arg)
{
	return sql_next(arg, NULL);
}

TEST(sql_limits, a_statement_goes_on_where_it_was_on_any_thread)
{
	struct sql *a = open_sql(many_rows, &plain);
	struct sql *b = open_sql("select path from files order by path", &plain);

	for (int64_t i = 1; i <= 20; i++) {
		struct thread t;
		struct sql_value v;

		CHECK_INT(thread_start(&t, "step", step_once, a), 0);
		CHECK_INT(thread_join(&t), 1);
		CHECK_INT(sql_next(b, NULL), 1);
		sql_get(a, 0, &v);
		CHECK_INT(v.integer, i);
		sql_get(b, 0, &v);
		CHECK(v.kind == SQL_TEXT && v.bytes.data[0] == '/');
	}
	sql_close(a);
	sql_close(b);
}

TEST_SINGLE(sql_limits, columns_have_the_names_that_the_statement_gives)
{
	struct sql *q = open_sql("select path, size as bytes, count(*) over () from files", &plain);

	CHECK_INT(sql_columns(q), 3);
	CHECK_STR(sql_column_name(q, 0), "path");
	CHECK_STR(sql_column_name(q, 1), "bytes");
	CHECK_STR(sql_column_name(q, 2), "count(*) over ()");
	sql_close(q);
}
