/* Scans and radix sorts in the classic way, in local memory with barriers, which some drivers are known to
 * compile wrongly (docs/scans.md): on every device that is here, with work-groups of many sizes, optimised
 * and not. Each kernel has a C variant and a self-test, so that a launch is right whether the device is or
 * not. */
#include "command.h"
#include "support.h"
#include <stdlib.h>
#include <string.h>

enum {
    N = 8192,
    LARGEST = 1024,
    DIGIT = 4 /* bits, of a pass of the sort */
};

static allot_executor *executor;
static uint32_t keys[N];

/* ---- The kernels ---- */

#define HEAD(name)                                                                                           \
    "__kernel void " name "(__global const uint *x, __global uint *y, uint part, __local uint *t)\n{\n"      \
    "    uint l = get_local_id(0), w = get_local_size(0), g = get_global_id(0);\n"
#define BARRIER "barrier(CLK_LOCAL_MEM_FENCE);\n"

/* Hillis and Steele, Data Parallel Algorithms (1986): log2(w) steps, in each of which all items add what lies
 * 1, 2, 4 ... before them. */
static const char hillis_text[] = HEAD("hillis") "    t[l] = x[g];\n"
                                                 "    " BARRIER "    for (uint d = 1; d < w; d *= 2) {\n"
                                                 "        uint before = l >= d ? t[l - d] : 0;\n"
                                                 "        " BARRIER "        t[l] += before;\n"
                                                 "        " BARRIER "    }\n"
                                                 "    y[g] = t[l];\n}\n";

/* The same between two buffers, which change places. */
static const char swapped_text[] =
    HEAD("swapped") "    __local uint *from = t, *to = t + w;\n"
                    "    from[l] = x[g];\n"
                    "    " BARRIER "    for (uint d = 1; d < w; d *= 2) {\n"
                    "        to[l] = l >= d ? from[l] + from[l - d] : from[l];\n"
                    "        " BARRIER "        __local uint *other = from;\n"
                    "        from = to;\n"
                    "        to = other;\n"
                    "    }\n"
                    "    y[g] = from[l];\n}\n";

/* Blelloch, Prefix Sums and Their Applications (1990): up a tree and down again; its sums are exclusive. */
static const char blelloch_text[] = HEAD(
    "blelloch") "    uint own = x[g], stride = 1;\n"
                "    t[l] = own;\n"
                "    for (uint d = w / 2; d > 0; d /= 2) {\n"
                "        " BARRIER "        if (l < d)\n"
                "            t[stride * (2 * l + 2) - 1] += t[stride * (2 * l + 1) - 1];\n"
                "        stride *= 2;\n"
                "    }\n"
                "    " BARRIER "    if (l == 0)\n"
                "        t[w - 1] = 0;\n"
                "    for (uint d = 1; d < w; d *= 2) {\n"
                "        stride /= 2;\n"
                "        " BARRIER "        if (l < d) {\n"
                "            uint a = stride * (2 * l + 1) - 1, b = stride * (2 * l + 2) - 1, left = t[a];\n"
                "            t[a] = t[b];\n"
                "            t[b] += left;\n"
                "        }\n"
                "    }\n"
                "    " BARRIER "    y[g] = t[l] + own;\n}\n";

/* A work-group sorts its keys by one digit, bit for bit: a scan in a loop in which all have barriers (Satish,
 * Harris and Garland, Designing Efficient Sorting Algorithms for Manycore GPUs, 2009, section 4). */
static const char split_text[] =
    HEAD("split") "    __local uint *room = t + w;\n"
                  "    uint key = x[g];\n"
                  "    for (uint bit = part; bit < part + 4; bit++) {\n"
                  "        uint zero = !(key >> bit & 1);\n"
                  "        t[l] = zero;\n"
                  "        " BARRIER "        for (uint d = 1; d < w; d *= 2) {\n"
                  "            uint before = l >= d ? t[l - d] : 0;\n"
                  "            " BARRIER "            t[l] += before;\n"
                  "            " BARRIER "        }\n"
                  "        uint zeros = t[l] - zero;\n"
                  "        room[zero ? zeros : l - zeros + t[w - 1]] = key;\n"
                  "        " BARRIER "        key = room[l];\n"
                  "        " BARRIER "    }\n"
                  "    y[g] = key;\n}\n";

/* One pass of a sort of everything, least digit first, by one work-group: counters of all digits and items in
 * local memory, scanned together; then each item puts its share of the keys where they belong. */
static const char pass_text[] =
    "__kernel void pass(__global const uint *x, __global uint *y, uint part, __local uint *t)\n{\n"
    "    uint l = get_local_id(0), w = get_local_size(0), each = KEYS / w;\n"
    "    for (uint d = 0; d < 16; d++)\n"
    "        t[d * w + l] = 0;\n"
    "    for (uint i = l * each; i < (l + 1) * each; i++)\n"
    "        t[(x[i] >> part & 15) * w + l]++;\n"
    "    " BARRIER "    uint carry = 0;\n"
    "    for (uint row = 0; row < 16; row++) {\n"
    "        uint own = t[row * w + l];\n"
    "        for (uint d = 1; d < w; d *= 2) {\n"
    "            uint before = l >= d ? t[row * w + l - d] : 0;\n"
    "            " BARRIER "            t[row * w + l] += before;\n"
    "            " BARRIER "        }\n"
    "        uint all = t[row * w + w - 1];\n"
    "        " BARRIER "        t[row * w + l] += carry - own;\n"
    "        carry += all;\n"
    "    }\n"
    "    " BARRIER "    for (uint i = l * each; i < (l + 1) * each; i++)\n"
    "        y[t[(x[i] >> part & 15) * w + l]++] = x[i];\n}\n";

/* As hillis, but for a barrier that is not there: right where all items of a group go in step. */
static const char careless_text[] = HEAD("careless") "    t[l] = x[g];\n"
                                                     "    " BARRIER "    for (uint d = 1; d < w; d *= 2) {\n"
                                                     "        if (l >= d)\n"
                                                     "            t[l] += t[l - d];\n"
                                                     "        " BARRIER "    }\n"
                                                     "    y[g] = t[l];\n}\n";

/* ---- Their variants in C: `part` is a group's size, or the digit's lowest bit ---- */

static _Atomic uint32_t cpu_calls;

static allot_status scan(allot_call *call, const allot_part *part)
{
    (void)call;
    const uint32_t *x = part->args[0].data, width = *(const uint32_t *)part->args[2].data;
    uint32_t *y = part->args[1].data, sum = 0;
    atomic_fetch_add(&cpu_calls, 1);
    for (size_t i = part->begin; i < part->end; i++)
        y[i] = sum = x[i] + (i % width ? sum : 0);
    return ALLOT_OK;
}

static uint32_t digit_of(uint32_t key, uint32_t lowest)
{
    return key >> lowest & ((1 << DIGIT) - 1);
}

static void sort_by_digit(const uint32_t *from, uint32_t *to, size_t count, uint32_t lowest)
{
    for (uint32_t digit = 0; digit < 1 << DIGIT; digit++)
        for (size_t i = 0; i < count; i++)
            if (digit_of(from[i], lowest) == digit)
                *to++ = from[i];
}

/* The groups' size is that of the local memory, of two numbers an item. */
static allot_status sort_groups(allot_call *call, const allot_part *part)
{
    (void)call;
    const uint32_t *x = part->args[0].data, lowest = *(const uint32_t *)part->args[2].data;
    size_t width = part->args[3].count / (2 * sizeof(uint32_t));
    atomic_fetch_add(&cpu_calls, 1);
    for (size_t i = part->begin; i < part->end; i += width)
        sort_by_digit(x + i, (uint32_t *)part->args[1].data + i, width, lowest);
    return ALLOT_OK;
}

static allot_status sort_all(allot_call *call, const allot_part *part)
{
    (void)call;
    const uint32_t lowest = *(const uint32_t *)part->args[2].data;
    atomic_fetch_add(&cpu_calls, 1);
    sort_by_digit(part->args[0].data, part->args[1].data, part->args[0].shape[0], lowest);
    return ALLOT_OK;
}

/* ---- One kernel with one size of work-groups ---- */

static const allot_param params[] = {
    { .name = "x", .type = ALLOT_U32, .access = ALLOT_READ },
    { .name = "y", .type = ALLOT_U32, .access = ALLOT_WRITE },
    { .name = "part", .type = ALLOT_U32 },
    { .name = "t", .local = true },
};

typedef struct form {
    const char *name, *text;
    allot_cpu_variant cpu;
    size_t numbers; /* in local memory, of each item */
    bool one_group; /* has all keys */
} form;

static const form hillis = { "hillis", hillis_text, scan, 1, false };
static const form swapped = { "swapped", swapped_text, scan, 2, false };
static const form blelloch = { "blelloch", blelloch_text, scan, 1, false };
static const form split = { "split", split_text, sort_groups, 2, false };
static const form pass = { "pass", pass_text, sort_all, 1 << DIGIT, true };
static const form careless = { "careless", careless_text, scan, 1, false };

typedef struct rig {
    const form *form;
    size_t width;
    uint32_t part;
    char options[80];
    allot_selftest_arg args[4];
    allot_selftest test;
    allot_kernel *kernel;
} rig;

static void begin(rig *it, const form *kind, size_t width, uint32_t part, const char *options)
{
    size_t items = kind->one_group ? width : N;
    *it = (rig){ .form = kind, .width = width, .part = part };
    snprintf(it->options, sizeof it->options, "-DKEYS=%d%s%s", N, *options ? " " : "", options);
    it->args[0].shape[0] = it->args[1].shape[0] = N;
    it->args[2].value = part;
    it->args[3].shape[0] = kind->numbers * width * sizeof(uint32_t);
    it->test = (allot_selftest){ .range = { 1, { items } }, .args = it->args };
    it->kernel = allot_kernel_create(
        ALLOT_KERNEL(.name = kind->name, .params = params, .param_count = 4, .cpu = kind->cpu,
                     .grain = SIZE_MAX, .opencl_source = kind->text, .opencl_options = it->options,
                     .opencl_plain = true, .local = { width }, .selftest = &it->test));
    REQUIRE(it->kernel != NULL);
}

/* Done, and still to be released. */
static allot_future *launch(const rig *it, allot_array *x, allot_array *y, const allot_hints *hints)
{
    allot_future *future =
        allot_launch(executor, it->kernel, it->test.range,
                     ALLOT_ARGS(allot_in(x), allot_out(y), allot_u32(it->part),
                                allot_local(it->form->numbers * it->width * sizeof(uint32_t))),
                     hints);
    CHECK_STATUS(allot_wait(future, 300 * SECOND), ALLOT_OK);
    return future;
}

static size_t wrong_keys(allot_array *array, const uint32_t *right)
{
    size_t wrong = 0;
    const uint32_t *found = allot_array_map(array, ALLOT_READ);
    REQUIRE(found != NULL);
    for (size_t i = 0; i < N; i++)
        wrong += found[i] != right[i];
    allot_array_unmap(array);
    return wrong;
}

static void expect(const rig *it, uint32_t *right)
{
    for (size_t i = 0; i < N; i += it->form->one_group ? N : it->width)
        if (it->form->cpu == scan)
            for (size_t j = i; j < i + it->width; j++)
                right[j] = keys[j] + (j > i ? right[j - 1] : 0);
        else
            sort_by_digit(keys + i, right + i, it->form->one_group ? N : it->width, it->part);
}

/* ---- Every device, every size ---- */

static size_t devices_here(allot_place_info infos[16])
{
    size_t devices = 0;
    for (size_t i = 0; i < 16; i++)
        infos[i].size = sizeof infos[0];
    size_t count = allot_places(executor, infos, 16);
    for (size_t i = 0; i < count && i < 16; i++)
        if (infos[i].kind == ALLOT_OPENCL)
            infos[devices++] = infos[i];
    return devices;
}

/* True unless its device takes no groups of that size. The self-test would say what is wrong with it, too. */
static bool is_right_on(const rig *it, const char *id, allot_array *x, allot_array *y)
{
    static uint32_t right[N];
    expect(it, right);
    allot_future *future = launch(it, x, y, ALLOT_HINTS(.place_id = id));
    allot_status status = allot_future_status(future);
    bool fits = status == ALLOT_OK || status == ALLOT_DEVICE;
    if (status != ALLOT_OK && fits)
        printf("\n    %s, groups of %zu: %s", it->form->name, it->width, allot_future_error(future));
    if (status == ALLOT_OK)
        CU_ASSERT_EQUAL(wrong_keys(y, right), 0);
    CHECK(status != ALLOT_DEVICE);
    allot_release(future);
    return fits;
}

static void is_right_everywhere(const form *kind)
{
    allot_place_info infos[16];
    size_t devices = devices_here(infos), ran = 0;
    allot_array *x = allot_array_new(executor, ALLOT_U32, N), *y = allot_array_new(executor, ALLOT_U32, N);
    memcpy(allot_array_map(x, ALLOT_WRITE), keys, sizeof keys);
    allot_array_unmap(x);
    for (size_t d = 0; d < devices; d++) {
        bool slow = strstr(infos[d].name, "Oclgrind") != NULL; /* a simulator */
        for (size_t width = 64; width <= (slow ? 64 : LARGEST); width *= 4)
            for (int plain = 0; plain < (width == 64 && !slow ? 2 : 1); plain++) {
                rig it;
                uint32_t part = kind->cpu == scan ? (uint32_t)width : 2 * DIGIT;
                begin(&it, kind, width, part, plain ? "-cl-opt-disable" : "");
                ran += is_right_on(&it, infos[d].id, x, y);
                allot_kernel_release(it.kernel);
            }
    }
    CHECK(ran > 0);
    allot_array_release(x);
    allot_array_release(y);
}

static void hillis_and_steele(void)
{
    is_right_everywhere(&hillis);
}

static void between_two_buffers(void)
{
    is_right_everywhere(&swapped);
}

static void blelloch_tree(void)
{
    is_right_everywhere(&blelloch);
}

static void split_by_bits(void)
{
    is_right_everywhere(&split);
}

static void pass_over_all(void)
{
    is_right_everywhere(&pass);
}

/* ---- A whole sort, pass for pass ---- */

static int by_key(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static void sorts_by_all_digits(void)
{
    static uint32_t right[N];
    allot_array *from = allot_array_new(executor, ALLOT_U32, N),
                *to = allot_array_new(executor, ALLOT_U32, N);
    memcpy(right, keys, sizeof keys);
    qsort(right, N, sizeof *right, by_key);
    memcpy(allot_array_map(from, ALLOT_WRITE), keys, sizeof keys);
    allot_array_unmap(from);
    for (uint32_t lowest = 0; lowest < 32; lowest += DIGIT) {
        rig it;
        begin(&it, &pass, 64, lowest, "");
        allot_future *future = launch(&it, from, to, ALLOT_HINTS(.place = ALLOT_OPENCL));
        CU_ASSERT_STRING_EQUAL(allot_future_error(future), "");
        allot_release(future);
        allot_kernel_release(it.kernel);
        allot_array *other = from;
        from = to;
        to = other;
    }
    CU_ASSERT_EQUAL(wrong_keys(from, right), 0);
    allot_array_release(from);
    allot_array_release(to);
}

/* ---- One that is wrong on devices ---- */

static void what_a_device_gets_wrong_is_right_in_the_end(void)
{
    static uint32_t right[N];
    rig it;
    if (has_simulator(executor)) {
        printf("not on oclgrind, which reports the race that it is ");
        return;
    }
    allot_array *x = allot_array_new(executor, ALLOT_U32, N), *y = allot_array_new(executor, ALLOT_U32, N);
    memcpy(allot_array_map(x, ALLOT_WRITE), keys, sizeof keys);
    allot_array_unmap(x);
    begin(&it, &careless, 64, 64, "");
    expect(&it, right);
    allot_future *on_device = launch(&it, x, y, ALLOT_HINTS(.place = ALLOT_OPENCL));
    bool wrong_there = allot_future_status(on_device) == ALLOT_DEVICE;
    if (wrong_there)
        expect_text(allot_future_error(on_device), "computes wrongly on");
    else
        CU_ASSERT_EQUAL(wrong_keys(y, right), 0);
    atomic_store(&cpu_calls, 0);
    allot_future *anywhere = launch(&it, x, y, NULL);
    CHECK_STATUS(allot_future_status(anywhere), ALLOT_OK);
    CU_ASSERT_EQUAL(wrong_keys(y, right), 0);
    const allot_decision *decision = allot_future_decision(anywhere);
    for (size_t i = 0; i < decision->candidate_count && wrong_there; i++)
        if (strcmp(decision->candidates[i].place, "opencl:0") == 0)
            expect_text(decision->candidates[i].reason, "computes wrongly");
    printf("%s ", wrong_there ? "(the device was wrong)" : "(the device was right)");
    allot_release(on_device);
    allot_release(anywhere);
    allot_kernel_release(it.kernel);
    allot_array_release(x);
    allot_array_release(y);
}

static const test_fact facts[] = {
    { "a scan after Hillis and Steele is right on every device", hillis_and_steele },
    { "so is one between two buffers", between_two_buffers },
    { "so is one after Blelloch", blelloch_tree },
    { "so is a group's sort by the bits of a digit", split_by_bits },
    { "so is a pass of a radix sort", pass_over_all },
    { "eight passes sort", sorts_by_all_digits },
    { "a scan that a device gets wrong is right in the end, and the decision says so",
      what_a_device_gets_wrong_is_right_in_the_end },
    { NULL, NULL },
};

int main(int argc, char **argv)
{
    setenv("ALLOT_PROGRAMS", "off", 1);
    setenv("ALLOT_LOG", "error", 0);
    setenv("TEST_WATCHDOG_S", "300", 0);
    for (uint32_t i = 0; i < N; i++)
        keys[i] = i * 2654435761u;
    executor = allot_open(ALLOT_OPTIONS(.threads = 1));
    if (!executor || !has_place(executor, ALLOT_OPENCL)) {
        allot_close(executor);
        return test_skip("no OpenCL device");
    }
    int result = watched_main(argc, argv, &(const watched_suite){ "scans and radix sorts", facts, NULL }, 1);
    allot_close(executor);
    return result;
}
