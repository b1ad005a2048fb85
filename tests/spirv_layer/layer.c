/* An OpenCL layer that gives PoCL what it lacks: SPIR-V. A module is translated to the form that PoCL reads
 * (SPIR, a binary of LLVM's) by Debian's llvm-spirv-14, and with specialisation constants once more when it
 * is built. So a program in SPIR-V runs for real on machines whose drivers take none; all other devices are
 * left as they are. Not for many threads at once. */
#include "../layers/entry.h"
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MODULES_MAX   16
#define CONSTANTS_MAX 8

extern char **environ;

static const cl_icd_dispatch *driver; /* what lies below */

/* ---- Modules ---- */

typedef struct module {
    cl_program program; /* as the caller knows it; NULL: free */
    cl_program built;   /* what stands for it; NULL: it does so itself */
    cl_context context;
    char path[64];                     /* of the module */
    char constants[CONSTANTS_MAX][40]; /* the tool's options */
    size_t count;
} module;

static module modules[MODULES_MAX];

static module *find(cl_program program)
{
    for (size_t i = 0; i < MODULES_MAX; i++)
        if (modules[i].program == program)
            return &modules[i];
    return NULL;
}

static cl_program stand_in(cl_program program)
{
    const module *it = program ? find(program) : NULL;
    return it && it->built ? it->built : program;
}

/* ---- The tool ---- */

/* Runs it on the module; what it prints goes to PATH.out. */
static int run_tool(const module *it, const char *const *options, size_t count)
{
    char out[80], name[] = "llvm-spirv-14", *arguments[CONSTANTS_MAX + 6] = { name };
    size_t used = 1;
    pid_t pid;
    int status = -1;
    posix_spawn_file_actions_t actions;
    snprintf(out, sizeof out, "%s.out", it->path);
    for (size_t i = 0; i < count; i++)
        arguments[used++] = (char *)options[i];
    arguments[used] = (char *)it->path;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    if (posix_spawnp(&pid, name, &actions, NULL, arguments, environ) == 0)
        waitpid(pid, &status, 0);
    posix_spawn_file_actions_destroy(&actions);
    return status;
}

static char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *bytes = calloc(1, 1 << 20);
    *size = file && bytes ? fread(bytes, 1, (1 << 20) - 1, file) : 0;
    if (file)
        fclose(file);
    return bytes;
}

static cl_program translate(const module *it, cl_device_id device, cl_int *code)
{
    char bitcode[80];
    const char *options[CONSTANTS_MAX + 3] = { "-r", "-o", bitcode };
    size_t size;
    snprintf(bitcode, sizeof bitcode, "%s.bc", it->path);
    for (size_t i = 0; i < it->count; i++)
        options[3 + i] = it->constants[i];
    *code = CL_INVALID_VALUE;
    if (run_tool(it, options, 3 + it->count) != 0)
        return NULL;
    unsigned char *bytes = (unsigned char *)read_file(bitcode, &size);
    const unsigned char *list[] = { bytes };
    cl_program program = driver->clCreateProgramWithBinary(it->context, 1, &device, &size, list, NULL, code);
    free(bytes);
    return program;
}

static void remove_files(const module *it)
{
    static const char *const ends[] = { "", ".out", ".bc" };
    for (size_t i = 0; i < 3; i++) {
        char path[80];
        snprintf(path, sizeof path, "%s%s", it->path, ends[i]);
        unlink(path);
    }
}

/* ---- Calls ---- */

static int is_pocl(cl_device_id device)
{
    char version[128] = "";
    driver->clGetDeviceInfo(device, CL_DEVICE_VERSION, sizeof version, version, NULL);
    return strstr(version, "PoCL") || strstr(version, "pocl");
}

static cl_int CL_API_CALL get_device_info(cl_device_id device, cl_device_info what, size_t size, void *value,
                                          size_t *needed)
{
    static const char versions[] = "SPIR-V_1.0";
    if (what != CL_DEVICE_IL_VERSION || !is_pocl(device))
        return driver->clGetDeviceInfo(device, what, size, value, needed);
    if (value && size < sizeof versions)
        return CL_INVALID_VALUE;
    if (value)
        memcpy(value, versions, sizeof versions);
    if (needed)
        *needed = sizeof versions;
    return CL_SUCCESS;
}

static cl_device_id device_of(cl_context context)
{
    cl_device_id devices[16] = { NULL };
    driver->clGetContextInfo(context, CL_CONTEXT_DEVICES, sizeof devices, devices, NULL);
    return devices[0];
}

static cl_program CL_API_CALL create_program_with_il(cl_context context, const void *il, size_t length,
                                                     cl_int *tell)
{
    cl_int code = CL_OUT_OF_HOST_MEMORY;
    module *it = find(NULL);
    if (it) {
        *it = (module){ .context = context, .path = "/tmp/allot-spirv-XXXXXX" };
        int fd = mkstemp(it->path);
        if (fd >= 0 && write(fd, il, length) == (ssize_t)length)
            it->program = translate(it, device_of(context), &code);
        if (fd >= 0)
            close(fd);
        if (!it->program)
            remove_files(it);
    }
    if (tell)
        *tell = code;
    return it ? it->program : NULL;
}

/* "Spec const id = 7, size in bytes = 4" */
static cl_int check_constant(const module *it, cl_uint id, size_t size)
{
    static const char *const options[] = { "-spec-const-info" };
    char out[80];
    size_t length;
    cl_int code = CL_INVALID_SPEC_ID;
    run_tool(it, options, 1);
    snprintf(out, sizeof out, "%s.out", it->path);
    char *text = read_file(out, &length);
    for (char *line = text; line && (line = strstr(line, "id = ")); line++) {
        unsigned its_id, its_size;
        if (sscanf(line, "id = %u, size in bytes = %u", &its_id, &its_size) == 2 && its_id == id)
            code = its_size == size ? CL_SUCCESS : CL_INVALID_VALUE;
    }
    free(text);
    return code;
}

static cl_int CL_API_CALL set_constant(cl_program program, cl_uint id, size_t size, const void *value)
{
    module *it = program ? find(program) : NULL;
    uint64_t number = 0;
    if (!it || size > sizeof number || it->count == CONSTANTS_MAX)
        return CL_INVALID_VALUE;
    cl_int code = check_constant(it, id, size);
    memcpy(&number, value, size);
    if (code == CL_SUCCESS)
        snprintf(it->constants[it->count++], sizeof it->constants[0], "-spec-const=%u:i%zu:%llu", id,
                 8 * size, (unsigned long long)number);
    return code;
}

static cl_int CL_API_CALL build_program(cl_program program, cl_uint count, const cl_device_id *devices,
                                        const char *options, void(CL_CALLBACK *notify)(cl_program, void *),
                                        void *user)
{
    module *it = program ? find(program) : NULL;
    cl_int code = CL_SUCCESS;
    if (!it)
        return driver->clBuildProgram(program, count, devices, options, notify, user);
    if (it->count)
        it->built = translate(it, device_of(it->context), &code);
    return code ? code
                : driver->clBuildProgram(stand_in(program), count, devices, "-x spir -spir-std=1.2", NULL,
                                         NULL);
}

static cl_int CL_API_CALL get_program_info(cl_program program, cl_program_info what, size_t size, void *value,
                                           size_t *needed)
{
    return driver->clGetProgramInfo(stand_in(program), what, size, value, needed);
}

static cl_int CL_API_CALL get_program_build_info(cl_program program, cl_device_id device,
                                                 cl_program_build_info what, size_t size, void *value,
                                                 size_t *needed)
{
    return driver->clGetProgramBuildInfo(stand_in(program), device, what, size, value, needed);
}

static cl_kernel CL_API_CALL create_kernel(cl_program program, const char *name, cl_int *tell)
{
    return driver->clCreateKernel(stand_in(program), name, tell);
}

static cl_int CL_API_CALL release_program(cl_program program)
{
    module *it = program ? find(program) : NULL;
    if (it && it->built)
        driver->clReleaseProgram(it->built);
    if (it) {
        remove_files(it);
        *it = (module){ NULL };
    }
    return driver->clReleaseProgram(program);
}

void layer_begin(cl_icd_dispatch *above, const cl_icd_dispatch *below)
{
    driver = below;
    above->clGetDeviceInfo = get_device_info;
    above->clCreateProgramWithIL = create_program_with_il;
    above->clSetProgramSpecializationConstant = set_constant;
    above->clBuildProgram = build_program;
    above->clGetProgramInfo = get_program_info;
    above->clGetProgramBuildInfo = get_program_build_info;
    above->clCreateKernel = create_kernel;
    above->clReleaseProgram = release_program;
}
