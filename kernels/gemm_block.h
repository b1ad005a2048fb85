/* The loops of gemm_plain.c for one element type: it includes this file once for each, with T and OF(name)
 * defined. */

/* C = beta*C; beta = 0 must not read C: it may hold anything. */
static void OF(scale)(const al_gemm_product *product)
{
    const T beta = (T)product->beta;
    for (size_t i = 0; i < product->m; i++) {
        T *c = (T *)product->c.data + i * product->c.stride[0];
        for (size_t j = 0; j < product->n; j++, c += product->c.stride[1])
            *c = beta == 0 ? 0 : beta * *c;
    }
}

/* Copies rows [p, p + depth) of B, columns [j, j + width), in strips of STRIP columns; the last one filled up
 * with zeros. */
static void OF(pack_b)(const al_gemm_matrix *b, size_t p, size_t depth, size_t j, size_t width, T *block)
{
    for (size_t strip = 0; strip < width; strip += STRIP)
        for (size_t q = 0; q < depth; q++) {
            const T *row = (const T *)b->data + (p + q) * b->stride[0] + (j + strip) * b->stride[1];
            for (size_t s = 0; s < STRIP; s++)
                *block++ = strip + s < width ? row[s * b->stride[1]] : 0;
        }
}

/* Copies alpha times rows [i, i + rows) of A, columns [p, p + depth), column by column; missing rows are
 * zeros. */
static void OF(pack_a)(const al_gemm_product *product, size_t i, size_t rows, size_t p, size_t depth,
                       T *block)
{
    const al_gemm_matrix *a = &product->a;
    const T alpha = (T)product->alpha;
    for (size_t q = 0; q < depth; q++) {
        const T *column = (const T *)a->data + i * a->stride[0] + (p + q) * a->stride[1];
        for (size_t r = 0; r < HEIGHT; r++)
            *block++ = r < rows ? alpha * column[r * a->stride[0]] : 0;
    }
}

/* sum = a*b for one tile; its loops are of constant length so that the sums stay in vector registers. */
static void OF(multiply_tile)(size_t depth, const T *restrict a, const T *restrict b, T *restrict sum)
{
    T tile[HEIGHT][STRIP] = { { 0 } };
    for (size_t q = 0; q < depth; q++, a += HEIGHT, b += STRIP)
        for (size_t r = 0; r < HEIGHT; r++)
            for (size_t s = 0; s < STRIP; s++)
                tile[r][s] += a[r] * b[s];
    for (size_t r = 0; r < HEIGHT; r++)
        for (size_t s = 0; s < STRIP; s++)
            sum[r * STRIP + s] = tile[r][s];
}

static void OF(add_tile)(const al_gemm_matrix *c, size_t i, size_t rows, size_t j, size_t columns,
                         const T *sum)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t s = 0; s < columns; s++)
            ((T *)c->data)[(i + r) * c->stride[0] + (j + s) * c->stride[1]] += sum[r * STRIP + s];
}

/* C += A*B for columns [p, p + depth) of A and the packed block of B, whose columns begin at j. */
static void OF(multiply_block)(const al_gemm_product *product, size_t p, size_t depth, size_t j, size_t width,
                               const T *block)
{
    T a[DEPTH * HEIGHT], sum[HEIGHT * STRIP];
    for (size_t i = 0; i < product->m; i += HEIGHT) {
        size_t rows = at_most(product->m - i, HEIGHT);
        OF(pack_a)(product, i, rows, p, depth, a);
        for (size_t strip = 0; strip < width; strip += STRIP) {
            OF(multiply_tile)(depth, a, block + strip * depth, sum);
            OF(add_tile)(&product->c, i, rows, j + strip, at_most(width - strip, STRIP), sum);
        }
    }
}

static void OF(multiply)(const al_gemm_product *product, T *block)
{
    OF(scale)(product);
    for (size_t j = 0; j < product->n; j += WIDTH)
        for (size_t p = 0; p < product->k; p += DEPTH) {
            size_t width = at_most(product->n - j, WIDTH), depth = at_most(product->k - p, DEPTH);
            OF(pack_b)(&product->b, p, depth, j, width, block);
            OF(multiply_block)(product, p, depth, j, width, block);
        }
}
