/* What every test program shares: a table of facts, one main. Each line of the table is one test that states
 * a fact. */
#ifndef TEST_H
#define TEST_H

#include <CUnit/Basic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEST_SKIPPED 77

typedef struct test_fact {
    const char *says;
    void (*check)(void);
} test_fact;

/* Runs the facts (ended by one whose `says` is NULL) as one CUnit suite; returns what main should. */
static inline int test_main(const char *suite_name, const test_fact *facts)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return EXIT_FAILURE;
    CU_pSuite suite = CU_add_suite(suite_name, NULL, NULL);
    for (const test_fact *fact = facts; fact->says; fact++)
        CU_add_test(suite, fact->says, fact->check);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    bool failed = CU_get_number_of_failures() != 0 || CU_get_error() != CUE_SUCCESS;
    CU_cleanup_registry();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* This program's file, for tests that run it again: under Valgrind /proc/self/exe itself cannot be started.
 */
static inline const char *test_program(void)
{
    static char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    path[length > 0 ? length : 0] = '\0';
    return path;
}

/* True under Valgrind, which loads a library of its own into every program: what a driver compiles takes
 * minutes there, and no spawn fails. */
static inline bool under_valgrind(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
    return preloaded && strstr(preloaded, "vgpreload");
}

/* Says why and ends the program as skipped. */
static inline int test_skip(const char *why)
{
    printf("skipped: %s\n", why);
    return TEST_SKIPPED;
}

#endif
