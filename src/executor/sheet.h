/* A sheet: what launches of one kernel and type with the same account of work cost on each place, as far as
 * the moment does not matter: all of a candidate but queues and transfers.
 *
 * Programs launch alike things in a row, and of the places hardly more than one has learned anything since
 * the last decision: the others' candidates are copied, without asking the model. One decision at a time has
 * a sheet; who finds it taken asks the model. */
#ifndef AL_EXECUTOR_SHEET_H
#define AL_EXECUTOR_SHEET_H

#include "base/spin.h"
#include "placement/model.h"
#include "places/place.h"

enum {
    AL_SHEETS = 8 /* of a kernel and type */
};

/* Two lines of the cache. */
typedef struct al_sheet_row {
    _Alignas(64) const al_place *place; /* NULL: empty */
    const _Atomic uint64_t *mark;       /* of changes: al_entry_marks */
    uint64_t changes;                   /* the class's when the model was asked */
    uint64_t until;                     /* so many runs of the kernel it holds */
    uint64_t samples;                   /* this and the next seven as in al_prediction */
    double run_s, low_s, high_s, spread, compile_s, launch_s, launch_low_s;
    const char *id, *alike; /* the place's and its class's */
    double watts;
    uint32_t index; /* of the place */
    allot_kind kind;
} al_sheet_row;

typedef struct al_sheet {
    al_spin lock;                 /* guards all below */
    uint64_t now;                 /* the kernel's runs when it was taken */
    const _Atomic uint64_t *runs; /* of the kernel; NULL: no row was filled yet */
    allot_work work;
    size_t row_count;
    al_sheet_row *rows;
} al_sheet;

typedef struct al_sheets {
    _Atomic uint64_t keys[AL_SHEETS]; /* of the sheets' works; hints where to look */
    _Atomic unsigned oldest;
    al_sheet of[AL_SHEETS];
} al_sheets;

void al_sheets_fini(al_sheets *sheets);

/* The sheet for that work, with at least so many rows, for the caller alone until it gives it back. NULL:
 * somebody else has it, or memory is out. */
al_sheet *al_sheet_take(al_sheets *sheets, const al_size *size, size_t rows);
void al_sheet_give(al_sheet *sheet);

/* Whether the row still says what the model would say of that place. */
static inline bool al_sheet_holds(const al_sheet *sheet, const al_sheet_row *row, const al_place *place)
{
    return row->place == place && sheet->now < row->until &&
           row->changes == atomic_load_explicit(row->mark, memory_order_acquire);
}

#endif
