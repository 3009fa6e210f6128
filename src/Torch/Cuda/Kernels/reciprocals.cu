// Looks whether this GPU's reciprocal_from_one() is what it says: for every step-th number from 1 to 2^126, differing[t] = how many of
// those that thread t tries have another correctly rounded reciprocal. With a step of 1 that is each number there is, 126 2^23 of them.
extern "C" __global__ void reciprocals(int *differing, u32 step)
{
    const u32 One = 0x3f800000, Last = One + (126u << 23);
    int count = 0;
    for (u64 bits = One + first_index() * (u64)step; bits <= Last; bits += grid_threads() * (u64)step)
    {
        float x = of_bits((u32)bits);
        count += bits_of(reciprocal_from_one(x)) != bits_of(reciprocal(x));
    }
    differing[first_index()] = count;
}
ENTRY(reciprocals)
