using Elastic.Host.Serving;
using Elastic.Host.Tests.Generation;
using Elastic.Messages;
using Elastic.Model.Generation;

namespace Elastic.Host.Tests.Serving;

/// <summary>The devices that write, without a server before them.</summary>
public sealed class InferenceEngineTests
{
    [Fact]
    public async Task A_text_that_cannot_begin_fails_alone_and_its_device_goes_on()
    {
        var said = new List<string>();
        using var model = LettersModel.Open();
        using var engine = await InferenceEngine.StartAsync(model, [new DeviceId("cpu:0")], 1, new ServeLimits(), said.Add);
        var sampling = new SamplingSettings(1, 0, 1, 5);
        TextJob wrong = new([], 3, sampling), right = new([97], 3, sampling);
        Assert.True(engine.TrySubmit([wrong, right]));
        var failure = await Assert.ThrowsAsync<ApiException>(() => wrong.Tokens.Completion);
        Assert.Equal(500, failure.Status);
        var tokens = 0;
        await foreach (var _ in right.Tokens.ReadAllAsync(TestContext.Current.CancellationToken))
            tokens++;
        Assert.Equal(3, tokens);
        Assert.StartsWith("cpu:0 failed: the prompt is empty", Assert.Single(said), StringComparison.Ordinal);
    }
}
