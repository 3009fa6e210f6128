// Dropout (src/Kernels/Rows/Dropout.cs): element i of a site is kept if word i of its key's sequence is not below the threshold. The words
// are Philox4x32-10's (Salmon et al. 2011): word i is word i % 4 of counter i / 4. A thread draws a counter and has its four elements.

INLINE void philox(u64 key, u64 counter, u32 *words)
{
    u32 a = (u32)counter, b = (u32)(counter >> 32), c = 0, d = 0, key0 = (u32)key, key1 = (u32)(key >> 32);
    for (int round = 0; round < 10; round++)
    {
        u32 high0 = multiply_high(a, 0xd2511f53), low0 = a * 0xd2511f53, high1 = multiply_high(c, 0xcd9e8d57), low1 = c * 0xcd9e8d57;
        a = high1 ^ b ^ key0;
        c = high0 ^ d ^ key1;
        b = low1;
        d = low0;
        key0 += 0x9e3779b9;
        key1 += 0xbb67ae85;
    }
    words[0] = a;
    words[1] = b;
    words[2] = c;
    words[3] = d;
}

// y[i] = (residual[i] +) (keep ? x[i] scale : +0); x[0] is element "first" of its site. A threshold of 0 keeps all.
extern "C" __global__ void dropout(
    float *y, const float *x, const float *residual, u64 key, i64 first, i64 count, u32 threshold, float scale)
{
    i64 end = first + count;
    for (i64 counter = first / 4 + first_index(); counter * 4 < end; counter += grid_threads())
    {
        u32 words[4];
        philox(key, (u64)counter, words);
        for (int k = 0; k < 4; k++)
        {
            i64 i = counter * 4 + k - first;
            if (i < 0 || i >= count)
                continue;
            float kept = words[k] >= threshold ? x[i] * scale : 0;
            y[i] = residual ? residual[i] + kept : kept;
        }
    }
}
