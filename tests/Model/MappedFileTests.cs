using Elastic.Foundation;
using Elastic.Messages.Settings;
using Elastic.Messages.Vectors;
using Elastic.Model.Optimization;
using Elastic.Model.Training;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests;

/// <summary>Vectors in files: what is in them, who can reach them, and what is said where they cannot be.</summary>
public sealed class MappedFileTests : IDisposable
{
    private readonly string _folder = Path.Combine(Directory.CreateTempSubdirectory().FullName, "offload");

    public void Dispose() => Directory.Delete(Path.GetDirectoryName(_folder)!, true);

    [Fact]
    public unsafe void A_file_is_zeros_without_a_name_keeps_what_was_released_and_ends_with_its_vector()
    {
        const long Elements = 2 * FlatLayout.Tile;
        using var vector = new HostVector(Elements, _folder);
        Assert.Equal(new float[Elements], Samples.Values(vector));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder));
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(_folder));

        vector.CopyFrom(FlatLayout.Tile - 1, [1, 2]);
        vector.Release(0, Elements);
        vector.ReadAhead(0, Elements);
        Assert.Equal([0, 1, 2, 0], vector.Span(FlatLayout.Tile - 2, 4).ToArray());

        Assert.EndsWith("(deleted)", Assert.Single(Maps()), StringComparison.Ordinal);
        vector.Dispose();
        Assert.Empty(Maps());
        Assert.True(vector.Data is null);

        IEnumerable<string> Maps() => File.ReadLines("/proc/self/maps").Where(m => m.Contains(_folder, StringComparison.Ordinal));
    }

    [Fact]
    public void A_file_that_the_disk_has_no_room_for_is_refused_with_the_setting_and_leaves_nothing()
    {
        Directory.CreateDirectory(_folder);
        var more = 2 * new DriveInfo(_folder).AvailableFreeSpace;
        var refusal = Assert.Throws<ElasticException>(() => new HostVector(more / sizeof(float), _folder));
        Assert.StartsWith(
            $"node.offload = file: there is no room for {ByteSize.Text(more)} in {_folder}", refusal.Message, StringComparison.Ordinal);
        Assert.EndsWith("or set node.offload = none", refusal.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder));
    }

    [Fact]
    public void A_folder_that_cannot_be_made_is_refused_with_the_setting()
    {
        File.WriteAllText(_folder, "");
        Assert.StartsWith(
            "node.offload = file: no file of 256.0 KiB can be mapped in ",
            Assert.Throws<ElasticException>(() => new HostVector(FlatLayout.Tile, _folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Moments_lie_in_files_and_in_16_bits_the_parameters_too()
    {
        var optimizer = new AdamW(OptimizerSettings.Defaults);
        Assert.Equal(optimizer.Vectors, FileOffload.Of(_folder, optimizer, Precision.Fp32).Vectors);
        Assert.Equal([.. optimizer.Vectors, VectorSet.Parameters], FileOffload.Of(_folder, optimizer, Precision.Bf16).Vectors);
    }

    [Fact]
    public void A_piece_of_a_vector_keeps_the_numbers_of_its_elements()
    {
        using var piece = new HostVector(FlatLayout.Tile, 16);
        piece.CopyFrom(FlatLayout.Tile + 15, [3]);
        Assert.Equal((FlatLayout.Tile, FlatLayout.Tile + 16), (piece.First, piece.Length));
        Assert.Equal([0, 3], piece.Span(FlatLayout.Tile + 14, 2).ToArray());
        Assert.Throws<ArgumentOutOfRangeException>(() => piece.Span(FlatLayout.Tile - 1, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => piece.Span(FlatLayout.Tile + 15, 2));
    }
}
