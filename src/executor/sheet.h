/* A sheet: what launches of one kernel and type with the same account of work cost on each place, as far as
 * the moment does not matter: candidates that are filled in but for queues and transfers.
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

typedef struct al_sheet_row {
    const al_place *place; /* NULL: empty */
    uint64_t changes;      /* the class's when the model was asked */
    uint64_t moment;       /* the sheet's then */
    al_entry_marks marks;
    double launch_s;           /* al_prediction's: in no figure of the candidate */
    allot_candidate candidate; /* those of its figures that the moment decides are undefined */
} al_sheet_row;

typedef struct al_sheet {
    al_spin lock;                 /* guards all below */
    uint64_t moment;              /* in steps of the kernel's runs */
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

/* The sheet for that work, with so many rows, for the caller alone until it gives it back. NULL: somebody
 * else has it, or memory is out. */
al_sheet *al_sheet_take(al_sheets *sheets, const al_size *size, size_t rows);
void al_sheet_give(al_sheet *sheet);

/* Whether the row still says what the model would say of that place. */
static inline bool al_sheet_holds(const al_sheet *sheet, const al_sheet_row *row, const al_place *place)
{
    return row->place == place && row->moment == sheet->moment &&
           row->changes == atomic_load_explicit(row->marks.changes, memory_order_acquire);
}

#endif
