namespace Elastic.Kernels;

/// <summary>Types of 16 bits in which numbers are kept. Arithmetic on them is in fp32.</summary>
internal enum NarrowType
{
    /// <summary>The upper half of a binary32: 8 bits of exponent, 7 of fraction.</summary>
    BFloat16,

    /// <summary>IEEE binary16: 5 bits of exponent, 10 of fraction; the largest finite number is 65,504.</summary>
    Float16,
}
