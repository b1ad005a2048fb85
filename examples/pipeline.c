/* A producer in a worker process, which may crash without harm, and a consumer in a thread, over one queue.
 */
#include <allot/allot.h>
#include <stdio.h>
#include <stdlib.h>

static allot_status produce(allot_call *call, const void *in, void *out) /* in a worker process */
{
    allot_queue *queue = allot_queue_from(call, in);
    for (double x = 1; queue && x <= 1000; x++)
        allot_queue_push(queue, &x, ALLOT_FOREVER);
    return queue ? allot_queue_close(queue) : allot_last_status();
}

static allot_status add_up(allot_call *call, const void *in, void *out) /* in a thread */
{
    allot_queue *queue = allot_queue_from(call, in);
    for (double x; queue && allot_queue_pop(queue, &x, ALLOT_FOREVER) == ALLOT_OK;)
        *(double *)out += x;
    return queue ? ALLOT_OK : allot_last_status();
}

int main(void)
{
    allot_executor *ex = allot_open(NULL);
    allot_queue *queue = allot_queue_create(ex, 64, sizeof(double));
    if (!queue) {
        fprintf(stderr, "%s\n", allot_last_error());
        return EXIT_FAILURE;
    }
    allot_sync_ref ref = allot_queue_ref(queue);
    allot_future *producer =
        allot_submit(ex, produce, &ref, sizeof ref, 0, ALLOT_HINTS(.place = ALLOT_PROCESS));
    allot_future *sum = allot_submit(ex, add_up, &ref, sizeof ref, sizeof(double), NULL);

    if (allot_get(producer, NULL, 0, ALLOT_FOREVER) != ALLOT_OK) {
        fprintf(stderr, "%s\n", allot_future_error(producer));
        allot_queue_close(queue); /* the consumer need not wait for more */
    }
    double total = 0;
    allot_status status = allot_get(sum, &total, sizeof total, ALLOT_FOREVER);
    printf("%g\n", total); /* 500500 */

    allot_release(producer), allot_release(sum);
    allot_queue_destroy(queue);
    allot_close(ex);
    return status == ALLOT_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
