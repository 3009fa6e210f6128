using Elastic.Foundation;
using Elastic.Messages;
using Elastic.Model.Training;

namespace Elastic.Host.Tests.Generation;

public sealed class TextModelTests
{
    // As the GPUs' backend throws them: in a run another attempt is made, and the others go on.
    public static TheoryData<Exception, string> Refusals => new()
    {
        { new InvalidOperationException("cuModuleGetFunction: busy", new ElasticException("busy")), "cuModuleGetFunction: busy" },
        { new DeviceFailedException(new DeviceId("held:0"), isLost: true, "held:0 is lost"), "held:0 is lost" },
        { new InsufficientMemoryException("none is left"), "there is not enough memory (none is left)" },
    };

    [Theory]
    [MemberData(nameof(Refusals))]
    public void A_device_that_cannot_be_had_is_told_in_its_own_words_and_is_no_defect(Exception why, string words)
    {
        using var model = LettersModel.Open();
        HeldDevices.Kind.Why = why;
        var refusal = Assert.Throws<ElasticException>(() => model.Open(new DeviceId("held:0"), 1));
        var (exitCode, lines) = ErrorReport.Of(refusal, "log.txt");
        Assert.Equal(ExitCodes.Failed, exitCode);
        Assert.StartsWith(words, Assert.Single(lines), StringComparison.Ordinal);
    }

    [Fact]
    public void A_defect_stays_one()
    {
        using var model = LettersModel.Open();
        HeldDevices.Kind.Why = new InvalidOperationException("Sequence contains no elements");
        Assert.Throws<InvalidOperationException>(() => model.Open(new DeviceId("held:0"), 1));
    }
}
