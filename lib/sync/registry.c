#include "sync/registry.h"

#include <errno.h>
#include <stdio.h>

#include "sync/lock.h"

/* A thread that the registry owns. */
struct owned {
	struct thread thread;
	struct list link;
};

static struct lock registry_lock = LOCK_INITIALIZER(RANK_LEAF, "registry");
static struct list running = LIST_INIT(running); /* struct thread.link, oldest first */
static struct list owned = LIST_INIT(owned);     /* struct owned.link: to be joined */

void
registry_enter(struct thread *t)
{
	LOCK_SCOPE(&registry_lock);

	list_push_back(&running, &t->link);
}

void
registry_leave(struct thread *t)
{
	LOCK_SCOPE(&registry_lock);

	list_remove(&t->link);
}

void
registry_describe(struct thread *t, const char *doing)
{
	LOCK_SCOPE(&registry_lock);

	(void)snprintf(t->doing, sizeof(t->doing), "%s", doing);
}

static void
describe_locked(const struct thread *t, struct thread_info *ret)
{
	*ret = (struct thread_info){.since = t->since, .idle = load_rlx(&t->idle)};
	memcpy(ret->name, t->name, sizeof(ret->name));
	memcpy(ret->doing, t->doing, sizeof(ret->doing));
}

size_t
registry_list(struct thread_info *ret, size_t max)
{
	size_t n = 0;

	LOCK_SCOPE(&registry_lock);
	LIST_EACH (&running, it) {
		if (n < max)
			describe_locked(LIST_ITEM(it, struct thread, link), &ret[n]);
		n++;
	}
	return n;
}

static void
append(struct strbuf *out, bool first, const struct thread_info *info, usec_t now)
{
	double sec = (double)(now - MIN(now, info->since)) / (double)USEC_PER_SEC;

	(void)strbuf_printf(out, "%s\"%s\" (%.1f s%s%s)", first ? "" : ", ", info->name, sec,
		info->doing[0] ? ", " : "", info->doing);
}

/* Under the lock, although text is made: it is short, rare, and needs no second copy of the list.
 */
size_t
registry_report(struct strbuf *out)
{
	usec_t now = clock_mono();
	struct thread_info info;
	size_t n = 0;

	LOCK_SCOPE(&registry_lock);
	LIST_EACH (&running, it) {
		const struct thread *t = LIST_ITEM(it, struct thread, link);

		describe_locked(t, &info);
		if (t == thread_self() || info.idle)
			continue;
		append(out, n++ == 0, &info, now);
	}
	return n;
}

static struct owned *
take_owned(bool ended_only)
{
	LOCK_SCOPE(&registry_lock);

	LIST_EACH (&owned, it) {
		struct owned *o = LIST_ITEM(it, struct owned, link);

		if (ended_only && load_acq(&o->thread.ended) == 0)
			continue;
		list_remove(it);
		return o;
	}
	return NULL;
}

static void
keep_owned(struct owned *o)
{
	LOCK_SCOPE(&registry_lock);

	list_push_back(&owned, &o->link);
}

/* So that what has ended does not pile up until the end: joining it takes microseconds. */
static void
reap_ended(void)
{
	struct owned *o;

	while ((o = take_owned(true))) {
		(void)thread_join(&o->thread);
		free(o);
	}
}

int
registry_start(const char *name, int (*fn)(void *arg), void *arg)
{
	struct owned *o;
	int r;

	reap_ended();
	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	r = thread_start(&o->thread, name, fn, arg);
	if (r < 0) {
		free(o);
		return r;
	}
	keep_owned(o);
	return 0;
}

/* A thread that starts another one is itself still to be joined, so an empty list is the end. */
int
registry_join_all(usec_t deadline)
{
	struct owned *o;
	int result;

	while ((o = take_owned(false))) {
		if (thread_join_until(&o->thread, deadline, &result) < 0) {
			keep_owned(o);
			return -ETIMEDOUT;
		}
		free(o);
	}
	return 0;
}
