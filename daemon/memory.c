#include "memory.h"

#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#if TRAWL_JEMALLOC
#	include <jemalloc/jemalloc.h>

/* Read by jemalloc before main(). Few arenas: the threads are few. Unused pages go back to the
 * kernel within a second, so that the peak of indexing does not stay resident. */
extern const char *malloc_conf;
const char *malloc_conf = "dirty_decay_ms:1000,muzzy_decay_ms:0,narenas:4";

/* Without its thread, what allocates and frees does that by the way. */
void
memory_start(void)
{
	bool on = true;

	(void)mallctl("background_thread", NULL, NULL, &on, sizeof(on));
}

static uint64_t
jemalloc_figure(const char *name)
{
	size_t value = 0, len = sizeof(value);

	return mallctl(name, &value, &len, NULL, 0) == 0 ? value : 0;
}

static void
jemalloc_stats(struct memory_stats *ret)
{
	uint64_t epoch = 1;
	size_t len = sizeof(epoch);

	(void)mallctl("epoch", &epoch, &len, &epoch, len); /* figures are of the last epoch */
	ret->has_jemalloc = true;
	ret->allocated_bytes = jemalloc_figure("stats.allocated");
	ret->active_bytes = jemalloc_figure("stats.active");
	ret->mapped_bytes = jemalloc_figure("stats.mapped");
	ret->retained_bytes = jemalloc_figure("stats.retained");
}
#else
void
memory_start(void)
{
}

static void
jemalloc_stats(struct memory_stats *ret)
{
	ret->has_jemalloc = false;
}
#endif

/* "RssAnon:   1234 kB" */
static uint64_t
status_bytes(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? strtoull(at + strlen(key), NULL, 10) * 1024 : 0;
}

void
memory_get_stats(struct memory_stats *ret)
{
	AUTO(strbuf_fini) struct strbuf text = {0};

	*ret = (struct memory_stats){0};
	if (fd_slurp(AT_FDCWD, "/proc/self/status", 65536, &text) == 0) {
		ret->rss_bytes = status_bytes(text.data, "VmRSS:");
		ret->anon_bytes = status_bytes(text.data, "RssAnon:");
		ret->file_bytes = status_bytes(text.data, "RssFile:");
	}
	jemalloc_stats(ret);
}
