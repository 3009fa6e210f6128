namespace Elastic.Kernels;

/// <summary>
/// Sixteen lanes of 32 bits, whatever the registers' width: fp32 numbers, or integers in the same bits. Kernels are written once in terms
/// of them, and the compiler makes a copy for each implementation. Every operation here gives the same bits in all of them (IEEE 754
/// fixes + - * / square root and fused multiply-add; the rest is integer arithmetic or written out), so kernels do, too.
///
/// Where the processor has no fused multiply-add, <see cref="Fma"/> is the C library's exact <c>fmaf</c>: right, and slow.
/// </summary>
internal unsafe interface ILanes<T>
    where T : struct, ILanes<T>
{
    /// <summary>Lanes 0 to 15 from p[0] to p[15]; any alignment.</summary>
    static abstract T Load(float* p);

    /// <summary>The first <paramref name="count"/> lanes from memory, 0 &lt;= count &lt;= 16; the others are +0 and not read.</summary>
    static abstract T LoadFirst(float* p, int count);

    /// <summary>Writes p[0] to p[15].</summary>
    static abstract void Store(T x, float* p);

    /// <summary>Writes p[0] to p[count - 1], 0 &lt;= count &lt;= 16.</summary>
    static abstract void StoreFirst(T x, float* p, int count);

    /// <summary>Sixteen numbers of 16 bits, p[0] to p[15]: each in the lower half of a lane, zeros above.</summary>
    static abstract T LoadNarrow(ushort* p);

    /// <summary>Writes the lower halves of the lanes, p[0] to p[15]; the upper ones are zero.</summary>
    static abstract void StoreNarrow(T x, ushort* p);

    /// <summary>A vector with <paramref name="x"/> in all lanes.</summary>
    static abstract T Broadcast(float x);

    /// <summary>A vector with the 32 bits of <paramref name="x"/> in all lanes.</summary>
    static abstract T Bits(int x);

    /// <summary>All ones in the first <paramref name="count"/> lanes, else zero; any count.</summary>
    static abstract T First(int count);

    static abstract T operator +(T a, T b);

    static abstract T operator -(T a, T b);

    static abstract T operator *(T a, T b);

    static abstract T operator /(T a, T b);

    /// <summary>a b + c, rounded once.</summary>
    static abstract T Fma(T a, T b, T c);

    static abstract T Sqrt(T x);

    /// <summary><c>a &gt; b ? a : b</c>: of two zeros, or where one is not a number, b.</summary>
    static abstract T Max(T a, T b);

    /// <summary><c>a &lt; b ? a : b</c>: of two zeros, or where one is not a number, b.</summary>
    static abstract T Min(T a, T b);

    /// <summary>All ones where a &gt; b, else zero.</summary>
    static abstract T GreaterThan(T a, T b);

    /// <summary>All ones where a == b, else zero.</summary>
    static abstract T EqualTo(T a, T b);

    /// <summary>All ones where a == b as integers, else zero.</summary>
    static abstract T EqualBits(T a, T b);

    /// <summary>All ones where a &gt; b as signed integers, else zero.</summary>
    static abstract T GreaterInt(T a, T b);

    /// <summary>The bits of a where the mask has ones, of b where it has zeros.</summary>
    static abstract T Select(T mask, T a, T b);

    static abstract T operator &(T a, T b);

    static abstract T operator |(T a, T b);

    static abstract T operator ^(T a, T b);

    /// <summary>a + b as integers, modulo 2^32.</summary>
    static abstract T AddInt(T a, T b);

    /// <summary>a - b as integers, modulo 2^32.</summary>
    static abstract T SubtractInt(T a, T b);

    /// <summary>a b as integers, modulo 2^32.</summary>
    static abstract T MultiplyInt(T a, T b);

    /// <summary>The upper 32 bits of a b as unsigned integers.</summary>
    static abstract T MultiplyHigh(T a, T b);

    static abstract T ShiftLeft(T x, int bits);

    /// <summary>Shifts zeros in.</summary>
    static abstract T ShiftRight(T x, int bits);

    /// <summary>Signed integers to fp32, rounded to nearest, ties to even.</summary>
    static abstract T ToSingle(T integers);

    /// <summary>
    /// Transposes four rows of four lanes, in each of the four groups of lanes [4 g, 4 g + 4): afterwards lane 4 g + j of row i is what was
    /// lane 4 g + i of row j.
    /// </summary>
    static abstract void Transpose(ref T a, ref T b, ref T c, ref T d);

    /// <summary>Lanes 2 k and 2 k + 1 change places.</summary>
    static abstract T SwapPairs(T x);

    /// <summary>x[0], x[0], x[1], x[1] ... x[7], x[7], and the same of x[8] to x[15].</summary>
    static abstract (T Lower, T Upper) Duplicate(T x);

    /// <summary>The sum of the lanes by halves: s[l] += s[l + 8], then s[l + 4], s[l + 2], s[1].</summary>
    static abstract float Fold(T x);

    /// <summary>The largest lane, by <see cref="Max"/> in the order of <see cref="Fold"/>.</summary>
    static abstract float FoldMax(T x);

    /// <summary>One lane.</summary>
    static abstract float Get(T x, int lane);
}

/// <summary>
/// Sixteen lanes of fp64 that sum what sixteen lanes of fp32 hold. Widening is exact, and so is the product of two fp32 numbers, so that
/// one rounding remains: that of the addition.
/// </summary>
internal interface IWideLanes<T, TNarrow>
    where T : struct, IWideLanes<T, TNarrow>
    where TNarrow : struct, ILanes<TNarrow>
{
    static abstract T Zero { get; }

    /// <summary>sums[l] + x[l]</summary>
    static abstract T Add(T sums, TNarrow x);

    /// <summary>sums[l] + x[l] x[l]</summary>
    static abstract T AddSquares(T sums, TNarrow x);

    /// <summary>sums[l] + x[l] y[l]</summary>
    static abstract T AddProducts(T sums, TNarrow x, TNarrow y);

    /// <summary>The sum of the lanes by halves: s[l] += s[l + 8], then s[l + 4], s[l + 2], s[1].</summary>
    static abstract double Fold(T x);
}
