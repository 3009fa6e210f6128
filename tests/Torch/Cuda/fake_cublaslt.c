/* A fake library of products for tests, not NVIDIA's: cublasLt as far as Elastic calls it, on memory of the process. It computes each
   product plainly, with sums in fp32, and checks what the real one takes on trust: that objects come in their places, that attributes have
   their sizes, that matrices fit each other and begin at multiples of 16 bytes, and that the workspace is what was promised. Its first
   proposals are of no use: a split sum, one that failed, one that needs too much memory. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { Ok = 0, Invalid = 7, Failed = 13, NotSupported = 15 };
enum { Handle = 101, Description, Layout, Preference };
enum { Fp32 = 0, Fp16 = 2, Bf16 = 14, ComputeFp32 = 68 };
enum { Id, Tile, SplitK, Reduction, Swizzling, Custom, Stages, Inner, Cluster, Attributes };
static const size_t bytes_of[Attributes] = {4, 4, 4, 4, 4, 4, 4, 2, 2};

struct object
{
    int kind, transposes_a, transposes_b, has_bias, type, alignments, no_splits;
    const void *bias;
    int64_t rows, columns, stride, apart;
    int32_t count;
    uint64_t workspace;
};
/* 64 bytes that nobody else can read. */
struct algorithm { uint32_t values[Attributes]; uint32_t is_proposal, is_made; uint8_t rest[20]; };
struct result { struct algorithm algorithm; size_t workspace; int state; float waves; int reserved[4]; };

static char *calls;
static size_t used;
static int fail_after = -1, fail_with, only_splits, variant, refused_tile = -1;
static int fail_next, fail_next_preference;
/* Handles and preferences that nobody has freed. */
static int held;
static uint64_t promised;

static void record(const char *line)
{
    size_t length = strlen(line);
    calls = realloc(calls, used + length + 1);
    memcpy(calls + used, line, length + 1);
    used += length;
}

/* ---- What tests ask of the fake. */
const char *fake_calls(void) { return calls ? calls : ""; }
void fake_clear(void) { used = 0; if (calls) *calls = 0; }
/* The product after so many answers with a status; never where that is negative. */
void fake_fail(int after, int status) { fail_after = after; fail_with = status; }
/* The next handle or question for an algorithm answers with a status. */
void fake_fail_next(int status) { fail_next = status; }
/* Of the next preference, the next attribute. */
void fake_fail_next_preference(int status) { fail_next_preference = status; }
int fake_held(void) { return held; }
/* Proposes nothing but split sums. */
void fake_only_splits(int only) { only_splits = only; }
/* Proposes other tiles from now on. */
void fake_variant(int which) { variant = which; }
/* Computes by no algorithm of that tile. */
void fake_refuse(int tile) { refused_tile = tile; }
size_t fake_result_bytes(void) { return sizeof(struct result); }

static int is(const struct object *o, int kind) { return o != NULL && o->kind == kind; }
static int is_held(int kind) { return kind == Handle || kind == Preference; }
static struct object *make(int kind)
{
    struct object *o = calloc(1, sizeof *o);
    o->kind = kind;
    held += is_held(kind);
    return o;
}
static int end(struct object *o, int kind)
{
    if (!is(o, kind))
        return Invalid;
    held -= is_held(kind);
    o->kind = 0;
    free(o);
    return Ok;
}
static int is_type(int type) { return type == Fp32 || type == Fp16 || type == Bf16; }

/* ---- The library. */
size_t cublasLtGetVersion(void) { return 120803; }
const char *cublasLtGetStatusString(int status)
{
    return status == Failed ? "the GPU program failed to execute" : status == NotSupported ? "the function is not supported"
         : status == Invalid ? "an unsupported value or parameter" : "a status of the fake";
}
static int failure(void) { int status = fail_next; fail_next = 0; return status; }
int cublasLtCreate(struct object **made)
{
    int failed = failure();
    *made = failed ? NULL : make(Handle);
    return failed;
}
int cublasLtDestroy(struct object *o) { return end(o, Handle); }
int cublasLtMatmulDescCreate(struct object **made, int compute, int scale)
{
    if (compute != ComputeFp32 || scale != Fp32)
        return Invalid;
    *made = make(Description);
    return Ok;
}
int cublasLtMatmulDescSetAttribute(struct object *o, int attribute, const void *value, size_t bytes)
{
    if (!is(o, Description))
        return Invalid;
    if ((attribute == 3 || attribute == 4) && bytes == 4 && !(*(const int *)value & ~1))
        *(attribute == 3 ? &o->transposes_a : &o->transposes_b) = *(const int *)value;
    else if (attribute == 7 && bytes == 4 && *(const int *)value == 4)
        o->has_bias = 1;
    else if (attribute == 8 && bytes == 8 && o->has_bias)
        o->bias = *(const void *const *)value;
    else
        return Invalid;
    return Ok;
}
int cublasLtMatmulDescDestroy(struct object *o) { return end(o, Description); }
int cublasLtMatrixLayoutCreate(struct object **made, int type, uint64_t rows, uint64_t columns, int64_t stride)
{
    if (!is_type(type) || rows == 0 || columns == 0 || stride < (int64_t)rows)
        return Invalid;
    *made = make(Layout);
    (*made)->type = type, (*made)->rows = rows, (*made)->columns = columns, (*made)->stride = stride, (*made)->count = 1;
    return Ok;
}
int cublasLtMatrixLayoutSetAttribute(struct object *o, int attribute, const void *value, size_t bytes)
{
    if (!is(o, Layout))
        return Invalid;
    if (attribute == 5 && bytes == 4 && *(const int32_t *)value > 0)
        o->count = *(const int32_t *)value;
    else if (attribute == 6 && bytes == 8)
        o->apart = *(const int64_t *)value;
    else
        return Invalid;
    return Ok;
}
int cublasLtMatrixLayoutDestroy(struct object *o) { return end(o, Layout); }
int cublasLtMatmulPreferenceCreate(struct object **made) { *made = make(Preference); return Ok; }
int cublasLtMatmulPreferenceSetAttribute(struct object *o, int attribute, const void *value, size_t bytes)
{
    int failed = fail_next_preference;
    fail_next_preference = 0;
    if (failed)
        return failed;
    if (!is(o, Preference))
        return Invalid;
    if (attribute == 1 && bytes == 8)
        o->workspace = *(const uint64_t *)value;
    else if (attribute == 3 && bytes == 4)
        o->no_splits = *(const uint32_t *)value == 0;
    else if (attribute >= 5 && attribute <= 8 && bytes == 4 && *(const uint32_t *)value == 16)
        o->alignments++;
    else
        return Invalid;
    return Ok;
}
int cublasLtMatmulPreferenceDestroy(struct object *o) { return end(o, Preference); }

/* Whether op(A) op(B) is a D; the length of the inner axis, else 0. */
static int64_t inner_of(struct object *d, struct object *a, struct object *b, struct object *of)
{
    if (!is(d, Description) || !is(a, Layout) || !is(b, Layout) || !is(of, Layout) || a->type != b->type)
        return 0;
    if (a->count != b->count || a->count != of->count)
        return 0;
    if ((of->type != Fp32 && of->type != a->type) || d->has_bias != (d->bias != NULL))
        return 0;
    int64_t rows = d->transposes_a ? a->columns : a->rows, inner = d->transposes_a ? a->rows : a->columns;
    int64_t down = d->transposes_b ? b->columns : b->rows, columns = d->transposes_b ? b->rows : b->columns;
    return rows == of->rows && columns == of->columns && inner == down ? inner : 0;
}

static struct result propose(uint32_t id, uint32_t tile, uint32_t split, uint32_t reduction, size_t workspace, int state)
{
    struct result r;
    memset(&r, 0, sizeof r);
    uint32_t values[Attributes] = {id, tile, split, reduction, 1, 3, 36, 5, 2};
    memcpy(r.algorithm.values, values, sizeof values);
    r.algorithm.is_proposal = r.algorithm.is_made = 1;
    r.workspace = workspace, r.state = state, r.waves = 1;
    return r;
}

int cublasLtMatmulAlgoGetHeuristic(
    struct object *handle, struct object *d, struct object *a, struct object *b, struct object *c, struct object *of,
    struct object *preference, int most, struct result *results, int *count)
{
    int64_t inner = inner_of(d, a, b, of);
    int failed = failure();
    if (failed)
        return failed;
    if (!is(handle, Handle) || inner == 0 || c != of || !is(preference, Preference) || most < 4)
        return Invalid;
    if (preference->alignments != 4 || !preference->no_splits)
        return Invalid;
    promised = preference->workspace;
    char line[128];
    snprintf(line, sizeof line, "propose %d %lld %lld %lld\n", a->type, (long long)of->rows, (long long)of->columns, (long long)inner);
    record(line);
    results[0] = propose(6, 20, 4, 2, 0, Ok);
    results[1] = propose(7, 20, 1, 0, 0, NotSupported);
    results[2] = propose(8, 20, 1, 0, preference->workspace + 1, Ok);
    uint32_t tile = 100 + (uint32_t)((of->rows + 3 * of->columns + 7 * inner) % 97) + variant;
    results[3] = propose(66, tile, 1, 0, preference->workspace / 2, Ok);
    *count = only_splits ? 1 : 4;
    return Ok;
}
int cublasLtMatmulAlgoConfigGetAttribute(const struct algorithm *a, int attribute, void *value, size_t bytes, size_t *written)
{
    if (!a->is_made || attribute < 0 || attribute >= Attributes || bytes != bytes_of[attribute] || written == NULL)
        return Invalid;
    memcpy(value, &a->values[attribute], bytes);
    *written = bytes;
    return Ok;
}
int cublasLtMatmulAlgoConfigSetAttribute(struct algorithm *a, int attribute, const void *value, size_t bytes)
{
    if (!a->is_made || attribute <= Id || attribute >= Attributes || bytes != bytes_of[attribute])
        return Invalid;
    a->values[attribute] = 0;
    memcpy(&a->values[attribute], value, bytes);
    return Ok;
}
int cublasLtMatmulAlgoInit(struct object *handle, int compute, int scale, int a, int b, int c, int d, int id, struct algorithm *made)
{
    if (!is(handle, Handle) || compute != ComputeFp32 || scale != Fp32 || !is_type(a) || a != b || c != d || (c != Fp32 && c != a))
        return Invalid;
    memset(made, 0, sizeof *made);
    made->is_made = 1, made->values[Id] = id;
    return Ok;
}
int cublasLtMatmulAlgoCheck(
    struct object *handle, struct object *d, struct object *a, struct object *b, struct object *c, struct object *of,
    const struct algorithm *algorithm, struct result *result)
{
    if (!is(handle, Handle) || inner_of(d, a, b, of) == 0 || c != of || !algorithm->is_made)
        return Invalid;
    if ((int)algorithm->values[Tile] == refused_tile)
        return NotSupported;
    result->state = Ok;
    result->workspace = algorithm->values[Id] == 8 ? promised + 1 : promised / 2;
    return Ok;
}

static float get(const void *at, int type, int64_t index)
{
    if (type == Fp32)
        return ((const float *)at)[index];
    if (type == Fp16)
        return (float)((const _Float16 *)at)[index];
    uint32_t bits = (uint32_t)((const uint16_t *)at)[index] << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}
static void put(void *at, int type, int64_t index, float value)
{
    if (type == Fp32)
        ((float *)at)[index] = value;
    else if (type == Fp16)
        ((_Float16 *)at)[index] = (_Float16)value;
    else
    {
        uint32_t bits;
        memcpy(&bits, &value, 4);
        /* To the nearest, and where there are two of them to the even one. */
        ((uint16_t *)at)[index] = (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    }
}

int cublasLtMatmul(
    struct object *handle, struct object *d, const float *alpha, const void *a, struct object *of_a, const void *b, struct object *of_b,
    const float *beta, const void *c, struct object *of_c, void *result, struct object *of_d, const struct algorithm *algorithm,
    void *workspace, size_t workspace_bytes, void *stream)
{
    int64_t inner = inner_of(d, of_a, of_b, of_d);
    if (!is(handle, Handle) || inner == 0 || of_c != of_d || workspace == NULL || workspace_bytes != promised || !algorithm->is_made)
        return Invalid;
    if (((uintptr_t)a | (uintptr_t)b | (uintptr_t)c | (uintptr_t)result | (uintptr_t)workspace | (uintptr_t)d->bias) % 16 != 0)
        return Invalid;
    char line[256];
    int at = snprintf(line, sizeof line, "multiply %p %s", stream, algorithm->is_proposal ? "opaque" : "made");
    for (int i = 0; i < Attributes; i++)
        at += snprintf(line + at, sizeof line - at, " %u", algorithm->values[i]);
    snprintf(line + at, sizeof line - at, " of %d %d%s\n", of_a->type, of_d->type, d->has_bias ? " with bias" : "");
    record(line);
    if (fail_after >= 0 && fail_after-- == 0)
        return fail_with;
    memset(workspace, 0xff, workspace_bytes < 64 ? workspace_bytes : 64);
    for (int64_t n = 0; n < of_d->count; n++)
        for (int64_t j = 0; j < of_d->columns; j++)
            for (int64_t i = 0; i < of_d->rows; i++)
            {
                float sum = 0;
                int64_t to = n * of_d->apart + i + j * of_d->stride;
                for (int64_t k = 0; k < inner; k++)
                    sum += get(a, of_a->type, n * of_a->apart + (d->transposes_a ? k + i * of_a->stride : i + k * of_a->stride)) *
                           get(b, of_b->type, n * of_b->apart + (d->transposes_b ? j + k * of_b->stride : k + j * of_b->stride));
                float added = *beta == 0 ? 0 : *beta * get(c, of_c->type, to);
                added += d->has_bias ? get(d->bias, of_d->type, i) : 0;
                put(result, of_d->type, to, *alpha * sum + added);
            }
    return Ok;
}
