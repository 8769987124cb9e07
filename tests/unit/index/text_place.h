/**
 * text_place: where a test of text segments writes them, and the threads it does that on.
 */
#pragma once

#include "text_model.h"

#include <unistd.h>

struct place {
	char *dir;
	int dirfd;
	struct pool *pool;
};

static struct place place;

static void
place_set_up(void)
{
	CHECK_INT(mapfile_setup(), 0);
	place.dir = test_dir();
	place.dirfd = open(place.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(pool_create("text", test_threads(2), &place.pool), 0);
}

static void
place_tear_down(void)
{
	pool_destroy(place.pool);
	(void)close(place.dirfd);
	test_dir_remove(place.dir);
}
