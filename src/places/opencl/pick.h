/* The sizes of one launch of a program, with the program's lock taken: what tuning says. What was found
 * fastest is kept on disk. */
#ifndef AL_PLACES_OPENCL_PICK_H
#define AL_PLACES_OPENCL_PICK_H

#include "places/opencl/program.h"

/* The sizes, and a trial that al_opencl_pick_end() must be told the end of. */
void al_opencl_pick(al_opencl_programs *programs, al_opencl_program *program, const al_launch *launch,
                    al_opencl_sizes *sizes, al_opencl_trial *trial);
/* How long it ran; negative: it did not, or nobody knows. */
void al_opencl_pick_end(al_opencl_programs *programs, al_opencl_program *program,
                        const al_opencl_trial *trial, int64_t ran_ns);
/* Lets go of all that a warm launch has, which is not carried out; nothing if it has nothing. */
void al_opencl_pick_nothing(al_opencl_programs *programs, al_opencl_warm *warm);

/* From and to the folder of programs. */
void al_opencl_pick_recall(al_opencl_programs *programs, al_opencl_program *program);
void al_opencl_pick_keep(al_opencl_programs *programs, al_opencl_program *program);

#endif
