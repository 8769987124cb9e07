/**
 * test: the only door to Criterion. A test's name is a sentence: TEST(chan,
 * close_wakes_every_receiver).
 *
 * CHECK stops the test; the message says what was expected. Counts are scaled by the tier:
 * test_scale(n) is n in `long`, n / 50 (at least 1) in `full`, n / 500 in `quick`; with a sanitizer
 * n / 200 in `full`.
 *
 * TEST_SINGLE is a TEST that starts no thread but stands in a file with others that do: the builds
 * with ThreadSanitizer, which cannot find anything in it and would take their time, leave it out.
 */
#pragma once

#include <criterion/criterion.h>

#if defined(__SANITIZE_THREAD__)
#	define TEST_WATCHES_THREADS true
#else
#	define TEST_WATCHES_THREADS false
#endif

#define TEST(suite, name, ...) Test(suite, name, ##__VA_ARGS__)
#define TEST_SINGLE(suite, name, ...) \
	Test(suite, name, .disabled = TEST_WATCHES_THREADS, ##__VA_ARGS__)
#define CHECK(cond) cr_assert(!!(cond), "%s:%d: %s", __FILE__, __LINE__, #cond)
#define CHECK_INT(a, b)                                                                         \
	do {                                                                                    \
		long long a_ = (long long)(a), b_ = (long long)(b);                             \
		cr_assert(a_ == b_, "%s:%d: %s is %lld, expected %lld", __FILE__, __LINE__, #a, \
			a_, b_);                                                                \
	} while (0)
#define CHECK_STR(a, b)                                                                 \
	do {                                                                            \
		const char *a_ = (a), *b_ = (b);                                        \
		cr_assert(a_ != NULL && b_ != NULL && strcmp(a_, b_) == 0,              \
			"%s:%d: %s is \"%s\", expected \"%s\"", __FILE__, __LINE__, #a, \
			a_ ? a_ : "(null)", b_ ? b_ : "(null)");                        \
	} while (0)

unsigned long test_scale(unsigned long n);
/** How many threads: n, but in a crowded run (TRAWL_STRESS_THREADS=8x) so many for each CPU. */
unsigned test_threads(unsigned n);

/** A fresh directory below $TMPDIR, removed by test_dir_remove(); the path is of malloc. */
char *test_dir(void);
void test_dir_remove(char *path);
/** Write a file (directories above are made). */
void test_write(const char *dir, const char *name, const char *text);
