/* A variant's source as a number. */
#include "core/source.h"
#include "test.h"
#include <allot/numeric.h>
#include "core/kernel.h"

static allot_status nothing(allot_call *call, const allot_part *part)
{
    (void)call;
    (void)part;
    return ALLOT_OK;
}

static void a_device_variants_number_is_its_texts(void)
{
    char same[] = "kernel void k() {}"; /* texts count, not addresses */
    allot_kernel_desc a = { .opencl_source = "kernel void k() {}" }, b = { .opencl_source = same };
    uint64_t number = al_source_of(&a, ALLOT_OPENCL);
    CU_ASSERT_NOT_EQUAL(number, 0);
    CU_ASSERT_EQUAL(al_source_of(&b, ALLOT_OPENCL), number);
    b.opencl_options = "-DX";
    CU_ASSERT_NOT_EQUAL(al_source_of(&b, ALLOT_OPENCL), number);
    b = (allot_kernel_desc){ .opencl_source = "kernel void k() { }" };
    CU_ASSERT_NOT_EQUAL(al_source_of(&b, ALLOT_OPENCL), number);
    b = (allot_kernel_desc){ .opencl_source = a.opencl_source, .opencl_entry = "k" };
    CU_ASSERT_NOT_EQUAL(al_source_of(&b, ALLOT_OPENCL), number);
}

static void what_is_not_there_has_none(void)
{
    allot_kernel_desc none = { 0 };
    CU_ASSERT_EQUAL(al_source_of(&none, ALLOT_OPENCL), 0);
    CU_ASSERT_EQUAL(al_source_of(&none, ALLOT_THREAD), 0);
}

/* This program may have been linked without a build id: then it has none. */
static void variants_of_one_module_share_its_number(void)
{
    allot_kernel_desc own = { .cpu = nothing };
    uint64_t number = al_source_of(&own, ALLOT_THREAD);
    CU_ASSERT_EQUAL(al_source_of(&allot_axpy()->desc, ALLOT_THREAD), number); /* linked into this program */
    CU_ASSERT_EQUAL(al_source_of(&own, ALLOT_PROCESS), number);
    own.cpu = (allot_cpu_variant)(void (*)(void))malloc; /* of another module */
    CU_ASSERT_TRUE(number == 0 || al_source_of(&own, ALLOT_THREAD) != number);
}

int main(void)
{
    static const test_fact facts[] = {
        { "a device variant's number is its text's", a_device_variants_number_is_its_texts },
        { "what is not there has none", what_is_not_there_has_none },
        { "variants of one module share its number", variants_of_one_module_share_its_number },
        { NULL, NULL },
    };
    return test_main("source", facts);
}
