#include "executor/sheet.h"
#include <stdlib.h>
#include <string.h>

void al_sheets_fini(al_sheets *sheets)
{
    for (size_t i = 0; i < AL_SHEETS; i++)
        free(sheets->of[i].rows);
}

static size_t index_of(al_sheets *sheets, uint64_t key)
{
    for (size_t i = 0; i < AL_SHEETS; i++)
        if (atomic_load_explicit(&sheets->keys[i], memory_order_relaxed) == key)
            return i;
    size_t index = atomic_fetch_add_explicit(&sheets->oldest, 1, memory_order_relaxed) % AL_SHEETS;
    atomic_store_explicit(&sheets->keys[index], key, memory_order_relaxed);
    return index;
}

static void forget(al_sheet *sheet)
{
    for (size_t i = 0; i < sheet->row_count; i++)
        sheet->rows[i].place = NULL;
}

static bool reserve(al_sheet *sheet, size_t rows)
{
    if (rows <= sheet->row_count)
        return true;
    al_sheet_row *made = aligned_alloc(_Alignof(al_sheet_row), rows * sizeof *made);
    if (!made)
        return false;
    memset(made, 0, rows * sizeof *made);
    free(sheet->rows);
    sheet->rows = made;
    sheet->row_count = rows;
    return true;
}

al_sheet *al_sheet_take(al_sheets *sheets, const al_size *size, size_t rows)
{
    al_sheet *sheet = &sheets->of[index_of(sheets, size->key)];
    if (!al_spin_try(&sheet->lock))
        return NULL;
    if (!reserve(sheet, rows)) {
        al_spin_unlock(&sheet->lock);
        return NULL;
    }
    if (sheet->work.flops != size->work.flops || sheet->work.bytes != size->work.bytes)
        forget(sheet);
    sheet->work = size->work;
    if (sheet->runs)
        sheet->now = atomic_load_explicit(sheet->runs, memory_order_relaxed);
    return sheet;
}

void al_sheet_give(al_sheet *sheet)
{
    if (sheet)
        al_spin_unlock(&sheet->lock);
}
