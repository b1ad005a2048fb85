/* The cost model's file: with its checksum looked at or not, it is a model whose predictions are figures and
 * which is written as it was read, or there is a reason. */
#include "placement/model.h"
#include "placement/store.h"
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

static void ask(al_model *model)
{
    static const double sizes[] = { 0, 1e3, 1e7, 1e12 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        al_model_key key = { "axpy", ALLOT_F32, "thread", ALLOT_THREAD, 2 };
        al_prediction prediction;
        allot_work work = { sizes[i], sizes[i] };
        al_model_predict(model, &key, work, &prediction);
        must(isfinite(prediction.run_s) && prediction.run_s > 0, "a prediction is no figure");
        must(isfinite(prediction.sigma) && prediction.low_s <= prediction.run_s, "a bound is no figure");
        al_model_learn(model, &key, work, 1e-3, 0);
        must(isfinite(al_model_transfer_s(model, "thread", (uint64_t)sizes[i])), "a transfer is no figure");
    }
}

static char *write_it(al_model *model, const char *machine, size_t *size)
{
    char *text = NULL;
    FILE *stream = open_memstream(&text, size);
    must(stream && al_store_write(model, machine, stream), "it cannot be written");
    fclose(stream);
    return text;
}

static void write_and_read(al_model *model, const char *machine)
{
    char again[AL_STORE_MACHINE], wrong[300];
    size_t size, second_size;
    char *text = write_it(model, machine, &size);
    al_model *copy = al_model_create();
    must(copy && al_store_read(copy, text, size, again, false, wrong, sizeof wrong),
         "it cannot be read again");
    char *second = write_it(copy, again, &second_size);
    must(size == second_size && memcmp(text, second, size) == 0, "it is not what was written");
    free(text);
    free(second);
    al_model_destroy(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char machine[AL_STORE_MACHINE], wrong[300] = "";
    for (int trusting = 0; trusting < 2; trusting++) {
        al_model *model = al_model_create();
        if (model &&
            al_store_read(model, (const char *)bytes, size, machine, trusting, wrong, sizeof wrong)) {
            write_and_read(model, machine);
            ask(model);
        } else {
            must(wrong[0] != '\0', "it does not say what is wrong");
        }
        al_model_destroy(model);
    }
    return 0;
}
