using System.Runtime.InteropServices;

// The exceptions that the runtime and libtorch throw.
#pragma warning disable CA2201

namespace Elastic.Foundation.Tests;

public class OutOfMemoryTests
{
    [Theory]
    [InlineData("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.\nframe #0")]
    [InlineData("CUDA out of memory. Tried to allocate 2.00 GiB.\nException raised from malloc")]
    public void A_failed_allocation_of_libtorch_is_one_sentence_with_what_to_change(string message)
    {
        var said = OutOfMemory.Describe(new ExternalException(message));
        Assert.StartsWith("there is not enough memory (", said, StringComparison.Ordinal);
        Assert.Contains("lower batch.micro", said, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', said!);
    }

    [Fact]
    public void Other_failures_are_not_about_memory()
    {
        Assert.Null(OutOfMemory.Describe(new ExternalException("mat1 and mat2 shapes cannot be multiplied")));
        Assert.Null(OutOfMemory.Describe(new IOException("out of memory")));
        Assert.NotNull(OutOfMemory.Describe(new OutOfMemoryException()));
    }
}
