/* What is to go wrong, and when: calls and commands are counted here, and each asks what shall become of it.
 */
#ifndef OPENCL_LAYER_FAULTS_H
#define OPENCL_LAYER_FAULTS_H

#include "layer.h"

#define LAYER_CALLS(X)                                                                                       \
    X(clGetPlatformIDs)                                                                                      \
    X(clGetPlatformInfo)                                                                                     \
    X(clGetDeviceIDs)                                                                                        \
    X(clGetDeviceInfo)                                                                                       \
    X(clCreateContext)                                                                                       \
    X(clRetainContext)                                                                                       \
    X(clReleaseContext)                                                                                      \
    X(clCreateCommandQueue)                                                                                  \
    X(clCreateCommandQueueWithProperties)                                                                    \
    X(clRetainCommandQueue)                                                                                  \
    X(clReleaseCommandQueue)                                                                                 \
    X(clCreateBuffer)                                                                                        \
    X(clCreateSubBuffer)                                                                                     \
    X(clRetainMemObject)                                                                                     \
    X(clReleaseMemObject)                                                                                    \
    X(clCreateSampler)                                                                                       \
    X(clRetainSampler)                                                                                       \
    X(clReleaseSampler)                                                                                      \
    X(clCreateProgramWithSource)                                                                             \
    X(clCreateProgramWithBinary)                                                                             \
    X(clCreateProgramWithIL)                                                                                 \
    X(clRetainProgram)                                                                                       \
    X(clReleaseProgram)                                                                                      \
    X(clBuildProgram)                                                                                        \
    X(clGetProgramInfo)                                                                                      \
    X(clGetProgramBuildInfo)                                                                                 \
    X(clCreateKernel)                                                                                        \
    X(clRetainKernel)                                                                                        \
    X(clReleaseKernel)                                                                                       \
    X(clGetKernelInfo)                                                                                       \
    X(clGetKernelArgInfo)                                                                                    \
    X(clGetKernelWorkGroupInfo)                                                                              \
    X(clSetKernelArg)                                                                                        \
    X(clEnqueueNDRangeKernel)                                                                                \
    X(clEnqueueReadBuffer)                                                                                   \
    X(clEnqueueWriteBuffer)                                                                                  \
    X(clEnqueueCopyBuffer)                                                                                   \
    X(clEnqueueFillBuffer)                                                                                   \
    X(clEnqueueMapBuffer)                                                                                    \
    X(clEnqueueUnmapMemObject)                                                                               \
    X(clEnqueueMarkerWithWaitList)                                                                           \
    X(clFlush)                                                                                               \
    X(clFinish)                                                                                              \
    X(clCreateUserEvent)                                                                                     \
    X(clSetUserEventStatus)                                                                                  \
    X(clWaitForEvents)                                                                                       \
    X(clGetEventInfo)                                                                                        \
    X(clSetEventCallback)                                                                                    \
    X(clRetainEvent)                                                                                         \
    X(clReleaseEvent)

typedef enum layer_call {
#define LAYER_ENUM(name) CALL_##name,
    LAYER_CALLS(LAYER_ENUM)
#undef LAYER_ENUM
    LAYER_CALL_COUNT
} layer_call;

typedef struct layer_fate {
    cl_int ends;       /* below 0: it is not run, and its event ends with this */
    uint64_t delay_us; /* before it starts */
    bool hangs;        /* it starts when faults_let_go() says so */
} layer_fate;

/* Counts a call. CL_SUCCESS, or the code with which it shall fail. */
cl_int faults_call(layer_call call);
/* Counts a command. */
layer_fate faults_command(bool kernel);
/* CL_SUCCESS, or what every event ends with. */
cl_int faults_lost(void);

/* The layer's own. */
void faults_read_environment(void);
void faults_reset(void);
void faults_fail(const char *call, uint64_t k, cl_int code);
void faults_lose(const char *call, uint64_t k);
void faults_end(uint64_t k, cl_int code);
void faults_delay(uint64_t most_us);
void faults_hang(uint64_t k);
uint64_t faults_calls(const char *call);
uint64_t faults_commands(void);
uint64_t faults_injected(void);

#endif
