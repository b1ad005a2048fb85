#include "faults.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define ANY LAYER_CALL_COUNT

static const char *const names[] = {
#define LAYER_NAME(name) #name,
    LAYER_CALLS(LAYER_NAME)
#undef LAYER_NAME
};

/* A call to come: `left` of these names are still to be made before it is the one. */
typedef struct trap {
    unsigned call; /* ANY: of all */
    uint64_t left; /* 0: not armed */
    cl_int code;
} trap;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static uint64_t calls[LAYER_CALL_COUNT + 1], commands, injected;
static trap failing, losing, ending, hanging;
static bool lost;
static uint64_t most_delay_us, random_state = 88172645463325252u;

/* True when this is the one. */
static bool trips(trap *armed, unsigned call)
{
    if (!armed->left || (armed->call != ANY && armed->call != call))
        return false;
    return --armed->left == 0;
}

static bool is_release(layer_call call)
{
    return call == CALL_clReleaseContext || call == CALL_clReleaseCommandQueue ||
           call == CALL_clReleaseMemObject || call == CALL_clReleaseSampler ||
           call == CALL_clReleaseProgram || call == CALL_clReleaseKernel || call == CALL_clReleaseEvent;
}

cl_int faults_call(layer_call call)
{
    cl_int code = CL_SUCCESS;
    pthread_mutex_lock(&lock);
    calls[call]++;
    calls[ANY]++;
    if (trips(&failing, call))
        code = failing.code;
    if (trips(&losing, call))
        lost = true;
    if (lost && !is_release(call))
        code = CL_DEVICE_NOT_AVAILABLE;
    injected += code != CL_SUCCESS;
    pthread_mutex_unlock(&lock);
    return code;
}

/* xorshift64: Marsaglia, Xorshift RNGs, Journal of Statistical Software 8(14), 2003. */
static uint64_t any_number(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

layer_fate faults_command(bool kernel)
{
    layer_fate fate = { CL_SUCCESS, 0, false };
    pthread_mutex_lock(&lock);
    commands++;
    if (trips(&ending, ANY))
        fate.ends = ending.code;
    if (kernel)
        fate.hangs = trips(&hanging, ANY);
    if (most_delay_us)
        fate.delay_us = any_number() % (most_delay_us + 1);
    injected += fate.ends != CL_SUCCESS || fate.hangs;
    pthread_mutex_unlock(&lock);
    return fate;
}

cl_int faults_lost(void)
{
    pthread_mutex_lock(&lock);
    cl_int code = lost ? CL_DEVICE_NOT_AVAILABLE : CL_SUCCESS;
    pthread_mutex_unlock(&lock);
    return code;
}

/* ---- Arming ---- */

static unsigned call_named(const char *name)
{
    unsigned call = 0;
    while (call < LAYER_CALL_COUNT && name && strcmp(names[call], name) != 0)
        call++;
    return name ? call : ANY;
}

static void arm(trap *which, const char *call, uint64_t k, cl_int code)
{
    pthread_mutex_lock(&lock);
    *which = (trap){ call_named(call), k, code };
    pthread_mutex_unlock(&lock);
}

void faults_fail(const char *call, uint64_t k, cl_int code)
{
    arm(&failing, call, k, code);
}

void faults_lose(const char *call, uint64_t k)
{
    arm(&losing, call, k, CL_DEVICE_NOT_AVAILABLE);
}

void faults_end(uint64_t k, cl_int code)
{
    arm(&ending, NULL, k, code);
}

void faults_hang(uint64_t k)
{
    arm(&hanging, NULL, k, CL_SUCCESS);
}

void faults_delay(uint64_t most_us)
{
    pthread_mutex_lock(&lock);
    most_delay_us = most_us;
    pthread_mutex_unlock(&lock);
}

void faults_reset(void)
{
    pthread_mutex_lock(&lock);
    memset(calls, 0, sizeof calls);
    commands = injected = most_delay_us = 0;
    failing = losing = ending = hanging = (trap){ 0 };
    lost = false;
    pthread_mutex_unlock(&lock);
}

static uint64_t read_count(const uint64_t *count)
{
    pthread_mutex_lock(&lock);
    uint64_t value = *count;
    pthread_mutex_unlock(&lock);
    return value;
}

uint64_t faults_calls(const char *call)
{
    return read_count(&calls[call_named(call)]);
}

uint64_t faults_commands(void)
{
    return read_count(&commands);
}

uint64_t faults_injected(void)
{
    return read_count(&injected);
}

void faults_read_environment(void)
{
    char call[64];
    unsigned long long k;
    int code;
    const char *text = getenv("OPENCL_LAYER_FAIL");
    if (text && sscanf(text, "%63[^:]:%llu:%d", call, &k, &code) == 3)
        faults_fail(strcmp(call, "any") == 0 ? NULL : call, k, code);
    text = getenv("OPENCL_LAYER_LOSE");
    if (text && sscanf(text, "%63[^:]:%llu", call, &k) == 2)
        faults_lose(strcmp(call, "any") == 0 ? NULL : call, k);
    text = getenv("OPENCL_LAYER_END");
    if (text && sscanf(text, "%llu:%d", &k, &code) == 2)
        faults_end(k, code);
    text = getenv("OPENCL_LAYER_DELAY");
    if (text && sscanf(text, "%llu", &k) == 1)
        faults_delay(k);
    text = getenv("OPENCL_LAYER_HANG");
    if (text && sscanf(text, "%llu", &k) == 1)
        faults_hang(k);
}
