/* Where devices are: what drivers say of PCI, in each of the ways they have, and the node that the kernel
 * names for such an address. */
#include "opencl_layer/layer.h"
#include "places/opencl/locality.h"
#include "support.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const opencl_layer *layer;
static cl_device_id device;

typedef struct way {
    const char *name;
    unsigned says[4], means[4]; /* domain, bus, device, function */
} way;

static const way ways[] = {
    { "khr", { 0x10000, 0xc1, 31, 7 }, { 0x10000, 0xc1, 31, 7 } },
    { "nv", { 2, 0xe0, 3, 1 }, { 2, 0xe0, 3, 1 } },
    { "nv without a domain", { 2, 0xe0, 3, 1 }, { 0, 0xe0, 3, 1 } },
    { "amd", { 0, 0xff, 30, 2 }, { 0, 0xff, 30, 2 } }, /* which says it in signed bytes */
};

static void every_way_is_understood(void)
{
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        const way *it = &ways[i];
        al_pci at = { 77, 77, 77, 77 };
        layer->put_on_pci(it->name, it->says[0], it->says[1], it->says[2], it->says[3]);
        CHECK(al_opencl_pci_of(device, &at));
        CU_ASSERT_EQUAL(at.domain, it->means[0]);
        CU_ASSERT_EQUAL(at.bus, it->means[1]);
        CU_ASSERT_EQUAL(at.device, it->means[2]);
        CU_ASSERT_EQUAL(at.function, it->means[3]);
    }
    layer->put_on_pci(NULL, 0, 0, 0, 0);
}

static void who_says_nothing_is_nowhere(void)
{
    al_pci at;
    CHECK(!al_opencl_pci_of(device, &at));
    CU_ASSERT_EQUAL(al_opencl_node_of(device), -1);
    layer->put_on_pci("khr", 0xffff, 0xfe, 31, 7); /* where nothing is */
    CU_ASSERT_EQUAL(al_opencl_node_of(device), -1);
    layer->fail("clGetDeviceInfo", 1, CL_OUT_OF_HOST_MEMORY);
    CU_ASSERT_EQUAL(al_opencl_node_of(device), -1);
    layer->reset();
    layer->put_on_pci(NULL, 0, 0, 0, 0);
}

static void write_line(const char *path, const char *line)
{
    FILE *file = fopen(path, "w");
    REQUIRE(file != NULL);
    fputs(line, file);
    fclose(file);
}

static void the_kernel_names_the_node(void)
{
    char root[] = "/tmp/allot-pci-XXXXXX", path[PATH_MAX], command[PATH_MAX];
    REQUIRE(mkdtemp(root) != NULL);
    snprintf(command, sizeof command, "mkdir -p %s/sys/bus/pci/devices/0002:e0:03.1", root);
    REQUIRE(system(command) == 0);
    snprintf(path, sizeof path, "%s/sys/bus/pci/devices/0002:e0:03.1/numa_node", root);
    al_pci at = { 2, 0xe0, 3, 1 };
    write_line(path, "3\n");
    CU_ASSERT_EQUAL(al_pci_node_in(root, &at), 3);
    write_line(path, "-1\n"); /* the firmware does not tell */
    CU_ASSERT_EQUAL(al_pci_node_in(root, &at), -1);
    write_line(path, "near\n");
    CU_ASSERT_EQUAL(al_pci_node_in(root, &at), -1);
    at.function = 2;
    CU_ASSERT_EQUAL(al_pci_node_in(root, &at), -1);
    snprintf(command, sizeof command, "rm -r %s", root);
    CU_ASSERT_EQUAL(system(command), 0);
}

static void what_runs_on_the_cpus_is_near_all_of_them(void)
{
    allot_executor *executor = allot_open(ALLOT_OPTIONS(.threads = 1));
    REQUIRE(executor != NULL);
    allot_place_info infos[16];
    for (size_t i = 0; i < 16; i++)
        infos[i].size = sizeof infos[i];
    size_t count = allot_places(executor, infos, 16);
    for (size_t i = 0; i < count && i < 16; i++)
        if (infos[i].shares_cpus)
            CU_ASSERT_EQUAL(infos[i].numa_node, -1);
    CHECK_STATUS(allot_close(executor), ALLOT_OK);
}

int main(int argc, char **argv)
{
    static const test_fact facts[] = {
        { "every way in which drivers say it is understood", every_way_is_understood },
        { "a device that does not say where it is, is nowhere", who_says_nothing_is_nowhere },
        { "the kernel names the node", the_kernel_names_the_node },
        { "what runs on the CPUs is near all of them", what_runs_on_the_cpus_is_near_all_of_them },
        { NULL, NULL },
    };
    setenv("OPENCL_LAYERS", TEST_BINARY_DIR "/tests/libopencl_layer.so", 0);
    layer = opencl_layer_find();
    cl_platform_id platform;
    if (!layer || clGetPlatformIDs(1, &platform, NULL) != CL_SUCCESS ||
        clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL) != CL_SUCCESS)
        return test_skip("no OpenCL device behind a loader that takes layers");
    watched_suite suite = { .name = "locality of OpenCL devices", .facts = facts };
    return watched_main(argc, argv, &suite, 1);
}
