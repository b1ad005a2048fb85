/* The stdio streams of a worker: whoever sees a call's result is to see what the call has printed. */
#ifndef AL_PLACES_PROCESS_STREAMS_H
#define AL_PLACES_PROCESS_STREAMS_H

/* Flushes what has something to be flushed. fflush(NULL) locks every stream to find that out, which costs
 * more than all the rest of a short call. */
void al_streams_flush(void);

#endif
