#include "query/sql_allow.h"

#include <errno.h>
#include <sqlite3.h>
#include <strings.h>

#include "query/sql_source.h"

/* Functions that compute and nothing else. */
static const char *const functions[] = {
	/* numbers */
	"abs",
	"acos",
	"acosh",
	"asin",
	"asinh",
	"atan",
	"atan2",
	"atanh",
	"ceil",
	"ceiling",
	"cos",
	"cosh",
	"degrees",
	"exp",
	"floor",
	"ln",
	"log",
	"log10",
	"log2",
	"max",
	"min",
	"mod",
	"pi",
	"pow",
	"power",
	"radians",
	"random",
	"round",
	"sign",
	"sin",
	"sinh",
	"sqrt",
	"tan",
	"tanh",
	"trunc",
	/* text */
	"char",
	"concat",
	"concat_ws",
	"format",
	"glob",
	"hex",
	"instr",
	"length",
	"like",
	"lower",
	"ltrim",
	"octet_length",
	"printf",
	"quote",
	"replace",
	"rtrim",
	"substr",
	"substring",
	"trim",
	"unhex",
	"unicode",
	"upper",
	"zeroblob",
	"randomblob",
	/* choices and types */
	"coalesce",
	"ifnull",
	"iif",
	"if",
	"nullif",
	"typeof",
	"likelihood",
	"likely",
	"unlikely",
	/* times */
	"current_date",
	"current_time",
	"current_timestamp",
	"date",
	"datetime",
	"julianday",
	"strftime",
	"time",
	"timediff",
	"unixepoch",
	/* aggregates and windows */
	"avg",
	"count",
	"cume_dist",
	"dense_rank",
	"first_value",
	"group_concat",
	"lag",
	"last_value",
	"lead",
	"median",
	"nth_value",
	"ntile",
	"percent_rank",
	"rank",
	"row_number",
	"string_agg",
	"sum",
	"total",
	/* JSON values; the tables json_each and json_tree are no functions */
	"json",
	"json_array",
	"json_array_length",
	"json_extract",
	"json_group_array",
	"json_group_object",
	"json_object",
	"json_quote",
	"json_type",
	"json_valid",
	"->",
	"->>",
	/* about SQLite itself */
	"sqlite_version",
};

static bool
is_allowed_function(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(functions); i++)
		if (strcasecmp(functions[i], name) == 0)
			return true;
	return false;
}

/* A table of which no column is asked for (count(*)) is not told from a name that WITH gives. The
 * tables that are there beside ours have names that begin so. */
static bool
is_table(const char *name, const char *column)
{
	static const char *const others[] = {"sqlite_", "pragma_", "json_"};

	if (strcasecmp(name, sql_files.name) == 0 || strcasecmp(name, sql_dirs.name) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (strncasecmp(name, others[i], strlen(others[i])) == 0)
			return false;
	return column && !column[0];
}

static int
refuse_table(struct err *err, const char *name)
{
	(void)err_set(err, -EINVAL, "no table \"%.64s\" can be read here", name);
	(void)err_hint(err, "the tables are files and dirs");
	return SQLITE_DENY;
}

static int
refuse_function(struct err *err, const char *name)
{
	(void)err_set(err, -EINVAL, "the function %.64s() is not allowed here", name);
	(void)err_hint(err, "trawl-sql(7) lists those that are");
	return SQLITE_DENY;
}

static int
refuse_action(struct err *err)
{
	(void)err_set(err, -EINVAL, "only questions are answered: nothing can be changed or set");
	(void)err_hint(err, "ask with SELECT, WITH or VALUES over the tables files and dirs");
	return SQLITE_DENY;
}

/* sqlite3_set_authorizer() says what the names are for each action. */
static int
authorize(void *arg, int action, const char *first, const char *second, const char *database,
	const char *trigger)
{
	struct sql_allow *a = arg;
	struct err later = {0}, *err = a->err.code ? &later : &a->err;

	(void)database;
	(void)trigger;
	if (*a->declaring)
		return SQLITE_OK;
	if (a->halted(a->ctx))
		return SQLITE_DENY;
	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_RECURSIVE:
		return SQLITE_OK;
	case SQLITE_READ:
		return first && is_table(first, second) ? SQLITE_OK
		                                        : refuse_table(err, first ? first : "");
	case SQLITE_FUNCTION:
		return second && is_allowed_function(second)
		               ? SQLITE_OK
		               : refuse_function(err, second ? second : "");
	default:
		return refuse_action(err);
	}
}

int
sql_allow_install(struct sqlite3 *conn, struct sql_allow *a)
{
	return sqlite3_set_authorizer(conn, authorize, a) == SQLITE_OK ? 0 : -ENOMEM;
}
