/* Numbers and words from the environment: what is none is not taken. */
#include "base/setting.h"
#include "support.h"

static double set_to(const char *text)
{
    setenv("ALLOT_TEST_NUMBER", text, 1);
    return al_setting("ALLOT_TEST_NUMBER", 1, 100, 20);
}

static void a_number_is_taken(void)
{
    CHECK(set_to("3") == 3);
    CHECK(set_to("0.5e1") == 5);
    CHECK(set_to("1") == 1 && set_to("100") == 100);
}

static void what_is_none_is_not(void)
{
    static const char *const wrong[] = { "", "abc", "3 s", "-3", "0", "101", "nan", "inf", "1e999" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK(set_to(wrong[i]) == 20);
    unsetenv("ALLOT_TEST_NUMBER");
    CHECK(al_setting("ALLOT_TEST_NUMBER", 1, 100, 20) == 20);
}

static void a_word_is_taken_if_it_is_known(void)
{
    static const char *const words[] = { "one", "two", NULL };
    setenv("ALLOT_TEST_WORD", "two", 1);
    CU_ASSERT_EQUAL(al_setting_word("ALLOT_TEST_WORD", words, 0), 1);
    setenv("ALLOT_TEST_WORD", "twofold", 1);
    CU_ASSERT_EQUAL(al_setting_word("ALLOT_TEST_WORD", words, 0), 0);
    setenv("ALLOT_TEST_WORD", "", 1);
    CU_ASSERT_EQUAL(al_setting_word("ALLOT_TEST_WORD", words, 1), 1);
    unsetenv("ALLOT_TEST_WORD");
    CU_ASSERT_EQUAL(al_setting_word("ALLOT_TEST_WORD", words, 1), 1);
}

int main(void)
{
    static const test_fact facts[] = {
        { "a number in the range is taken", a_number_is_taken },
        { "what is none, or beyond, is not", what_is_none_is_not },
        { "a word is taken if it is known", a_word_is_taken_if_it_is_known },
        { NULL, NULL },
    };
    setenv("ALLOT_LOG", "error", 0);
    return test_main("settings", facts);
}
