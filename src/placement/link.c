#include "placement/link.h"
#include "placement/prior.h"
#include <math.h>

#define MEMORY_TRANSFERS 16
/* One transfer is believed up to this many times more or less than expected; if it is true, the next ones go
 * on from there. */
#define SURPRISE 8.0

void al_link_init(al_link *link)
{
    link->latency_s = AL_PRIOR_TRANSFER_LATENCY_S;
    link->seconds_per_byte = 1 / AL_PRIOR_TRANSFER_BYTES_PER_S;
    link->samples = 0;
}

double al_link_predict(const al_link *link, uint64_t bytes)
{
    return bytes ? link->latency_s + (double)bytes * link->seconds_per_byte : 0;
}

/* Latency and rate each take the blame for an error by their share in the prediction: small transfers teach
 * the latency, large ones the rate. Corrections are factors, so both stay positive. */
void al_link_learn(al_link *link, uint64_t bytes, uint64_t count, double seconds)
{
    if (bytes == 0 || !isfinite(seconds) || seconds < 0)
        return;
    double transfers = count ? (double)count : 1;
    double moving_s = (double)bytes / transfers * link->seconds_per_byte,
           expected_s = link->latency_s + moving_s;
    double ratio = fmin(fmax(seconds / transfers / expected_s, 1 / SURPRISE), SURPRISE);
    double share = moving_s / expected_s;
    link->samples++;
    double weight = 1 / fmin((double)link->samples, MEMORY_TRANSFERS);
    link->latency_s *= pow(ratio, weight * (1 - share));
    link->seconds_per_byte *= pow(ratio, weight * share);
}
