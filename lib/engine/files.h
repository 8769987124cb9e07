/**
 * files: the names of a root's segment files of one kind, in their order. Internal to lib/engine.
 *
 * Ownership: files_fini(); a zeroed one is empty.
 */
#pragma once

#include "catalog/catalog.h"

#define FILES_MAX CATALOG_MAX_TEXTS

struct files {
	char *name[FILES_MAX];
	uint32_t n;
};

void files_fini(struct files *f);
/** Copies of the first n: 0 or -ENOMEM. */
int files_copy(struct files *to, char *const *names, uint32_t n);
bool files_have(const struct files *f, const char *name);
/** Remove those that `kept` has not; it may be NULL. */
void files_unlink(const struct files *f, int dirfd, const struct files *kept);
