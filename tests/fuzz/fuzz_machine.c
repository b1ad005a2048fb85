/* The reader of machine files: what it takes is consistent, what it refuses it explains. */
#include "places/sim/cost.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void fail(const char *why)
{
    fprintf(stderr, "%s\n", why);
    abort();
}

static void check_class(const al_sim_class *class)
{
    if (!class->name || !class->count || class->lookahead > 16)
        fail("a class without a name or devices");
    if (class->own_memory && !(class->to.bytes_per_s > 0 && class->from.bytes_per_s > 0))
        fail("a memory without links");
    for (size_t i = 0; i < class->kernel_count; i++)
        for (double flops = 1; flops < 1e15; flops *= 1000) {
            al_sim_cost cost = al_sim_cost_of(class, class->kernels[i].name, (allot_work){ flops, 0 });
            if (isnan(cost.mean_s) || cost.mean_s < 0)
                fail("a kernel without a time");
        }
    if (al_sim_end_ns(class, 0, 1, 1000000) < 1)
        fail("an end before the beginning");
    al_sim_death_ns(class, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    al_failure failure = { 0 };
    allot_status status = ALLOT_OK;
    al_sim_machine *machine = al_sim_machine_read((const char *)bytes, size, "input", &status, &failure);
    if (!machine && (status == ALLOT_OK || !failure.message || strncmp(failure.message, "input: ", 7) != 0))
        fail("refused without the place");
    if (machine && (status != ALLOT_OK || failure.message))
        fail("read, and a failure");
    for (size_t i = 0; machine && i < machine->class_count; i++)
        check_class(&machine->classes[i]);
    if (machine && (!al_sim_machine_places(machine) || al_sim_machine_places(machine) > AL_SIM_PLACES_MAX))
        fail("no places, or too many");
    al_sim_machine_destroy(machine);
    al_failure_fini(&failure);
    return 0;
}
