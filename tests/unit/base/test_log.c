#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/log_line.h"

static struct strbuf out;

static void
forget_out(void)
{
	strbuf_fini(&out);
}

TEST(log, a_stream_line_has_a_priority_and_fields, .fini = forget_out)
{
	static const struct log_field fields[] = {{"root", "home"}, {"path", "/a b"}, {0}};

	log_line_stream(&out, LOG_LEVEL_WARN, fields, SPAN_LIT("could not read, skipping"));
	CHECK_STR(out.data, "<4>could not read, skipping root=home path=\"/a b\"\n");
}

TEST(log, no_value_can_forge_a_line_or_steer_a_terminal, .fini = forget_out)
{
	static const struct log_field fields[] = {{"path", "a\n<3>forged\x1b[2J\xff\xc2\x9bm"},
		{"q", "say \"hi\"\\"}, {"empty", ""}, {"none", NULL}, {"utf8", "\xc3\xa9"}, {0}};

	log_line_stream(&out, LOG_LEVEL_INFO, fields, SPAN_LIT("x\ry"));
	CHECK_STR(out.data, "<6>x\\ry path=\"a\\n<3>forged\\x1b[2J\\xff\\xc2\\x9bm\" "
			    "q=\"say \\\"hi\\\"\\\\\" empty=\"\" none=\"\" utf8=\xc3\xa9\n");
}

TEST(log, a_terminal_line_begins_with_the_time_of_day, .fini = forget_out)
{
	CHECK_INT(setenv("TZ", "UTC", 1), 0);
	tzset();
	log_line_terminal(&out, LOG_LEVEL_ERROR, 1700000000123456ull, NULL, SPAN_LIT("went wrong"));
	CHECK_STR(out.data, "22:13:20.123 error went wrong\n");
}

TEST(log, the_journal_gets_exact_bytes, .fini = forget_out)
{
	static const struct log_field fields[] = {{"path-name", "a\nb"}, {"root", "x=y"}, {0}};
	static const char expected[] =
		"MESSAGE=hello\nPRIORITY=7\nSYSLOG_IDENTIFIER=trawld\nTRAWL_PATH_NAME\n"
		"\3\0\0\0\0\0\0\0a\nb\nTRAWL_ROOT=x=y\n";

	log_line_journal(&out, LOG_LEVEL_DEBUG, fields, SPAN_LIT("hello"));
	CHECK(span_eq(strbuf_view(&out), (struct span){expected, sizeof(expected) - 1}));
}

TEST(log, levels_have_names)
{
	enum log_level level = LOG_LEVEL_INFO;

	CHECK(log_level_parse("debug", &level) == 0 && level == LOG_LEVEL_DEBUG);
	CHECK(log_level_parse("error", &level) == 0 && level == LOG_LEVEL_ERROR);
	CHECK_INT(log_level_parse("loud", &level), -EINVAL);
	CHECK_INT(log_level_parse("", &level), -EINVAL);
	CHECK_INT(level, LOG_LEVEL_ERROR);
}

/* What is written to descriptor 2 in between is read back. */
static int
divert_stderr(void)
{
	int ends[2];

	CHECK_INT(pipe(ends), 0);
	CHECK_INT(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	(void)close(ends[1]);
	return ends[0];
}

static void
read_diverted(int fd)
{
	ssize_t n;

	(void)close(STDERR_FILENO); /* the pipe's last writer: end of file follows */
	CHECK_INT(strbuf_reserve(&out, 4096), 0);
	n = fd_read_full(fd, out.data, 4095);
	CHECK(n >= 0);
	out.len = (size_t)n;
	out.data[n] = '\0';
	(void)close(fd);
}

TEST(log, less_than_the_level_is_not_written, .fini = forget_out)
{
	int fd = divert_stderr();

	CHECK_INT(unsetenv("JOURNAL_STREAM"), 0);
	log_open();
	log_set_level(LOG_LEVEL_WARN);
	log_info("not this %d", 1);
	log_debug("nor this %d", 2);
	log_warn("but this %d", 3);
	log_close();
	read_diverted(fd);
	CHECK(!strstr(out.data, "this 1") && !strstr(out.data, "this 2"));
	CHECK(strstr(out.data, " warn but this 3\n"));
}

static void
name_stderr_as_journal(int shift)
{
	struct stat st;
	char text[64];

	CHECK_INT(fstat(STDERR_FILENO, &st), 0);
	(void)snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino + (unsigned)shift);
	CHECK_INT(setenv("JOURNAL_STREAM", text, 1), 0);
}

TEST(log, a_journal_variable_of_another_file_is_not_believed, .fini = forget_out)
{
	int fd = divert_stderr();

	name_stderr_as_journal(1);
	log_open();
	log_info("plain");
	log_close();
	read_diverted(fd);
	CHECK(out.data[0] != '<');
	CHECK(strstr(out.data, " info plain\n"));
}

static int
journal_bind(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	CHECK_INT(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static void
check_received(int fd, const char *start)
{
	char buf[512];
	ssize_t n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);

	CHECK(n > 0);
	buf[n] = '\0';
	CHECK_SAY(strncmp(buf, start, strlen(start)) == 0, "got %s", buf);
}

TEST(log, a_restarted_journal_is_found_again_and_a_dead_one_loses_nothing, .fini = forget_out)
{
	char *dir = test_dir(), path[4096];
	int fd, diverted = divert_stderr();

	(void)snprintf(path, sizeof(path), "%s/journal", dir);
	CHECK_INT(log_open_journal(path), -ENOENT);
	fd = journal_bind(path);
	CHECK_INT(log_open_journal(path), 0);
	log_info("first");
	check_received(fd, "MESSAGE=first\nPRIORITY=6\n");
	(void)close(fd);
	(void)unlink(path);
	log_info("meanwhile");
	fd = journal_bind(path);
	log_info("again");
	check_received(fd, "MESSAGE=again\nPRIORITY=6\n");
	log_close();
	(void)close(fd);
	read_diverted(diverted);
	CHECK_STR(out.data, "<6>meanwhile\n");
	test_dir_remove(dir);
}

TEST(log, writing_a_line_keeps_errno, .fini = forget_out)
{
	int fd = divert_stderr();

	log_open();
	errno = ENOSPC;
	log_error("x");
	CHECK_INT(errno, ENOSPC);
	read_diverted(fd);
}
