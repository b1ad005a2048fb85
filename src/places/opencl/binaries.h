/* Built programs kept on disk from run to run, one file each, so that a driver's compiler need not run again.
 *
 * A file's name is a hash of all that its content depends on: text or module, options, constants, device,
 * driver and its library's file, the variables that drivers read. Its content is checked; what is damaged,
 * or what a driver does not take back, is removed and built anew. Files are replaced by rename; the folder
 * has a limit, beyond which the ones that were used longest ago go. */
#ifndef AL_PLACES_OPENCL_BINARIES_H
#define AL_PLACES_OPENCL_BINARIES_H

#include "core/kernel.h"
#include "places/opencl/device.h"

#define AL_BINARIES_MB 256 /* of a folder; the environment's ALLOT_PROGRAMS_MB sets others */

typedef struct al_binary_key {
    bool usable; /* false: the program must not be kept (it includes files, or is a binary itself) */
    uint64_t words[2];
} al_binary_key;

/* Where programs are kept: the environment's ALLOT_PROGRAMS, else a folder in the user's cache folder; the
 * caller frees it. NULL: nowhere ("off", no such folder, no memory). */
char *al_binaries_folder(void);

al_binary_key al_binaries_key(const al_opencl_device *device, const allot_kernel *kernel, allot_type type,
                              const char *options);

/* Makes the program from the folder's file; it is still to be built, with the same options. False if there
 * is none that is whole. */
bool al_binaries_load(const char *folder, const al_binary_key *key, const al_opencl_device *device,
                      cl_program *program);

/* Removes a file that turned out to be useless. */
void al_binaries_drop(const char *folder, const al_binary_key *key);

/* ---- Notes: what was found out of a program, a line of text ---- */

#define AL_BINARY_NOTE  400
#define AL_BINARY_RIGHT "right"
#define AL_BINARY_WRONG "wrong: "
#define AL_BINARY_SIZES "groups " /* work-group sizes that were the fastest */

/* Writes a note, which begins with one of the three words. */
void al_binaries_note(const char *folder, const al_binary_key *key, const char *note);
/* True if there is one; a bad one holds for AL_VERDICT_BAD_S. */
bool al_binaries_noted(const char *folder, const al_binary_key *key, char note[AL_BINARY_NOTE]);
/* What notes say is wrong on that device, one after the other. */
void al_binaries_wrong(const char *folder, const char *device, char *text, size_t size);

/* Keeps a program that was built for this device alone. What cannot be written is not kept. */
void al_binaries_store(const char *folder, const al_binary_key *key, cl_program program);

#endif
