/* Pace: how fast a device of a kind never seen is, from two small kernels of our own, measured in some
 * hundredths of a second beside other places' work.
 *
 * What a device says of itself (compute units, clock) is of little use: two that say the same have been seen
 * to lie a factor of a hundred apart. The first launch that is tried there would pay for the mistake. */
#ifndef AL_PLACES_OPENCL_PACE_H
#define AL_PLACES_OPENCL_PACE_H

struct al_opencl;

/* Fills the place's paces, once; leaves them empty where the device does not do it. */
void al_opencl_pace_measure(struct al_opencl *self);

#endif
