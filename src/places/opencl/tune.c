#include "places/opencl/tune.h"
#include "base/setting.h"
#include <stdio.h>
#include <string.h>

#define FIRST    3     /* runs of the standard size before others are tried */
#define RUNS     2     /* of each that is tried, of which the quicker counts */
#define SHARE    0.05  /* of the time that launches ran, to be lost by trials */
#define SHORT_NS 50000 /* what takes less is mostly what any launch takes: no size would change it */
#define SHAPE_NS 1e8   /* what a new shape is taken to cost on a CPU device, until it is known: compiling */
#define BETTER   0.93  /* less may be chance */
#define HOPELESS 1.5   /* needs no second run */
#define LOOK     64    /* launches from one look at a class that is settled to the next */
#define SLOWER   2     /* than when it was chosen, */
#define SLOW     8     /* so often in a row: something has changed, and all begins anew */

al_opencl_tune_how al_opencl_tune_how_asked(void)
{
    static const char *const words[] = { [AL_OPENCL_TUNE_CHEAPLY] = "cheaply",
                                         [AL_OPENCL_TUNE_NEVER] = "off",
                                         [AL_OPENCL_TUNE_ALWAYS] = "always",
                                         NULL };
    return (al_opencl_tune_how)al_setting_word("ALLOT_TUNE", words, AL_OPENCL_TUNE_CHEAPLY);
}

/* ---- Classes ---- */

static uint8_t logarithm(size_t count)
{
    return count ? (uint8_t)(63 - __builtin_clzll(count)) : 0;
}

static al_opencl_class class_key(const al_launch *launch)
{
    al_opencl_class key = { .rank = (uint8_t)launch->range.rank };
    for (size_t d = 0; d < 3; d++)
        key.extent[d] = logarithm(launch->range.size[d]);
    return key;
}

static bool is_same(const al_opencl_class *one, const al_opencl_class *other)
{
    return one->rank == other->rank && memcmp(one->extent, other->extent, sizeof one->extent) == 0;
}

/* NULL: there is no room for another. */
static al_opencl_class *find(al_opencl_tuning *tuning, const al_launch *launch)
{
    al_opencl_class key = class_key(launch);
    for (size_t i = 0; i < tuning->count; i++)
        if (is_same(&tuning->classes[i], &key))
            return &tuning->classes[i];
    if (tuning->count == AL_OPENCL_CLASSES)
        return NULL;
    tuning->classes[tuning->count] = key;
    return &tuning->classes[tuning->count++];
}

static al_opencl_class *class_of(al_opencl_tuning *tuning, const al_opencl_trial *trial)
{
    return trial->number ? &tuning->classes[trial->number - 1] : NULL;
}

static bool is_settled(const al_opencl_class *class)
{
    return class->next == AL_OPENCL_VARIANTS;
}

/* ---- Before a launch ---- */

static bool is_affordable(const al_opencl_tuning *tuning, const al_opencl_class *class, bool on_cpu)
{
    double more_ns = class->warm ? 0 : tuning->shape_ns;
    if (on_cpu && !class->warm && !tuning->tried && more_ns < SHAPE_NS)
        more_ns = SHAPE_NS; /* what has run before may be in the driver's own cache */
    return class->lost_ns + more_ns <= SHARE * class->busy_ns;
}

static void go_on(al_opencl_class *class)
{
    class->next++;
    class->runs = 0;
    class->warm = false;
}

/* True with the sizes of the next one to be tried, if this launch is to try one. */
static bool find_trial(al_opencl_class *class, const al_launch *launch, const al_opencl_device *device,
                       const al_opencl_limits *limits, al_opencl_sizes *sizes)
{
    while (!is_settled(class)) {
        if (al_opencl_sizes_variant(launch, device, limits, class->next, sizes))
            return true;
        go_on(class); /* there is no such size for this range */
    }
    return false;
}

static const char *words_of(const al_opencl_class *class, const al_opencl_sizes *sizes, size_t variant)
{
    if (!sizes->chosen)
        return "the kernel's own";
    if (!class)
        return "chosen";
    if (!is_settled(class))
        return variant && variant == class->next ? "on trial" : "the best so far";
    if (class->recalled)
        return "the fastest in an earlier run";
    return class->tried ? "the fastest of those tried" : "chosen";
}

void al_opencl_tune_known(al_opencl_tuning *tuning, const al_launch *launch, const al_opencl_device *device,
                          const al_opencl_limits *limits, al_opencl_sizes *sizes, al_opencl_trial *trial)
{
    al_opencl_class *class = limits->open && !launch->deterministic ? find(tuning, launch) : NULL;
    size_t variant = class ? class->best : 0;
    if (!al_opencl_sizes_variant(launch, device, limits, variant, sizes))
        al_opencl_sizes_variant(launch, device, limits, variant = 0, sizes);
    /* How long it takes is of interest while others are compared with it, and then now and then. */
    *trial = (al_opencl_trial){ .number = class ? (uint8_t)(class - tuning->classes + 1) : 0,
                                .wanted = class && (!is_settled(class) || class->launches % LOOK == 0),
                                .variant = (uint8_t)variant,
                                .items = (double)launch->items,
                                .words = words_of(class, sizes, variant) };
}

/* ---- The same launch again ---- */

static bool is_answered(const al_opencl_answer *latest, const al_launch *launch)
{
    const size_t *size = launch->range.size, *answered = latest->range;
    return latest->there && latest->rank == launch->range.rank && answered[0] == size[0] &&
           answered[1] == size[1] && answered[2] == size[2] &&
           latest->has_offset == al_launch_has_offset(launch) &&
           latest->deterministic == launch->deterministic;
}

static void remember(al_opencl_tuning *tuning, const al_launch *launch, const al_opencl_sizes *sizes,
                     const al_opencl_trial *trial)
{
    const al_opencl_class *class = class_of(tuning, trial);
    const size_t *size = launch->range.size;
    tuning->latest = (al_opencl_answer){ .there = !class || is_settled(class),
                                         .has_offset = al_launch_has_offset(launch),
                                         .deterministic = launch->deterministic,
                                         .rank = launch->range.rank,
                                         .range = { size[0], size[1], size[2] },
                                         .sizes = *sizes,
                                         .trial = *trial };
}

static void answer_again(al_opencl_tuning *tuning, al_opencl_sizes *sizes, al_opencl_trial *trial)
{
    *sizes = tuning->latest.sizes;
    *trial = tuning->latest.trial;
    const al_opencl_class *class = class_of(tuning, trial);
    trial->wanted = class && class->launches % LOOK == 0;
}

static void ask(al_opencl_tuning *tuning, al_opencl_tune_how how, const al_launch *launch,
                const al_opencl_device *device, const al_opencl_limits *limits, al_opencl_sizes *sizes,
                al_opencl_trial *trial)
{
    al_opencl_sizes other;
    al_opencl_tune_known(tuning, launch, device, limits, sizes, trial);
    al_opencl_class *class = class_of(tuning, trial);
    if (!class || class->next == 0 || class->pending || how == AL_OPENCL_TUNE_NEVER ||
        (how == AL_OPENCL_TUNE_CHEAPLY && !is_affordable(tuning, class, device->on_cpu)))
        return;
    if (find_trial(class, launch, device, limits, &other)) {
        *sizes = other;
        trial->variant = class->next;
    }
    trial->words = words_of(class, sizes, trial->variant);
}

void al_opencl_tune_next(al_opencl_tuning *tuning, al_opencl_tune_how how, const al_launch *launch,
                         const al_opencl_device *device, const al_opencl_limits *limits,
                         al_opencl_sizes *sizes, al_opencl_trial *trial)
{
    if (is_answered(&tuning->latest, launch)) {
        answer_again(tuning, sizes, trial);
        return;
    }
    ask(tuning, how, launch, device, limits, sizes, trial);
    remember(tuning, launch, sizes, trial);
}

static bool is_on_trial(const al_opencl_class *class, const al_opencl_trial *trial)
{
    return trial->variant && trial->variant == class->next;
}

void al_opencl_tune_begin(al_opencl_tuning *tuning, const al_opencl_trial *trial)
{
    al_opencl_class *class = class_of(tuning, trial);
    if (!class)
        return;
    class->launches++;
    class->pending = class->pending || is_on_trial(class, trial);
}

/* ---- After it ---- */

/* The standard size is known: the others' turn, where there can be a difference. */
static void begin_trials(al_opencl_class *class, double ran_ns)
{
    class->runs = 0;
    class->next = ran_ns < SHORT_NS ? AL_OPENCL_VARIANTS : 1;
}

/* What was tried has shown what it can. */
static void conclude(al_opencl_tuning *tuning, al_opencl_class *class, bool refused)
{
    double *item_ns = class->item_ns;
    if (!refused && item_ns[class->next] < BETTER * item_ns[class->best])
        class->best = class->next;
    go_on(class);
    class->tried++;
    tuning->changed = tuning->changed || is_settled(class);
}

/* The first launch in a shape: a driver may have compiled meanwhile. */
static void learn_cold(al_opencl_tuning *tuning, al_opencl_class *class, const al_opencl_trial *trial,
                       double ran_ns)
{
    double usual_ns = class->item_ns[class->best] * trial->items;
    double more_ns = ran_ns > usual_ns ? ran_ns - usual_ns : 0;
    if (usual_ns == 0)
        tuning->first_ns = ran_ns;
    else if (is_on_trial(class, trial)) {
        tuning->shape_ns = more_ns;
        tuning->tried = class->warm = true;
        class->lost_ns += more_ns;
    }
}

static void learn_warm(al_opencl_tuning *tuning, al_opencl_class *class, const al_opencl_trial *trial,
                       double ran_ns)
{
    double *least = &class->item_ns[trial->variant], item_ns = ran_ns / trial->items,
           best_ns = class->item_ns[class->best];
    if (*least == 0 || item_ns < *least)
        *least = item_ns;
    if (tuning->first_ns > ran_ns && !tuning->tried)
        tuning->shape_ns = tuning->first_ns - ran_ns;
    tuning->first_ns = 0;
    if (trial->variant != class->next)
        return;
    class->runs++;
    if (class->next == 0 && class->runs >= FIRST)
        begin_trials(class, class->item_ns[0] * trial->items);
    if (!is_on_trial(class, trial))
        return;
    class->lost_ns += item_ns > best_ns ? (item_ns - best_ns) * trial->items : 0;
    if (class->runs >= RUNS || item_ns > HOPELESS * best_ns)
        conclude(tuning, class, false);
}

/* Of a class that is settled: whether it still is as it was. */
static void look(al_opencl_tuning *tuning, al_opencl_class *class, const al_opencl_trial *trial,
                 double ran_ns)
{
    double usual_ns = class->item_ns[class->best] * trial->items;
    if (trial->cold || trial->variant != class->best)
        return;
    if (usual_ns == 0)
        class->item_ns[class->best] = ran_ns / trial->items;
    class->slow = usual_ns > 0 && ran_ns > SLOWER * usual_ns ? class->slow + 1 : 0;
    if (class->slow < SLOW || ran_ns <= SHORT_NS)
        return;
    *class = (al_opencl_class){ .rank = class->rank,
                                .extent = { class->extent[0], class->extent[1], class->extent[2] } };
    tuning->latest.there = false;
}

void al_opencl_tune_end(al_opencl_tuning *tuning, const al_opencl_trial *trial, int64_t ran_ns)
{
    al_opencl_class *class = class_of(tuning, trial);
    if (!class || !trial->wanted)
        return;
    bool tried = is_on_trial(class, trial);
    class->pending = class->pending && !tried;
    if (ran_ns <= 0 || trial->items <= 0)
        return;
    class->busy_ns += (double)ran_ns;
    if (is_settled(class))
        look(tuning, class, trial, (double)ran_ns);
    else if (trial->refused && tried)
        conclude(tuning, class, true);
    else if (trial->cold)
        learn_cold(tuning, class, trial, (double)ran_ns);
    else if (!trial->refused)
        learn_warm(tuning, class, trial, (double)ran_ns);
}

/* ---- From run to run ---- */

void al_opencl_tune_write(const al_opencl_tuning *tuning, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "%s", AL_OPENCL_TUNE_WORD);
    for (size_t i = 0; i < tuning->count; i++) {
        const al_opencl_class *class = &tuning->classes[i];
        if (is_settled(class) && (class->tried || class->recalled) && used + 32 < size)
            used += (size_t)snprintf(text + used, size - used, " %d/%d/%d/%d=%d", class->rank,
                                     class->extent[0], class->extent[1], class->extent[2], class->best);
    }
}

static bool read_class(const char **text, al_opencl_class *class)
{
    int length = 0;
    unsigned rank, extent[3], best;
    if (sscanf(*text, " %u/%u/%u/%u=%u%n", &rank, &extent[0], &extent[1], &extent[2], &best, &length) != 5 ||
        rank < 1 || rank > 3 || extent[0] > 63 || extent[1] > 63 || extent[2] > 63 ||
        best >= AL_OPENCL_VARIANTS)
        return false;
    *text += length;
    *class = (al_opencl_class){ .rank = (uint8_t)rank,
                                .extent = { (uint8_t)extent[0], (uint8_t)extent[1], (uint8_t)extent[2] },
                                .best = (uint8_t)best,
                                .next = AL_OPENCL_VARIANTS,
                                .recalled = true };
    return true;
}

void al_opencl_tune_read(al_opencl_tuning *tuning, const char *text)
{
    size_t word = strlen(AL_OPENCL_TUNE_WORD);
    if (strncmp(text, AL_OPENCL_TUNE_WORD, word) != 0)
        return;
    text += word;
    while (tuning->count < AL_OPENCL_CLASSES && read_class(&text, &tuning->classes[tuning->count]))
        tuning->count++;
}
