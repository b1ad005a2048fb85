/* A link: what moving bytes between the host and a place takes, a latency plus a rate that follow what is
 * seen. */
#ifndef AL_PLACEMENT_LINK_H
#define AL_PLACEMENT_LINK_H

#include <stdint.h>

typedef struct al_link {
    double latency_s, seconds_per_byte;
    uint64_t samples;
} al_link;

void al_link_init(al_link *link);

/* 0 for no bytes. */
double al_link_predict(const al_link *link, uint64_t bytes);

/* `count` transfers of `bytes` altogether took `seconds`. No bytes, and what is not finite or negative, teach
 * nothing. */
void al_link_learn(al_link *link, uint64_t bytes, uint64_t count, double seconds);

#endif
