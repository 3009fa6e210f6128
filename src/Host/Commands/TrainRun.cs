namespace Elastic.Host.Commands;

/// <summary>One <c>elastic train</c> from the corpus to the summary.</summary>
internal static class TrainRun
{
    public static Task<int> RunAsync(TrainRequest request, TextWriter output, TextWriter error)
    {
        using var held = new DataDirectory(request.Settings.Node.DataDir).Take();
        error.WriteLine($"error: training is not here yet; the settings of {request.Settings.Title} are fine");
        return Task.FromResult(ExitCodes.Failed);
    }
}
