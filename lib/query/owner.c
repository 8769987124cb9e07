#include "query/owner.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

/* Users of a machine have numbers one after the other. */
#define OWNER_SLOTS 256u
#define OWNER_KEEP_USEC (10 * USEC_PER_SEC)

struct owner_slot {
	uint32_t id;
	usec_t until; /* 0: empty */
	char name[64];
};

static int
look_up(enum account_kind kind, uint32_t id, struct strbuf *out)
{
	int code = account_name(kind, id, out, NULL);

	if (code == -ENOMEM)
		return code;
	return code > 0 ? 0 : strbuf_u64(out, id);
}

/* A name that is too long for a slot is looked up each time. */
static void
remember(struct owner_slot *slot, uint32_t id, struct span name)
{
	if (name.len >= sizeof(slot->name))
		return;
	slot->id = id;
	slot->until = clock_deadline(OWNER_KEEP_USEC);
	memcpy(slot->name, name.data, name.len);
	slot->name[name.len] = '\0';
}

int
owner_name(enum account_kind kind, uint32_t id, struct strbuf *out)
{
	static _Thread_local struct owner_slot cache[2][OWNER_SLOTS];
	struct owner_slot *slot = &cache[kind][id % OWNER_SLOTS];
	size_t start = out->len;
	int code;

	if (slot->id == id && slot->until > clock_mono())
		return strbuf_puts(out, slot->name);
	code = look_up(kind, id, out);
	if (code == 0)
		remember(slot, id, (struct span){out->data + start, out->len - start});
	return code;
}
