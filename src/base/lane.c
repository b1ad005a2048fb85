#include "base/lane.h"
#include "base/blocks.h"
#include "base/slab.h"
#include <pthread.h>
#include <stdlib.h>

_Thread_local al_lane *al_lane_mine __attribute__((tls_model("initial-exec")));

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static al_lane *all;                                     /* the newest first */
static al_lane *unused;                                  /* lanes of threads that have ended */
static unsigned numbers;                                 /* given out so far */
static pthread_key_t key;                                /* its destructor hears of a thread's end */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static al_lane emergency = { .number = AL_LANE_SHARED };

static void give_back(void *of)
{
    al_lane *lane = of;
    al_slab_flush();
    if (al_lane_mine) /* threads that come and go would leave what each may keep */
        al_blocks_trim();
    al_lane_mine = NULL; /* a later destructor of this thread may need one again */
    pthread_mutex_lock(&lock);
    lane->next = unused;
    unused = lane;
    pthread_mutex_unlock(&lock);
}

static bool key_made;

static void make_key(void)
{
    key_made = pthread_key_create(&key, give_back) == 0;
}

_Static_assert(sizeof(al_lane) <= 64, "a lane is a cache line");

static al_lane *create(void)
{
    al_lane *lane = aligned_alloc(64, 64);
    if (!lane)
        return NULL;
    *lane = (al_lane){ .number = numbers < AL_LANE_SHARED ? numbers++ : AL_LANE_SHARED, .older = all };
    return all = lane;
}

al_lane *al_lane_take(void)
{
    pthread_once(&once, make_key);
    pthread_mutex_lock(&lock);
    al_lane *lane = unused;
    if (lane)
        unused = lane->next;
    else
        lane = create();
    pthread_mutex_unlock(&lock);
    if (!lane)
        return &emergency;
    if (!key_made || pthread_setspecific(key, lane) != 0) {
        give_back(lane);
        return &emergency;
    }
    return al_lane_mine = lane;
}
