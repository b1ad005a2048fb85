#include "places/sim/machine.h"
#include <stdlib.h>

static void fini_class(al_sim_class *class)
{
    for (size_t i = 0; i < class->kernel_count; i++) {
        free(class->kernels[i].name);
        free(class->kernels[i].points);
    }
    free(class->kernels);
    free(class->faults);
    free(class->name);
}

void al_sim_machine_destroy(al_sim_machine *machine)
{
    if (!machine)
        return;
    for (size_t i = 0; i < machine->class_count; i++)
        fini_class(&machine->classes[i]);
    free(machine->classes);
    free(machine->links);
    free(machine->name);
    free(machine);
}

size_t al_sim_machine_places(const al_sim_machine *machine)
{
    size_t each = 0;
    for (size_t i = 0; i < machine->class_count; i++)
        each += machine->classes[i].count;
    return each * machine->nodes;
}
