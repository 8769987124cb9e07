#include "test.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/account.h"

#define MEMBERS 20000

static void
put(const char *dir, const char *name, const struct strbuf *text)
{
	AUTO(strbuf_fini) struct strbuf from = {0}, to = {0};

	test_write(dir, name, text->data);
	CHECK_INT(strbuf_printf(&from, "%s/%s", dir, name), 0);
	CHECK_INT(strbuf_printf(&to, "/etc/%s", name), 0);
	CHECK_INT(mount(from.data, to.data, NULL, MS_BIND, NULL), 0);
}

/* Databases that this process alone sees: a group of many, and a long name. */
static bool
have_databases(const char *dir)
{
	AUTO(strbuf_fini) struct strbuf users = {0}, groups = {0};

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	CHECK_INT(strbuf_puts(&users, "root:x:0:0::/:/bin/sh\n"), 0);
	CHECK_INT(strbuf_printf(&users, "%0200d:x:70001:70002::/:/bin/sh\n", 7), 0);
	CHECK_INT(strbuf_puts(&groups, "root:x:0:\ncrowd:x:70002:m0"), 0);
	for (unsigned i = 1; i < MEMBERS; i++)
		CHECK_INT(strbuf_printf(&groups, ",member%u", i), 0);
	CHECK_INT(strbuf_puts(&groups, "\n"), 0);
	put(dir, "passwd", &users);
	put(dir, "group", &groups);
	return true;
}

TEST(account, a_group_of_many_members_has_its_name_and_number)
{
	AUTO(strbuf_fini) struct strbuf name = {0};
	char *dir = test_dir();
	uint32_t id = 0;

	if (!have_databases(dir))
		cr_skip_test("mounting is not permitted");
	CHECK_INT(account_number(ACCOUNT_GROUP, "crowd", &id), 1);
	CHECK_INT(id, 70002);
	CHECK_INT(account_name(ACCOUNT_GROUP, 70002, &name, NULL), 1);
	CHECK_STR(name.data, "crowd");
	test_dir_remove(dir);
}

TEST(account, a_user_has_a_first_group_and_a_name_of_any_length)
{
	AUTO(strbuf_fini) struct strbuf name = {0};
	char *dir = test_dir();
	uint32_t id = 0, gid = 0;

	if (!have_databases(dir))
		cr_skip_test("mounting is not permitted");
	CHECK_INT(account_name(ACCOUNT_USER, 70001, &name, &gid), 1);
	CHECK_INT(name.len, 200);
	CHECK_INT(gid, 70002);
	CHECK_INT(account_number(ACCOUNT_USER, name.data, &id), 1);
	CHECK_INT(id, 70001);
	test_dir_remove(dir);
}

TEST(account, who_is_not_there_is_no_error)
{
	AUTO(strbuf_fini) struct strbuf name = {0};
	uint32_t id = 0;

	CHECK_INT(account_number(ACCOUNT_USER, "no_such_user_here", &id), 0);
	CHECK_INT(account_number(ACCOUNT_GROUP, "no_such_group_here", &id), 0);
	CHECK_INT(account_name(ACCOUNT_USER, 4000000123u, &name, NULL), 0);
	CHECK_INT(account_name(ACCOUNT_GROUP, 4000000123u, &name, NULL), 0);
	CHECK_INT(name.len, 0);
	CHECK_INT(account_number(ACCOUNT_USER, "root", &id), 1);
	CHECK_INT(id, 0);
}
