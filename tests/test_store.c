/* The model as text: what is written is read, bit for bit; what was not written by us does no harm. */
#include "placement/merge.h"
#include "placement/prior.h"
#include "placement/store.h"
#include "random.h"
#include "support.h"
#include <dirent.h>
#include <string.h>

#define US 1e-6
#define MS 1e-3

static const char machine[] = "A processor, 2 cores; 100 %";

static al_model *made(void)
{
    al_model *model = al_model_create();
    CU_ASSERT_PTR_NOT_NULL_FATAL(model);
    return model;
}

static void learn(al_model *model, const char *kernel, const char *place, double n, double run_s)
{
    al_model_key key = { kernel, ALLOT_F32, place, place[0] == 'o' ? ALLOT_OPENCL : ALLOT_THREAD, 2 };
    al_model_learn(model, &key, (allot_work){ 2 * n, 12 * n }, run_s, place[0] == 'o' ? 0.1 : 0);
}

static double predict(al_model *model, const char *kernel, const char *place, double n)
{
    al_model_key key = { kernel, ALLOT_F32, place, place[0] == 'o' ? ALLOT_OPENCL : ALLOT_THREAD, 2 };
    al_prediction prediction;
    al_model_predict(model, &key, (allot_work){ 2 * n, 12 * n }, &prediction);
    return prediction.run_s;
}

/* Of everything something. */
static al_model *taught(test_random *random)
{
    static const char *const kernels[] = { "axpy", "a kernel, with % and \xc3\xa9", "" };
    static const char *const places[] = { "thread", "opencl:A device (rev 3), driver 1.2" };
    al_model *model = made();
    al_rates rates = al_rates_guess(ALLOT_THREAD);
    rates.flops_per_s = 3.3e9;
    al_model_set_rates(model, &rates);
    for (int i = 0; i < 400; i++) {
        const char *place = places[test_random_index(random, 2)];
        double n = exp(test_random_real(random, 0, 20));
        learn(model, kernels[test_random_index(random, 3)], place, n,
              (10 * US + n * 1e-9) * exp(test_random_normal(random, 0.1)));
        uint64_t bytes = (uint64_t)exp(test_random_real(random, 0, 20));
        al_model_link_learn(al_model_find_link(model, place), i % 2 ? AL_TO_PLACE : AL_FROM_PLACE, bytes, 1,
                            20 * US + (double)bytes * 1e-10);
    }
    al_model_key key = { "axpy", ALLOT_F32, "thread", ALLOT_THREAD, 2, .code = 0xabcdef };
    al_size size = al_size_of((allot_work){ 1e6, 1e6 });
    al_entry_learn(al_model_find(model, &key), &size, &(al_run){ MS, 0, 30 * US });
    return model;
}

static char *text_of(al_model *model, size_t *size)
{
    char *text = NULL;
    FILE *stream = open_memstream(&text, size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    CU_ASSERT_TRUE(al_store_write(model, machine, stream));
    fclose(stream);
    return text;
}

static bool read_text(const char *text, size_t size, bool trusting, al_model **model, char *wrong)
{
    char whose[AL_STORE_MACHINE];
    *model = made();
    wrong[0] = '\0';
    bool good = al_store_read(*model, text, size, whose, trusting, wrong, 300);
    CU_ASSERT_TRUE(good ? strcmp(whose, machine) == 0 || trusting : wrong[0] != '\0');
    return good;
}

static void what_is_written_is_read_bit_for_bit(void)
{
    test_random random = test_random_begin();
    char wrong[300];
    for (int i = 0; i < 20; i++) {
        al_model *model = taught(&random), *copy;
        size_t size, again_size;
        char *text = text_of(model, &size);
        CU_ASSERT_TRUE(read_text(text, size, false, &copy, wrong));
        char *again = text_of(copy, &again_size);
        CU_ASSERT_EQUAL(size, again_size);
        CU_ASSERT_EQUAL(memcmp(text, again, size), 0);
        for (double n = 1; n < 1e9; n *= 7)
            CU_ASSERT_TRUE(
                fabs(log(predict(copy, "axpy", "thread", n) / predict(model, "axpy", "thread", n))) < 0.1);
        free(text);
        free(again);
        al_model_destroy(model);
        al_model_destroy(copy);
    }
}

static void what_has_an_endless_name_is_left_out(void)
{
    char name[5001], wrong[300];
    memset(name, '\xc3', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    al_model *model = made(), *copy;
    learn(model, name, "thread", 1e6, MS);
    learn(model, "axpy", "thread", 1e6, MS);
    size_t size;
    char *text = text_of(model, &size);
    CU_ASSERT_TRUE(size < 2000);
    CU_ASSERT_TRUE(read_text(text, size, false, &copy, wrong));
    CU_ASSERT_TRUE(al_model_has_news(model));
    free(text);
    al_model_destroy(model);
    al_model_destroy(copy);
}

static void an_empty_model_is_one(void)
{
    char wrong[300];
    size_t size;
    al_model *model = made(), *copy;
    predict(model, "axpy", "thread", 5); /* what was only asked for is not written */
    char *text = text_of(model, &size);
    CU_ASSERT_PTR_NULL(strstr(text, "kernel"));
    CU_ASSERT_TRUE(read_text(text, size, false, &copy, wrong));
    free(text);
    al_model_destroy(model);
    al_model_destroy(copy);
}

static void damage_anywhere_is_noticed(void)
{
    test_random random = test_random_begin();
    char wrong[300];
    size_t size;
    al_model *model = made(), *copy;
    learn(model, "axpy", "thread", 1e6, MS);
    learn(model, "dot", "opencl:0", 1e3, MS);
    learn(model, "dot", "opencl:0", 1e3, MS);
    char *text = text_of(model, &size);
    for (size_t at = 0; at < size; at++) {
        char was = text[at];
        for (int i = 0; i < 3; i++) {
            text[at] = (char)(was ^ (1 + (char)test_random_index(&random, 255)));
            CU_ASSERT_FALSE(read_text(text, size, false, &copy, wrong));
            al_model_destroy(copy);
            read_text(text, size, true, &copy, wrong); /* without the checksum it may be a model */
            al_model_destroy(copy);
        }
        text[at] = was;
        CU_ASSERT_FALSE(read_text(text, at, false, &copy, wrong)); /* cut off */
        al_model_destroy(copy);
        read_text(text, at, true, &copy, wrong);
        al_model_destroy(copy);
    }
    free(text);
    al_model_destroy(model);
}

#define HEAD "allot-model 1\nmachine m\n"
#define RATES                                                                                                \
    " 41ddcd6500000000 41fdcd6500000000 421dcd6500000000 3ed4f8b588e368f1 0 3feb333333333333 "               \
    "3feb333333333333"
#define CLASS  "class thread 2 2\n"
#define KERNEL "kernel axpy 10 0" RATES " 3 0 3ff0000000000000\n"
#define BUCKET " 3 c01cc820baa34d59 c01ca3d3e6ea2017 40237f6979e177a2 4022bf910ab16aea 0\n"
#define END    "end 0\n"

static void says_what_is_wrong(void)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        { "", "not a model" },
        { "{\"model\": 1}\n", "not a model" },
        { "allot-model 2\nmachine m\nend 0\n", "version 2" },
        { "allot-model x\nmachine m\nend 0\n", "version x" },
        { HEAD, "its end is missing" },
        { "allot-model 1\nmachine m\nend 0", "cut off" },
        { "allot-model 1\nend 0\n", "whose it is" },
        { "allot-model 1\nmachine\nend 0\n", "line 2: a name is missing" },
        { "allot-model 1\nmachine a%g0\nend 0\n", "broken % sequence" },
        { "allot-model 1\nmachine a%0\nend 0\n", "broken % sequence" },
        { "allot-model 1\nmachine a%00\nend 0\n", "broken % sequence" },
        { HEAD "wings 3\n" END, "line 3: 'wings' is no kind of line" },
        { HEAD "\n" END, "is no kind of line" },
        { HEAD "rates\n" END, "a number is missing" },
        { HEAD "rates 7ff8000000000000\n" END, "does not lie between" },
        { HEAD "rates 0\n" END, "does not lie between" },
        { HEAD KERNEL END, "no class before it" },
        { HEAD "bucket 1" BUCKET END, "no kernel or link before it" },
        { HEAD "compile 0" BUCKET END, "no kernel before it" },
        { HEAD "launch 0" BUCKET END, "no class before it" },
        { HEAD "build 0" BUCKET END, "no class before it" },
        { HEAD "class thread 2\n" END, "a number is missing" },
        { HEAD "class thread 2 -1\n" END, "a number is missing" },
        { HEAD "class thread 99 1\n" END, "'99' is not a number up to 64" },
        { HEAD "class thread 2 2 2\n" END, "it is too long" },
        { HEAD CLASS "kernel axpy 999 0" RATES " 3 0 0\n" END, "'999' is not a number" },
        { HEAD CLASS "kernel axpy 10 0" RATES " 0 0 0\n" END, "nothing ran" },
        { HEAD CLASS KERNEL KERNEL END, "it was there before" },
        { HEAD CLASS KERNEL "bucket 81" BUCKET END, "'81' is not a number up to 80" },
        { HEAD CLASS KERNEL "bucket 1" BUCKET "bucket 1" BUCKET END, "one that was there before" },
        { HEAD CLASS KERNEL "bucket 1 0 0 0 3ff0000000000000 0 0\n" END, "an empty bucket" },
        { HEAD CLASS KERNEL "bucket 1 3 7ff0000000000000 0 3ff0000000000000 0 0\n" END, "inf does not lie" },
        { HEAD CLASS KERNEL "bucket 1 3 0 fff8000000000000 3ff0000000000000 0 0\n" END, "does not lie" },
        { HEAD CLASS KERNEL "bucket 1 3 0 0 0 0 0\n" END, "0 does not lie" },
        { HEAD CLASS KERNEL "bucket 1 99999999999999999999999 0 0 0 0 0\n" END, "is not a number" },
        { HEAD "link thread 2 1 0 0\n" END, "'2' is not a number up to 1" },
        { HEAD "link thread 1 1 0 0\nbucket 1" BUCKET "link thread 1 1 0 0\n" END, "it was there before" },
        { HEAD CLASS KERNEL "bucket 1" BUCKET "link thread 1 1 0 0\ncompile 0" BUCKET END,
          "no kernel before it" },
    };
    char wrong[300];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        al_model *model;
        CU_ASSERT_FALSE(read_text(rows[i].text, strlen(rows[i].text), true, &model, wrong));
        if (!strstr(wrong, rows[i].says))
            printf("[%zu: '%s', not '%s'] ", i, wrong, rows[i].says);
        CU_ASSERT_PTR_NOT_NULL(strstr(wrong, rows[i].says));
        al_model_destroy(model);
    }
}

static void what_is_right_by_hand_is_taken(void)
{
    static const char text[] = HEAD CLASS KERNEL "bucket 32" BUCKET "compile 0" BUCKET END;
    char wrong[300];
    al_model *model;
    CU_ASSERT_TRUE(read_text(text, sizeof text - 1, true, &model, wrong));
    al_model_destroy(model);
    CU_ASSERT_FALSE(read_text(text, sizeof text - 1, false, &model, wrong));
    CU_ASSERT_PTR_NOT_NULL(strstr(wrong, "its checksum is wrong"));
    al_model_destroy(model);
}

/* Lines in any order, numbers of any size: a model or a reason, never a fault, and its predictions are
 * figures.
 */
static void bears_any_lines(void)
{
    static const char *const words[] = { "class",   "kernel", "bucket",           "link",
                                         "launch",  "build",  "compile",          "rates",
                                         "machine", "0",      "3ff0000000000000", "7fefffffffffffff" };
    test_random random = test_random_begin();
    char wrong[300];
    size_t taken = 0;
    for (int i = 0; i < ROUNDS(3000); i++) {
        char text[4000] = HEAD RATES;
        size_t used = strlen(strcpy(text, HEAD CLASS KERNEL));
        for (size_t line = test_random_index(&random, 6); line > 0; line--) {
            for (size_t word = 1 + test_random_index(&random, 8); word > 0; word--)
                used += (size_t)sprintf(text + used, "%s ", words[test_random_index(&random, 12)]);
            text[used - 1] = '\n';
            if (test_random_index(&random, 2))
                used += (size_t)sprintf(text + used, "bucket %zu" BUCKET, test_random_index(&random, 81));
        }
        used += (size_t)sprintf(text + used, END);
        al_model *model;
        if (read_text(text, used, true, &model, wrong)) {
            double run_s = predict(model, "axpy", "thread", 1e5);
            CU_ASSERT_TRUE(isfinite(run_s) && run_s > 0);
            learn(model, "axpy", "thread", 1e5, MS);
            CU_ASSERT_TRUE(isfinite(predict(model, "axpy", "thread", 1e5)));
            taken++;
        }
        al_model_destroy(model);
    }
    CU_ASSERT_TRUE(taken > 10);
}

/* The fuzzer's seeds are what their names say. */
static void seeds_are_what_their_names_say(void)
{
    DIR *folder = opendir(TEST_SEEDS "/model");
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    size_t seen = 0;
    for (struct dirent *found; (found = readdir(folder));) {
        char path[600], text[64 * 1024], whose[AL_STORE_MACHINE], wrong[300] = "";
        if (found->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, TEST_SEEDS "/model/%s", found->d_name);
        FILE *stream = fopen(path, "re");
        CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
        size_t size = fread(text, 1, sizeof text, stream);
        fclose(stream);
        al_model *model = made();
        CU_ASSERT_EQUAL(al_store_read(model, text, size, whose, false, wrong, sizeof wrong),
                        strncmp(found->d_name, "bad_", 4) != 0);
        al_model_destroy(model);
        seen++;
    }
    closedir(folder);
    CU_ASSERT_TRUE(seen >= 7);
}

/* ---- Two models made one ---- */

static al_model *copy_of(al_model *model)
{
    char wrong[300];
    size_t size;
    char *text = text_of(model, &size);
    al_model *copy;
    CU_ASSERT_TRUE(read_text(text, size, false, &copy, wrong));
    free(text);
    return copy;
}

static void what_one_learned_goes_into_the_file_once(void)
{
    al_model *file = made(), *model = made();
    for (int i = 0; i < 10; i++)
        learn(model, "axpy", "thread", 1e6, MS);
    CU_ASSERT_TRUE(al_model_has_news(model));
    CU_ASSERT_TRUE(al_model_contribute(file, model));
    CU_ASSERT_FALSE(al_model_has_news(model));
    CU_ASSERT_TRUE(fabs(log(predict(file, "axpy", "thread", 1e6) / MS)) < 0.05);
    size_t size, same_size;
    char *text = text_of(file, &size);
    CU_ASSERT_TRUE(al_model_contribute(file, model));
    char *same = text_of(file, &same_size);
    CU_ASSERT_TRUE(size == same_size && memcmp(text, same, size) == 0);
    free(text);
    free(same);
    al_model_destroy(file);
    al_model_destroy(model);
}

static void two_that_learned_apart_are_averaged(void)
{
    al_model *file = made(), *first = made(), *second = made();
    learn(file, "axpy", "thread", 1e6, MS);
    al_model *read_first = copy_of(file), *read_second = copy_of(file);
    al_model_absorb(first, read_first, 0.01, false);
    al_model_absorb(second, read_second, 0.01, false);
    CU_ASSERT_FALSE(al_model_has_news(first));
    for (int i = 0; i < 20; i++) {
        learn(first, "axpy", "thread", 1e6, 1.0 * MS);
        learn(second, "axpy", "thread", 1e6, 1.4 * MS);
        learn(second, "dot", "thread", 1e6, 5 * MS);
    }
    CU_ASSERT_TRUE(al_model_contribute(file, first));
    CU_ASSERT_TRUE(al_model_contribute(file, second));
    double run_s = predict(file, "axpy", "thread", 1e6);
    CU_ASSERT_TRUE(run_s > 1.05 * MS && run_s < 1.35 * MS);
    CU_ASSERT_TRUE(fabs(log(predict(file, "dot", "thread", 1e6) / (5 * MS))) < 0.1);
    al_model *all[] = { file, first, second, read_first, read_second };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        al_model_destroy(all[i]);
}

static void what_was_read_is_doubted_and_soon_corrected(void)
{
    al_model *file = made(), *model = made();
    for (int i = 0; i < 30; i++)
        learn(file, "axpy", "thread", 1e6, MS);
    al_model_key key = { "axpy", ALLOT_F32, "thread", ALLOT_THREAD, 2 };
    al_prediction sure, doubtful;
    al_model_predict(file, &key, (allot_work){ 2e6, 12e6 }, &sure);
    al_model_absorb(model, file, 0.02, false);
    al_model_predict(model, &key, (allot_work){ 2e6, 12e6 }, &doubtful);
    CU_ASSERT_TRUE(fabs(log(doubtful.run_s / sure.run_s)) < 0.05);
    CU_ASSERT_TRUE(doubtful.sigma > sure.sigma + 0.05 && doubtful.samples == 30);
    learn(model, "axpy", "thread", 1e6, 1.3 * MS);
    learn(model, "axpy", "thread", 1e6, 1.3 * MS);
    CU_ASSERT_TRUE(predict(model, "axpy", "thread", 1e6) > 1.15 * MS);
    al_model_destroy(file);
    al_model_destroy(model);
}

static void what_is_imported_is_news(void)
{
    al_model *own = made(), *model = made(), *other = made();
    learn(other, "axpy", "thread", 1e6, MS);
    al_model_absorb(model, other, 0.02, true);
    CU_ASSERT_TRUE(al_model_has_news(model));
    CU_ASSERT_TRUE(al_model_contribute(own, model));
    size_t size;
    char *text = text_of(own, &size);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "kernel axpy"));
    free(text);
    al_model_destroy(own);
    al_model_destroy(model);
    al_model_destroy(other);
}

static void forgets_all_but_its_entries(void)
{
    test_random random = test_random_begin();
    al_model *model = taught(&random), *fresh = made();
    al_model_key key = { "axpy", ALLOT_F32, "opencl:0", ALLOT_OPENCL, 2 };
    al_model_entry *entry = al_model_find(model, &key);
    al_size size = al_size_of((allot_work){ 2e6, 12e6 });
    al_prediction before, after;
    for (int i = 0; i < 3; i++)
        al_entry_learn(entry, &size, &(al_run){ 1, 0, -1 });
    al_model_forget(model);
    al_entry_predict(entry, &size, &before);
    al_model_predict(fresh, &key, size.work, &after);
    CU_ASSERT_EQUAL(before.samples, 0);
    CU_ASSERT_EQUAL(before.run_s, after.run_s);
    al_model_destroy(model);
    al_model_destroy(fresh);
}

int main(void)
{
    static const test_fact facts[] = {
        { "what is written is read, bit for bit", what_is_written_is_read_bit_for_bit },
        { "what has an endless name is left out", what_has_an_endless_name_is_left_out },
        { "an empty model is one", an_empty_model_is_one },
        { "damage anywhere is noticed", damage_anywhere_is_noticed },
        { "says what is wrong", says_what_is_wrong },
        { "what is right by hand is taken", what_is_right_by_hand_is_taken },
        { "bears any lines", bears_any_lines },
        { "seeds are what their names say", seeds_are_what_their_names_say },
        { "what one learned goes into the file once", what_one_learned_goes_into_the_file_once },
        { "two that learned apart are averaged", two_that_learned_apart_are_averaged },
        { "what was read is doubted and soon corrected", what_was_read_is_doubted_and_soon_corrected },
        { "what is imported is news", what_is_imported_is_news },
        { "forgets all but its entries", forgets_all_but_its_entries },
        { NULL, NULL },
    };
    return test_main("store", facts);
}
