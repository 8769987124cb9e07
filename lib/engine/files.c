#include "engine/files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "index/text_set.h"
#include "index/tree_stack.h"

_Static_assert(TREE_MAX_LAYERS == CATALOG_MAX_SEGMENTS, "the catalog names every layer");
_Static_assert(TEXT_SET_MAX == CATALOG_MAX_TEXTS, "and every text segment");
_Static_assert(TREE_MAX_LAYERS <= FILES_MAX && TEXT_SET_MAX <= FILES_MAX, "room for both kinds");

void
files_fini(struct files *f)
{
	for (uint32_t i = 0; i < f->n; i++)
		free(f->name[i]);
	*f = (struct files){0};
}

int
files_copy(struct files *to, char *const *names, uint32_t n)
{
	*to = (struct files){0};
	while (to->n < n) {
		to->name[to->n] = strdup(names[to->n]);
		if (!to->name[to->n]) {
			files_fini(to);
			return -ENOMEM;
		}
		to->n++;
	}
	return 0;
}

bool
files_have(const struct files *f, const char *name)
{
	for (uint32_t i = 0; i < f->n; i++) {
		if (strcmp(f->name[i], name) == 0)
			return true;
	}
	return false;
}

void
files_unlink(const struct files *f, int dirfd, const struct files *kept)
{
	for (uint32_t i = 0; i < f->n; i++) {
		if (!kept || !files_have(kept, f->name[i]))
			(void)unlinkat(dirfd, f->name[i], 0);
	}
}
