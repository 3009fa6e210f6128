// What dropout multiplies attention's weights by (src/Kernels/Attention/AttentionMask.cs), of one micro-batch: the weight of query i for
// key j in a row (a head of a sequence) stays if word j % 4 of counter (j / 4, i, row, 0) is not below the threshold. A thread draws a
// counter and has its four keys.
extern "C" __global__ void attention_mask(float *mask, i64 rows, int queries, int keys, u64 key, u32 threshold, float scale)
{
    i64 fours = (keys + 3) / 4, count = rows * queries * fours;
    bool aligned = is_aligned<4>(mask) && keys % 4 == 0;
    for (i64 i = first_index(); i < count; i += grid_threads())
    {
        i64 line = i / fours, four = i % fours;
        u32 words[4];
        philox(key, (u64)(line % queries) << 32 | (u64)four, (u32)(line / queries), words);
        float factors[4];
        UNROLL
        for (int k = 0; k < 4; k++)
            factors[k] = words[k] >= threshold ? scale : 0;
        Neighbours<4> n(four * 4, keys, aligned);
        store<f32>(mask + line * keys, factors, n);
    }
}

ENTRY(attention_mask)
