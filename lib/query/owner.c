#include "query/owner.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>

#include "base/clock.h"

#define OWNER_SLOTS 16u
#define OWNER_KEEP_USEC (10 * USEC_PER_SEC)

struct owner_slot {
	uint32_t id;
	usec_t until; /* 0: empty */
	char name[64];
};

static void
look_up(enum owner_kind kind, uint32_t id, char *name, size_t size)
{
	char buf[16384];
	struct passwd pw, *user = NULL;
	struct group gr, *group = NULL;

	if (kind == OWNER_USER)
		(void)getpwuid_r(id, &pw, buf, sizeof(buf), &user);
	else
		(void)getgrgid_r(id, &gr, buf, sizeof(buf), &group);
	if (user || group)
		(void)snprintf(name, size, "%s", user ? user->pw_name : group->gr_name);
	else
		(void)snprintf(name, size, "%u", id);
}

int
owner_name(enum owner_kind kind, uint32_t id, struct strbuf *out)
{
	static _Thread_local struct owner_slot cache[2][OWNER_SLOTS];
	struct owner_slot *slot = &cache[kind][id % OWNER_SLOTS];
	usec_t now = clock_mono();

	if (slot->until < now || slot->id != id) {
		look_up(kind, id, slot->name, sizeof(slot->name));
		slot->id = id;
		slot->until = now + OWNER_KEEP_USEC;
	}
	return strbuf_puts(out, slot->name);
}
