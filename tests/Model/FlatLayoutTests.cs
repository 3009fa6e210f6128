using CsCheck;
using Elastic.Messages.Vectors;
using Elastic.Model.Networks;
using Elastic.Model.Vectors;

namespace Elastic.Model.Tests;

public class FlatLayoutTests
{
    private static readonly Gen<FlatLayout> Layouts =
        from layers in Gen.Int[1, 5]
        from heads in Gen.Int[1, 4]
        from depth in Gen.Int[1, 24]
        from context in Gen.Int[1, 40]
        from vocabulary in Gen.Int[2, 3000]
        select Architectures.LayoutOf(Samples.Model(layers, heads, heads * depth, context, vocabulary));

    [Fact]
    public void Segments_are_aligned_disjoint_and_decayed_ones_come_first()
        => Layouts.Sample(layout =>
        {
            Assert.Equal(0, layout.Length % FlatLayout.Tile);
            var decayed = layout.Groups[0];
            Assert.Equal([true, false], layout.Groups.Select(g => g.Decays));
            Assert.Equal(0, decayed.Length % FlatLayout.Tile);
            var end = 0L;
            foreach (var segment in layout.Segments)
            {
                Assert.Equal(0, segment.Offset % FlatLayout.Alignment);
                Assert.True(segment.Offset >= end);
                Assert.Equal(segment.Shape.Count == 2, segment.End <= decayed.Length);
                end = segment.End;
            }
            Assert.True(end <= layout.Length);
        });

    [Fact]
    public void Slices_of_any_number_of_devices_cover_the_vector_once()
        => Gen.Select(Layouts, Gen.Int[1, 12]).Sample((layout, devices) =>
        {
            var next = 0L;
            foreach (var slice in Slice.Split(layout, devices))
            {
                Assert.Equal(next, slice.First);
                next += slice.Count;
            }
            Assert.Equal(layout.Length, next);
        });

    [Fact]
    public void Chunks_cover_the_vector_once_and_the_last_may_be_short()
    {
        var layout = Architectures.LayoutOf(Samples.Model(12, 12, 768, 1024, 50257));
        Assert.Equal(layout.Length, Enumerable.Range(0, layout.Chunks).Sum(i => (long)layout.Chunk(i).Count));
        Assert.All(Enumerable.Range(0, layout.Chunks - 1), i => Assert.Equal(VectorManifest.ChunkElements, layout.Chunk(i).Count));
        Assert.Throws<ArgumentOutOfRangeException>(() => layout.Chunk(layout.Chunks));
    }

    [Fact]
    public void Gpt2_small_has_the_124_million_parameters_that_it_is_known_for()
    {
        var model = Samples.Model(12, 12, 768, 1024, 50257);
        Assert.Equal(124_439_808, Architectures.LayoutOf(model).Segments.Sum(s => s.Count));
    }

    [Fact]
    public void The_parameters_are_known_from_the_settings_before_anything_is_made_for_them()
    {
        foreach (var model in new[]
            { Samples.Model(12, 12, 768, 1024, 50257), Samples.Model(1, 1, 8, 4, 257), Samples.Model(3, 2, 6, 40, 2999) })
        {
            // The layout aligns its segments, and holds the rows that pad the vocabulary.
            var (made, known) = (Architectures.LayoutOf(model).Segments.Sum(s => s.Count), model.Parameters);
            Assert.InRange(known, made, made + 64.0 * model.Width);
        }
    }
}
