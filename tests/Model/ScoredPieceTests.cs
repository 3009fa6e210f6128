using Elastic.Model.Evaluation;

namespace Elastic.Model.Tests;

public class ScoredPieceTests
{
    private static readonly Messages.Settings.ModelSettings Model = Samples.Tiny();

    [Fact]
    public void Pieces_hold_all_rows_in_order_and_none_is_longer_than_it_says()
    {
        var random = new Random(3);
        ScoredRow[] rows =
        [
            .. Enumerable.Range(0, 9000).Select(_ => random.Next(2, Model.Context + 2)).Select(
                length => new ScoredRow(Enumerable.Range(0, length).ToArray(), random.Next(1, length))),
        ];
        var pieces = ScoredPiece.Cut(rows, row => row).ToList();
        Assert.InRange(pieces.Count, 4, 10);
        Assert.All(pieces, p => Assert.True(ScoredPiece.Write(p).Length <= ScoredPiece.MostBytes(Model.Context)));
        var back = pieces.SelectMany(p => ScoredPiece.Read(ScoredPiece.Write(p), Model)).ToList();
        Assert.Equal(rows.Select(r => r.Scored), back.Select(r => r.Scored));
        Assert.Equal(rows.SelectMany(r => r.Tokens.ToArray()), back.SelectMany(r => r.Tokens.ToArray()));
    }

    [Theory]
    [InlineData("row 0", 1, 1, 5)]                                       // no token before the scored one
    [InlineData("row 0", 3, 3, 5, 6, 7)]
    [InlineData("row 0", 3, 0, 5, 6, 7)]
    [InlineData("row 0", 3, 1, 5, 6)]                                    // cut short
    [InlineData("row 0", 2)]
    [InlineData("row 0", -1, 1, 5)]
    [InlineData("row 0", 2_000_000_000, 1, 5)]
    [InlineData("row 1", 2, 1, 5, 6, 2, 2, 5, 6)]
    [InlineData("the token 97 of a vocabulary of 97", 2, 1, 5, 97)]
    [InlineData("the token -1", 2, 1, 5, -1)]
    public void What_is_no_piece_of_this_model_is_refused(string complaint, params int[] numbers)
    {
        var bytes = numbers.SelectMany(BitConverter.GetBytes).ToArray();
        var refusal = Assert.Throws<InvalidDataException>(() => ScoredPiece.Read(bytes, Model));
        Assert.Contains(complaint, refusal.Message, StringComparison.Ordinal);
    }
}
