/* The sizes of one launch of a program, with the program's lock taken: what tuning says, but nothing that
 * would compile where the launch was promised that nothing will. What was found fastest is kept on disk. */
#ifndef AL_PLACES_OPENCL_PICK_H
#define AL_PLACES_OPENCL_PICK_H

#include "places/opencl/program.h"

/* The sizes, and a trial that al_opencl_pick_end() must be told the end of. `warm`: only what has run before.
 */
void al_opencl_pick(al_opencl_programs *programs, al_opencl_program *program, const al_launch *launch,
                    bool warm, al_opencl_sizes *sizes, al_opencl_trial *trial);
/* How long it ran; negative: it did not, or nobody knows. */
void al_opencl_pick_end(al_opencl_programs *programs, al_opencl_program *program,
                        const al_opencl_trial *trial, int64_t ran_ns);

/* From and to the folder of programs. */
void al_opencl_pick_recall(al_opencl_programs *programs, al_opencl_program *program);
void al_opencl_pick_keep(al_opencl_programs *programs, al_opencl_program *program);

#endif
