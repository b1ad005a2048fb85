/* What is remembered of brief loops. */
#include "places/thread/brief.h"
#include "test.h"
#include <pthread.h>

static const al_brief loop = { .body = 0x1000, .user = 0x2000, .items = 1000 };

static void one_that_nobody_told_of_is_not_brief(void)
{
    const al_brief unknown = { .body = 0x5000, .user = 0x6000, .items = 7 };
    CU_ASSERT_FALSE(al_brief_is(&unknown));
    CU_ASSERT_FALSE(al_brief_is(&(al_brief){ 0 }));
}

static void what_took_less_than_a_hand_over_is_brief_until_it_takes_longer(void)
{
    static const struct {
        int64_t took_ns;
        bool brief;
    } times[] = { { 499, true },  { 999, true }, { 1000, false },   { 999, false },
                  { 500, false }, { 0, true },   { 1000000, false } };
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        al_brief_tell(&loop, times[i].took_ns);
        CU_ASSERT_EQUAL(al_brief_is(&loop), times[i].brief);
    }
}

static void another_body_or_user_pointer_or_length_is_another_loop(void)
{
    al_brief others[] = { loop, loop, loop };
    others[0].body++;
    others[1].user++;
    others[2].items++;
    for (size_t i = 0; i < 3; i++) {
        al_brief_tell(&loop, 1);
        CU_ASSERT_TRUE(al_brief_is(&loop));
        CU_ASSERT_FALSE(al_brief_is(&others[i]));
        al_brief_tell(&others[i], 1000000);
        CU_ASSERT_FALSE(al_brief_is(&others[i]));
    }
}

static void *look(void *seen)
{
    *(bool *)seen = al_brief_is(&loop);
    return NULL;
}

static void each_thread_remembers_its_own(void)
{
    bool seen = true;
    pthread_t thread;
    al_brief_tell(&loop, 1);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, look, &seen), 0);
    pthread_join(thread, NULL);
    CU_ASSERT_TRUE(al_brief_is(&loop));
    CU_ASSERT_FALSE(seen);
}

int main(void)
{
    static const test_fact facts[] = {
        { "one that nobody told of is not brief", one_that_nobody_told_of_is_not_brief },
        { "what took less than a hand-over is brief until it takes longer",
          what_took_less_than_a_hand_over_is_brief_until_it_takes_longer },
        { "another body, user pointer or length is another loop",
          another_body_or_user_pointer_or_length_is_another_loop },
        { "each thread remembers its own", each_thread_remembers_its_own },
        { NULL, NULL },
    };
    return test_main("brief", facts);
}
