/**
 * test: the only door to Criterion. A test's name is a sentence: TEST(chan,
 * close_wakes_every_receiver).
 *
 * CHECK stops the test; the message says what was expected, CHECK_SAY's is given to it as to
 * printf(). Counts are scaled by the tier: test_scale(n) is n in `long`, n / 50 (at least 1) in
 * `full`, n / 500 in `quick`; with a sanitizer n / 200 in `full`.
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
/* What a failure does stands in support.c, once. Criterion's own macros put it where each check is,
 * which took most of the time of a sanitizer's build. */
#define CHECK(cond) ((cond) ? (void)0 : test_fail(__FILE__, __LINE__, "%s", #cond))
#define CHECK_SAY(cond, ...) ((cond) ? (void)0 : test_fail(__FILE__, __LINE__, __VA_ARGS__))
#define CHECK_INT(a, b)                                                       \
	do {                                                                  \
		long long a_ = (long long)(a), b_ = (long long)(b);           \
		CHECK_SAY(a_ == b_, "%s is %lld, expected %lld", #a, a_, b_); \
	} while (0)
#define CHECK_STR(a, b)                                         \
	do {                                                    \
		const char *a_ = (a), *b_ = (b);                \
		test_check_str(__FILE__, __LINE__, #a, a_, b_); \
	} while (0)

/** End the test as failed, with a message that printf() makes. */
_Noreturn void test_fail(const char *file, int line, const char *format, ...)
	__attribute__((cold, format(printf, 3, 4)));
/** For CHECK_STR. */
void test_check_str(
	const char *file, int line, const char *what, const char *got, const char *expected);

unsigned long test_scale(unsigned long n);
/** Before a condition is looked at once more: the CPU is for those who bring it about. */
void test_pause(void);
/** How many threads: n, but in a crowded run (TRAWL_STRESS_THREADS=8x) so many for each CPU. */
unsigned test_threads(unsigned n);

/** A fresh directory below $TMPDIR, removed by test_dir_remove(); the path is of malloc. */
char *test_dir(void);
void test_dir_remove(char *path);
/** Write a file (directories above are made). */
void test_write(const char *dir, const char *name, const char *text);
