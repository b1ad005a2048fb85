/* Kernels: named numeric operations over an index range, with one or more variants.
 *
 * A kernel says once what it reads and writes. Everything else is derived from that: checks, transfers,
 * chunks for threads and worker processes, the order of launches, cost. */
#ifndef ALLOT_KERNEL_H
#define ALLOT_KERNEL_H

#include <allot/array.h>
#include <allot/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct allot_kernel allot_kernel;

/* ---- Range ---- */

/* The index space of a launch: rank dimensions of `size[d]` indices each, counted from 0. */
typedef struct allot_ndrange {
    size_t rank;    /* 1 to 3 */
    size_t size[3]; /* unused dimensions are 1 */
    /* OpenCL variants count dimension d from offset[d]. Only for kernels whose arrays are all ALLOT_WHOLE,
     * and only devices run it: variants in C count from 0. */
    size_t offset[3];
} allot_ndrange;

ALLOT_API allot_ndrange allot_range(size_t n);
ALLOT_API allot_ndrange allot_range_2d(size_t rows, size_t columns);
ALLOT_API allot_ndrange allot_range_3d(size_t planes, size_t rows, size_t columns);

/* ---- Arguments of a launch ---- */

/* One argument: a view of an array with the access that the caller means, or a scalar. Made by the functions
 * below. */
typedef struct allot_arg {
    allot_type type;     /* a scalar's type; ALLOT_NO_TYPE for a view */
    allot_access access; /* of a view */
    allot_view view;
    union {
        int64_t i;
        uint64_t u;
        float f32;
        double f64;
        unsigned char bytes[16]; /* of a complex number: its real and imaginary part */
    } scalar;
    const void *data; /* of allot_bytes() */
    size_t bytes;     /* of allot_bytes() and allot_local(); 0 for all else */
} allot_arg;

/* A whole array that the kernel reads, writes, or both. The access must be what the kernel's parameter says.
 */
ALLOT_API allot_arg allot_in(allot_array *array);
ALLOT_API allot_arg allot_out(allot_array *array);
ALLOT_API allot_arg allot_inout(allot_array *array);
/* The same for a view. */
ALLOT_API allot_arg allot_in_view(allot_view view);
ALLOT_API allot_arg allot_out_view(allot_view view);
ALLOT_API allot_arg allot_inout_view(allot_view view);
/* Scalars. A floating scalar is converted to the kernel's element type where its parameter is generic. */
ALLOT_API allot_arg allot_f32(float value);
ALLOT_API allot_arg allot_f64(double value);
ALLOT_API allot_arg allot_i32(int32_t value);
ALLOT_API allot_arg allot_u32(uint32_t value);
ALLOT_API allot_arg allot_i64(int64_t value);
ALLOT_API allot_arg allot_u64(uint64_t value);
/* A struct by value, for a parameter with `bytes`: copied by the launch. */
ALLOT_API allot_arg allot_bytes(const void *data, size_t bytes);
/* So many bytes of each work-group's local memory, for a parameter with `local`. */
ALLOT_API allot_arg allot_local(size_t bytes);

/* ALLOT_ARGS(a, b, c): the two arguments `args, arg_count` of allot_launch(). */
#ifndef __cplusplus
#define ALLOT_ARGS(...)                                                                                      \
    (const allot_arg[]){ __VA_ARGS__ }, (sizeof((const allot_arg[]){ __VA_ARGS__ }) / sizeof(allot_arg))
#endif

/* ---- Parameters of a kernel ---- */

/* How the elements of an array parameter relate to the indices of the range's first dimension. It says which
 * part of the array a part of the range touches. */
typedef enum allot_distribution {
    ALLOT_WHOLE,  /* every index may touch any element. A kernel that writes such an array runs as one part */
    ALLOT_SLICED, /* index i touches index i of the view's first dimension only */
    ALLOT_HALO,   /* read only: index i touches indices i - before to i + after, cut at the view's ends */
    /* ALLOT_WRITE only: every index may contribute to every element, by the parameter's `reduce`. Each part
     * of the range adds into an accumulator of its own, as large as the view, and the library combines them
     * into the array; what it held before is lost. Over an empty range it gets the identity. The view is
     * dense; integers, f32 and f64 can be reduced.
     * - A C variant finds its part's accumulator as the argument's data: set to the identity at first, never
     *   touched by another call, to be contributed to.
     * - An OpenCL variant, on devices, writes the values of each work-group (all of them, the identity
     *   included): group g of k elements writes out[g * k] to out[g * k + k - 1], where g is get_group_id(0)
     *   + get_num_groups(0) * (get_group_id(1) + get_num_groups(1) * get_group_id(2)). Such a range is never
     *   cut in pieces. */
    ALLOT_REDUCED
} allot_distribution;

/* The operation of ALLOT_REDUCED. Accumulators are combined pairwise, neighbours first, in the order of their
 * indices: of m accumulators each element sees ceil(log2 m) roundings (Higham, Accuracy and Stability of
 * Numerical Algorithms, 2002, section 4.2). */
typedef enum allot_reduce {
    ALLOT_SUM,    /* identity 0; integers wrap around */
    ALLOT_MIN,    /* identity: the type's largest value, of floating types infinity; a NaN stays */
    ALLOT_MAX,    /* identity: the type's lowest value, of floating types -infinity; a NaN stays */
    ALLOT_PRODUCT /* identity 1; integers wrap around */
} allot_reduce;

/* For types: the launch's own element type T, that of the first array whose parameter says ALLOT_T. */
#define ALLOT_T ALLOT_NO_TYPE

typedef struct allot_param {
    const char *name;
    allot_type type;     /* element or scalar type; ALLOT_T (0) for the launch's own */
    allot_access access; /* of an array: ALLOT_READ, ALLOT_WRITE, ALLOT_READ_WRITE; 0 for a scalar */
    allot_distribution distribution; /* a sliced or halo view is at least as long as the range */
    size_t rank;                     /* of an array's view; 0 means 1 */
    size_t before, after;            /* of ALLOT_HALO: how far it reads around an index */
    bool strided; /* the variants take any strides: OpenCL variants get an allot_layout after the pointer.
                     Otherwise the view must be dense, or it is refused */
    allot_reduce reduce; /* of ALLOT_REDUCED */
    size_t bytes; /* of a scalar: it is a struct of so many bytes, laid out as in C (64 KiB at most); 0: a
                     number of `type`. One above 16 bytes does not travel to worker processes */
    bool local;   /* local memory of each work-group, uninitialised: access is 0, and `type` and `bytes` mean
                     nothing. A C variant gets no data for it, only the count of bytes */
} allot_param;

/* ---- Variants ---- */

/* One argument as a C variant sees it. */
typedef struct allot_value {
    void *data; /* array: its view's element (0, 0, 0). scalar: the value. Global indices hold in every part:
                   data of other parts may not be mapped, so touch only what the parameter's distribution
                   says. Reduced: the part's own accumulator */
    size_t count;     /* array: the view's number of elements; scalar: 1 */
    size_t shape[3];  /* of the view; 1 where unused */
    size_t stride[3]; /* in elements */
} allot_value;

/* The part of a launch that one call of a C variant computes. */
typedef struct allot_part {
    allot_type type;         /* the launch's element type T */
    allot_ndrange range;     /* the whole range */
    size_t begin, end;       /* the part: [begin, end) of the range's first dimension, all of the others */
    const allot_value *args; /* one a parameter */
} allot_part;

/* A variant for CPUs. Called for disjoint parts at once from several threads or processes; called for every
 * index exactly once. */
typedef allot_status (*allot_cpu_variant)(allot_call *call, const allot_part *part);

/* What a launch of the given type, range and arguments costs, for predictions and for throughput figures. */
typedef struct allot_work {
    double flops; /* floating-point operations */
    double bytes; /* bytes that must move between memory and processor at least once */
} allot_work;

/* args as in allot_part, but data is NULL for arrays. Pure; called in the submitter's thread; NULL in the
 * descriptor: the bytes of the views, and one operation an element. */
typedef allot_work (*allot_work_function)(allot_type type, allot_ndrange range, const allot_value *args);

/* Checks what the parameters' descriptions cannot say: shapes that must agree. Returns NULL, or static text
 * that says what is wrong: then the launch is refused with ALLOT_INVALID. Called as allot_work_function is,
 * before it. */
typedef const char *(*allot_check_function)(allot_type type, allot_ndrange range, const allot_value *args);

/* A kernel's descriptor. The texts, params and functions must outlive the kernel. At least one variant is
 * needed. A kernel with a self-test may be built for a device in the background when it is released already:
 * then its C variant must stay until the executors that ran it are closed.
 *
 * The OpenCL variant is OpenCL C text. The library puts before it: `T` (the launch's element type, also
 * `#define T_f32` or `T_f64` ...), `typedef struct { ulong shape[3], stride[3]; } allot_layout;`, and the
 * pragma that enables doubles or halves where T needs it. `opencl_entry` names the kernel function. Its
 * arguments are the parameters in order: a scalar by value, an array as a global pointer to the view's first
 * element, followed by an allot_layout by value if the parameter is `strided`. Work-item d of the range is
 * get_global_id(d). With `tile` set, get_global_id(d) counts tiles: the global size is ceil(range / tile),
 * rounded up to a multiple of `local`, and the variant guards the edges itself. With `local` all 0, a range
 * of one dimension may run in two pieces, unless the text names get_global_size, get_global_offset,
 * get_global_linear_id, get_num_groups or get_group_id: then it is never cut. Its work-groups have one of a
 * few standard sizes; launches that happen anyway try others, if no result can depend on them (a text of its
 * own, without local memory, a barrier or a word about its group), and the fastest is kept, with the programs
 * on disk too. ALLOT_TUNE=off leaves that out; a deterministic launch has the standard size.
 *
 * Before the first launch the entry's own arguments (clGetKernelArgInfo, of programs that keep them) are
 * compared with the parameters: how many, arrays or numbers or local memory, how large, whole numbers (with
 * or without sign) or floating ones. What does not fit is ALLOT_INVALID, and its name is in the message. */
/* ---- Programs on disk ----
 * What a device's driver built from a text or a SPIR-V module is kept when the executor is closed, in
 * ~/.cache/allot/programs, and taken from there by later processes instead of being compiled: by text,
 * options, constants, device, driver, its library's file and the variables that drivers read. A text that
 * includes files is not kept. A file that is damaged, or that others may write, is not believed but replaced;
 * beyond 256 MB those that were used longest ago go. Environment: ALLOT_PROGRAMS (another folder, or "off"),
 * ALLOT_PROGRAMS_MB (another limit). */

/* ---- In the background ----
 * Where a policy only tries a device (allot_choice.explores), and another place can run the launch too,
 * nobody waits for the device's compiler: a thread builds the program, one a device at a time, and until it
 * is built such launches go to the other places; their decisions say "compiling in the background" of the
 * device. A launch that asks for the device, or is expected to be over sooner there with the compiler counted
 * in, waits for the program. One that does not build is remembered: who asks for the device gets ALLOT_BUILD
 * with the compiler's words, other launches leave the device out, and say why. allot_close() waits for what
 * is being built.
 *
 * A launch that names no device (hints.place_id) and comes to one that does not build its program is run
 * elsewhere: by the C variant if there is one, else on another device. ALLOT_BUILD is left where no place
 * that the hints allow takes it. */

/* A specialisation constant of a SPIR-V module: the value of `bytes` bytes for the constant that the module
 * decorates with SpecId `id`. */
typedef struct allot_constant {
    uint32_t id;
    size_t bytes;
    const void *value;
} allot_constant;

/* ---- Self-test ----
 * Drivers miscompile. A kernel with both variants may bring a small problem: before a device first runs the
 * kernel with some element type, the device's variant is compared with the C variant on it. A variant that
 * computes wrongly is not used there: the launch runs elsewhere, its decision says why, and later ones do not
 * consider the device. The outcome is kept beside the programs (ALLOT_PROGRAMS), a bad one for 12 hours, and
 * allot_place_info.message names it. Where the test itself fails (no memory, a lost device), the device is
 * used. The environment's ALLOT_SELFTEST=off leaves all tests out. */

/* What a parameter is given. Values are converted to its element type. */
typedef struct allot_selftest_arg {
    size_t shape[3];      /* of an array; 0 behind its rank. Of local memory: its bytes, first */
    const double *values; /* of an array: an element each; NULL: small numbers, multiples of 1/8 from -1 to 1,
                             of integers from 0 to 7 */
    double value;         /* of a number */
    const void *data;     /* of a struct by value */
} allot_selftest_arg;

typedef struct allot_selftest {
    allot_ndrange range;
    const allot_selftest_arg *args; /* one a parameter */
    double tolerance; /* how far elements may lie apart, in parts of the largest one (at least 1); 0: 1e-2 of
                         f16, 1e-5 of f32 and c32, 1e-12 of f64 and c64. Integers must be equal */
} allot_selftest;

typedef struct allot_kernel_desc {
    size_t size;      /* sizeof(allot_kernel_desc) */
    const char *name; /* identifies the kernel in records, logs and cost models */
    const allot_param *params;
    size_t param_count;
    const allot_type *types; /* what T may be, ended by ALLOT_NO_TYPE; NULL: any */
    allot_cpu_variant cpu;   /* NULL: none */
    size_t grain; /* the fewest indices of the first dimension worth a call of the C variant; 0: 1 */
    const char *opencl_source;  /* NULL: none */
    const char *opencl_entry;   /* NULL: the kernel's name */
    const char *opencl_options; /* build options; NULL: none */
    size_t tile[3];             /* 0: 1 */
    size_t local[3];            /* the work-group size; 0: the library chooses */
    allot_work_function work;
    allot_check_function check; /* NULL: none */
    bool opencl_plain;          /* the text is built as it is: the library puts nothing before it */
    /* Instead of a text: a SPIR-V module, known by its first word, for devices that take one (the others say
     * so and are no candidates), or a program binary, for the device and driver that made it: give the
     * device's name as hints.place_id, or the devices are asked one by one. A driver may crash at a binary
     * that is damaged. Nothing is put before either. Outlives the kernel, as the text must. */
    const void *opencl_program;
    size_t opencl_program_bytes;
    const allot_constant *opencl_constants; /* of SPIR-V; outlive the kernel */
    size_t opencl_constant_count;
    const allot_selftest *selftest; /* NULL: none. Outlives the kernel */
} allot_kernel_desc;

/* ALLOT_KERNEL(.name = "axpy", ...): a descriptor in place, valid to the end of the enclosing block. */
#ifndef __cplusplus
#define ALLOT_KERNEL(...) (&(const allot_kernel_desc){ .size = sizeof(allot_kernel_desc), __VA_ARGS__ })
#endif
ALLOT_API void allot_kernel_desc_init(allot_kernel_desc *desc);

/* Makes a kernel. Returns NULL on a bad descriptor (allot_last_error() names what is wrong). The caller owns
 * one reference. */
ALLOT_API allot_kernel *allot_kernel_create(const allot_kernel_desc *desc);
ALLOT_API allot_kernel *allot_kernel_hold(allot_kernel *kernel);
/* Drops one reference; NULL is fine. Launches in flight hold their kernel themselves. */
ALLOT_API void allot_kernel_release(allot_kernel *kernel);
ALLOT_API const char *allot_kernel_name(const allot_kernel *kernel);

/* What a launch with these arguments would cost by the kernel's own account: allot_work above. Zeroes on bad
 * arguments. */
ALLOT_API allot_work allot_kernel_work(const allot_kernel *kernel, allot_ndrange range, const allot_arg *args,
                                       size_t arg_count);

#ifdef __cplusplus
}
/* Scalars, views and descriptors are plain structs: for the macros that use designated initialisers call the
 * _init functions. */
#if __cplusplus < 201703L
#error "allot needs C++17"
#endif
#include <array>
#define ALLOT_ARGS(...)                                                                                      \
    std::array{ __VA_ARGS__ }.data(), std::tuple_size<decltype(std::array{ __VA_ARGS__ })>::value
#endif
#endif
