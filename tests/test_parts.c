/* Into which parts devices are to be split, as users say it. */
#include "places/parts.h"
#include "test.h"
#include <string.h>

static void check(const char *text, al_parts_how how, unsigned count, unsigned first, unsigned last)
{
    al_parts parts;
    CU_ASSERT(al_parts_read(text, &parts));
    CU_ASSERT_EQUAL(parts.how, how);
    CU_ASSERT_EQUAL(parts.count, count);
    CU_ASSERT_EQUAL(parts.units[0], first);
    CU_ASSERT_EQUAL(parts.units[count ? count - 1 : 0], last);
}

static void reads_what_can_be_said(void)
{
    check(NULL, AL_PARTS_WHOLE, 0, 0, 0);
    check("", AL_PARTS_WHOLE, 0, 0, 0);
    check("numa", AL_PARTS_NUMA, 0, 0, 0);
    check("2", AL_PARTS_EQUAL, 2, 0, 0);
    check("32", AL_PARTS_EQUAL, 32, 0, 0);
    check("1+3", AL_PARTS_UNITS, 2, 1, 3);
    check("5+6+7", AL_PARTS_UNITS, 3, 5, 7);
}

static void refuses_all_else(void)
{
    static const char *const texts[] = {
        "0",  "1",  "33", "-2",  " 2",  "2 ",   "x",   "Numa",
        "2x", "1+", "+1", "0+1", "1+0", "1++2", "1+x", "99999999999999999999"
    };
    al_parts parts;
    char many[200] = "1";
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        CU_ASSERT_FALSE(al_parts_read(texts[i], &parts));
    for (int i = 1; i < AL_PARTS_MAX; i++)
        strcat(many, "+1");
    CU_ASSERT(al_parts_read(many, &parts));
    CU_ASSERT_FALSE(al_parts_read(strcat(many, "+1"), &parts));
}

static void shares_units_out(void)
{
    unsigned shares[AL_PARTS_MAX];
    al_parts parts;
    CU_ASSERT(al_parts_read("3", &parts));
    CU_ASSERT(al_parts_share(&parts, 8, shares));
    CU_ASSERT(shares[0] == 3 && shares[1] == 3 && shares[2] == 2);
    CU_ASSERT(al_parts_share(&parts, 3, shares));
    CU_ASSERT_FALSE(al_parts_share(&parts, 2, shares));
    CU_ASSERT(al_parts_read("1+3", &parts));
    CU_ASSERT(al_parts_share(&parts, 9, shares)); /* the rest is left alone */
    CU_ASSERT(shares[0] == 1 && shares[1] == 3);
    CU_ASSERT_FALSE(al_parts_share(&parts, 3, shares));
}

int main(void)
{
    static const test_fact facts[] = {
        { "numa, a number of parts and numbers of units are read", reads_what_can_be_said },
        { "all else is refused", refuses_all_else },
        { "units are shared out as equally as can be, or as was said", shares_units_out },
        { NULL, NULL },
    };
    return test_main("parts of devices", facts);
}
