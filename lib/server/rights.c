#include "server/identity.h"

#include <errno.h>
#include <grp.h>
#include <unistd.h>

#include "base/account.h"

#define GROUPS_FRESH_USEC (60 * USEC_PER_SEC)
#define GROUPS_REMEMBERED 256u
#define GROUPS_MAX 65536

/* What the name service said about one uid. */
struct groups_of {
	struct list link; /* on server.groups, newest first */
	uid_t uid;
	usec_t expires;
	gid_t *gids;
	int n_gids;
};

static void *
copy_array(const void *from, size_t n, size_t elem_bytes)
{
	void *to = calloc(n ? n : 1, elem_bytes);

	if (to && n > 0)
		memcpy(to, from, n * elem_bytes);
	return to;
}

int
rights_copy(const struct server_config *cfg, struct rights *ret)
{
	struct rights r = {
		.allow_uids = copy_array(cfg->allow_uids, cfg->n_allow_uids, sizeof(uid_t)),
		.admin_uids = copy_array(cfg->admin_uids, cfg->n_admin_uids, sizeof(uid_t)),
		.allow_gids = copy_array(cfg->allow_gids, cfg->n_allow_gids, sizeof(gid_t)),
		.n_allow_uids = cfg->n_allow_uids,
		.n_admin_uids = cfg->n_admin_uids,
		.n_allow_gids = cfg->n_allow_gids,
	};

	if (!r.allow_uids || !r.admin_uids || !r.allow_gids) {
		rights_fini(&r);
		return -ENOMEM;
	}
	*ret = r;
	return 0;
}

void
rights_fini(struct rights *r)
{
	free(r->allow_uids);
	free(r->admin_uids);
	free(r->allow_gids);
	*r = (struct rights){0};
}

static bool
has_id(const id_t *ids, size_t n, id_t id)
{
	for (size_t i = 0; i < n; i++)
		if (ids[i] == id)
			return true;
	return false;
}

bool
rights_admin(const struct rights *r, uid_t uid)
{
	return uid == 0 || uid == geteuid() || has_id(r->admin_uids, r->n_admin_uids, uid);
}

static void
groups_free(struct groups_of *g)
{
	list_remove(&g->link);
	free(g->gids);
	free(g);
}

void
rights_forget(struct server *s)
{
	LIST_EACH (&s->groups, it)
		groups_free(LIST_ITEM(it, struct groups_of, link));
}

static const struct groups_of *
groups_find(struct server *s, uid_t uid)
{
	LIST_EACH (&s->groups, it) {
		struct groups_of *g = LIST_ITEM(it, struct groups_of, link);

		if (g->uid != uid)
			continue;
		if (clock_mono() < g->expires)
			return g;
		groups_free(g);
		return NULL;
	}
	return NULL;
}

enum rights_verdict
rights_check(struct server *s, uid_t uid)
{
	const struct rights *r = &s->rights;
	const struct groups_of *g;

	if (rights_admin(r, uid) || has_id(r->allow_uids, r->n_allow_uids, uid))
		return RIGHTS_ALLOWED;
	if (r->n_allow_gids == 0)
		return RIGHTS_DENIED;
	g = groups_find(s, uid);
	if (!g)
		return RIGHTS_PENDING;
	for (int i = 0; i < g->n_gids; i++)
		if (has_id(r->allow_gids, r->n_allow_gids, g->gids[i]))
			return RIGHTS_ALLOWED;
	return RIGHTS_DENIED;
}

/* Worker. */
static int
list_groups(const char *user, gid_t primary, gid_t **ret_gids)
{
	for (int n = 64; n <= GROUPS_MAX; n *= 4) {
		gid_t *gids = calloc((size_t)n, sizeof(*gids));
		int found = n;

		if (!gids)
			return -ENOMEM;
		if (getgrouplist(user, primary, gids, &found) >= 0) {
			*ret_gids = gids;
			return found;
		}
		free(gids);
	}
	return -EOVERFLOW;
}

/* Worker. A uid without a name, or a name service that fails, is a member of nothing. */
static void
lookup_run(struct task *t)
{
	struct group_lookup *l = CONTAINER_OF(t, struct group_lookup, task);
	AUTO(strbuf_fini) struct strbuf name = {0};
	gid_t primary;

	if (account_name(ACCOUNT_USER, l->uid, &name, &primary) > 0)
		l->n_gids = list_groups(name.data, primary, &l->gids);
	(void)server_send(l->server, &l->mail);
}

static void
groups_remember(struct server *s, struct group_lookup *l)
{
	struct groups_of *g = calloc(1, sizeof(*g));
	size_t n = 0;

	if (!g)
		return;
	LIST_EACH (&s->groups, it) {
		struct groups_of *old = LIST_ITEM(it, struct groups_of, link);

		if (old->uid == l->uid || ++n >= GROUPS_REMEMBERED)
			groups_free(old);
	}
	g->uid = l->uid;
	g->expires = clock_deadline(GROUPS_FRESH_USEC);
	g->gids = TAKE_PTR(l->gids);
	g->n_gids = l->n_gids;
	list_push_front(&s->groups, &g->link);
}

static void
lookup_deliver(struct mail *m)
{
	struct group_lookup *l = CONTAINER_OF(m, struct group_lookup, mail);

	l->server->n_jobs--;
	groups_remember(l->server, l);
	if (l->done)
		l->done(l->arg);
	free(l->gids);
	free(l);
}

struct group_lookup *
rights_lookup(struct server *s, uid_t uid, void (*done)(void *arg), void *arg)
{
	struct group_lookup *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	*l = (struct group_lookup){
		.mail.deliver = lookup_deliver,
		.task.run = lookup_run,
		.server = s,
		.uid = uid,
		.done = done,
		.arg = arg,
	};
	if (pool_submit(s->io, &l->task, TASK_QUERY) < 0) {
		free(l);
		return NULL;
	}
	s->n_jobs++;
	return l;
}
