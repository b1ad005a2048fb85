/* The executor's cost model, for its user. */
#include "executor/executor.h"
#include "placement/keep.h"
#include "placement/list.h"

static allot_status refused(const char *what, const allot_executor *executor, const void *argument)
{
    allot_status status = al_forked() ? ALLOT_FORKED : executor && argument ? ALLOT_OK : ALLOT_INVALID;
    if (status != ALLOT_OK)
        al_last_error(status, "%s: %s", what,
                      status == ALLOT_FORKED ? allot_status_text(status) : "an argument is NULL");
    return status;
}

static allot_status told(allot_status status, al_failure *failure)
{
    if (status != ALLOT_OK)
        al_last_error_take(status, failure);
    else
        al_failure_fini(failure);
    return status;
}

const char *allot_model_path(allot_executor *executor)
{
    const char *path = executor ? al_keep_path(executor->model) : NULL;
    return path ? path : "";
}

allot_status allot_model_save(allot_executor *executor)
{
    al_failure failure = { 0 };
    allot_status status = refused("allot_model_save", executor, executor);
    return status != ALLOT_OK ? status : told(al_keep_save(executor->model, &failure), &failure);
}

allot_status allot_model_export(allot_executor *executor, const char *path)
{
    al_failure failure = { 0 };
    allot_status status = refused("allot_model_export", executor, path);
    return status != ALLOT_OK ? status : told(al_keep_export(executor->model, path, &failure), &failure);
}

allot_status allot_model_import(allot_executor *executor, const char *path, bool foreign)
{
    al_failure failure = { 0 };
    allot_status status = refused("allot_model_import", executor, path);
    if (status != ALLOT_OK)
        return status;
    return told(al_keep_import(executor->model, path, foreign, &failure), &failure);
}

allot_status allot_model_reset(allot_executor *executor)
{
    al_failure failure = { 0 };
    allot_status status = refused("allot_model_reset", executor, executor);
    return status != ALLOT_OK ? status : told(al_keep_reset(executor->model, &failure), &failure);
}

size_t allot_model_rows(allot_executor *executor, allot_model_row *rows, size_t capacity)
{
    if (refused("allot_model_rows", executor, executor) != ALLOT_OK)
        return 0;
    al_keep_load(executor->model);
    return al_model_list(executor->model, rows, capacity);
}

allot_status allot_model_get_rates(allot_executor *executor, allot_model_rates *rates)
{
    allot_status status = refused("allot_model_get_rates", executor, rates);
    if (status != ALLOT_OK)
        return status;
    if (rates->size == 0)
        return ALLOT_INVALID;
    al_keep_load(executor->model);
    al_model_list_rates(executor->model, rates);
    return ALLOT_OK;
}
