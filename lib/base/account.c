#include "base/account.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>

#define FIRST_BYTES ((size_t)4 << 10)
#define MAX_BYTES ((size_t)16 << 20)

/* What is asked for: a name, or where there is none a number. */
struct question {
	enum account_kind kind;
	const char *name;
	uint32_t id;
};

struct found {
	const char *name; /* in the buffer */
	uint32_t id, gid;
};

/* 1, 0, or -errno. */
static int
ask_users(const struct question *q, char *buf, size_t size, struct found *ret)
{
	struct passwd pw, *user = NULL;
	int e = q->name ? getpwnam_r(q->name, &pw, buf, size, &user)
	                : getpwuid_r(q->id, &pw, buf, size, &user);

	if (!user)
		return e > 0 ? -e : 0;
	*ret = (struct found){pw.pw_name, pw.pw_uid, pw.pw_gid};
	return 1;
}

static int
ask_groups(const struct question *q, char *buf, size_t size, struct found *ret)
{
	struct group gr, *group = NULL;
	int e = q->name ? getgrnam_r(q->name, &gr, buf, size, &group)
	                : getgrgid_r(q->id, &gr, buf, size, &group);

	if (!group)
		return e > 0 ? -e : 0;
	*ret = (struct found){gr.gr_name, gr.gr_gid, gr.gr_gid};
	return 1;
}

/* Name services say in several ways that they do not know it: getpwnam(3). */
static bool
is_unknown(int code)
{
	return code == -ENOENT || code == -ESRCH || code == -EBADF || code == -EPERM;
}

/* *buf is to be freed. */
static int
ask(const struct question *q, char **buf, struct found *ret)
{
	int code = -ERANGE;

	for (size_t n = FIRST_BYTES; code == -ERANGE && n <= MAX_BYTES; n *= 4) {
		free(*buf);
		*buf = malloc(n);
		if (!*buf)
			return -ENOMEM;
		code = q->kind == ACCOUNT_USER ? ask_users(q, *buf, n, ret)
		                               : ask_groups(q, *buf, n, ret);
	}
	return is_unknown(code) ? 0 : code;
}

int
account_number(enum account_kind kind, const char *name, uint32_t *ret)
{
	struct question q = {.kind = kind, .name = name};
	AUTO(freep) char *buf = NULL;
	struct found found = {"", 0, 0};
	int code = ask(&q, &buf, &found);

	if (code > 0)
		*ret = found.id;
	return code;
}

int
account_name(enum account_kind kind, uint32_t id, struct strbuf *name, uint32_t *ret_gid)
{
	struct question q = {.kind = kind, .id = id};
	AUTO(freep) char *buf = NULL;
	struct found found = {"", 0, 0};
	int code = ask(&q, &buf, &found);

	if (code > 0 && strbuf_puts(name, found.name) < 0)
		return -ENOMEM;
	if (code > 0 && ret_gid)
		*ret_gid = found.gid;
	return code;
}
