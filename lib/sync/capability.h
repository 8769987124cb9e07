/**
 * capability: clang's thread-safety attributes (-Wthread-safety), nothing under gcc.
 *
 * A lock type is a CAPABILITY; a function says which lock its caller holds (REQUIRES) or must not
 * hold (EXCLUDES), a global says what guards it (GUARDED_BY). tests/lint/threadsafety proves that
 * clang rejects what breaks these.
 *
 * Limits of clang 14 in C: it knows no guarded_by that names a sibling member of a struct, and it
 * does not follow the cleanup attribute. Hence the scopes (LOCK_SCOPE and its kin) assert their
 * lock instead of acquiring it: what is done under them is checked, their end is not, for it cannot
 * be forgotten.
 */
#pragma once

#ifdef __clang__
#	define CAPABILITY_ATTR(x) __attribute__((x))
#else
#	define CAPABILITY_ATTR(x)
#endif

#define CAPABILITY(name) CAPABILITY_ATTR(capability(name))
#define GUARDED_BY(l) CAPABILITY_ATTR(guarded_by(l))
#define REQUIRES(l) CAPABILITY_ATTR(requires_capability(l))
#define REQUIRES_SHARED(l) CAPABILITY_ATTR(requires_shared_capability(l))
#define EXCLUDES(l) CAPABILITY_ATTR(locks_excluded(l))
#define ACQUIRES(l) CAPABILITY_ATTR(acquire_capability(l))
#define ACQUIRES_SHARED(l) CAPABILITY_ATTR(acquire_shared_capability(l))
#define RELEASES(l) CAPABILITY_ATTR(release_capability(l))
#define RELEASES_SHARED(l) CAPABILITY_ATTR(release_shared_capability(l))
#define ACQUIRES_IF(result, l) CAPABILITY_ATTR(try_acquire_capability(result, l))
#define ACQUIRES_SHARED_IF(result, l) CAPABILITY_ATTR(try_acquire_shared_capability(result, l))
#define ASSERTS(l) CAPABILITY_ATTR(assert_capability(l))
#define ASSERTS_SHARED(l) CAPABILITY_ATTR(assert_shared_capability(l))
/** The body is what the attributes of this function promise: do not look into it. */
#define UNCHECKED CAPABILITY_ATTR(no_thread_safety_analysis)
