using Elastic.Host.Display;
using Elastic.Messages;
using Elastic.Messages.Runs;
using Elastic.Testing;

namespace Elastic.Host.Tests.Display;

public sealed class ClusterDiagramsTests : TemporaryFolder
{
    [Fact]
    public void A_run_that_moves_has_its_diagrams_and_one_that_rests_has_none()
    {
        var data = new DataDirectory(Folder);
        var diagrams = new ClusterDiagrams(data, _ => throw new NotSupportedException(), () => true, Assert.Fail);
        var resting = Views.Tiny with { Name = new RunName("rest"), RunId = new RunId("rest-3k9v2mq7") };
        for (var step = 0; step < 3; step++)
            diagrams.Write([resting, Views.Tiny with { Steps = 100 + step, TrainLoss = 2 - step }]);
        Assert.False(Directory.Exists(data.Run(resting.RunId).TensorBoard));
        var file = Assert.Single(Directory.GetFiles(data.Run(Views.Tiny.RunId).TensorBoard));
        var length = new FileInfo(file).Length;
        diagrams.Write([resting, Views.Tiny with { Steps = 102, TrainLoss = 0 }]);
        Assert.Equal(length, new FileInfo(file).Length);               // nothing new
        diagrams.Write([resting, Views.Tiny with { Steps = 103, TrainLoss = 0 }]);
        Assert.True(new FileInfo(file).Length > length);
    }

    [Theory]
    [InlineData(RunPhase.Stopped, false)]
    [InlineData(RunPhase.Computing, true)]
    public void The_file_of_a_run_that_rests_or_is_gone_is_closed_and_one_that_goes_on_gets_a_new_one(RunPhase phase, bool isGone)
    {
        var data = new DataDirectory(Folder);
        var diagrams = new ClusterDiagrams(data, _ => throw new NotSupportedException(), () => true, Assert.Fail);
        Write(Views.Tiny with { Steps = 100, TrainLoss = 2 });
        Write(Views.Tiny with { Steps = 101, TrainLoss = 1 });
        var file = Assert.Single(Directory.GetFiles(data.Run(Views.Tiny.RunId).TensorBoard));
        Assert.Throws<IOException>(() => Alone().Dispose());
        Write(isGone ? [] : [Views.Tiny with { Steps = 102, TrainLoss = 1, Phase = phase }]);
        Alone().Dispose();
        Write(Views.Tiny with { Steps = 103, TrainLoss = 1 });
        Write(Views.Tiny with { Steps = 104, TrainLoss = 1 });
        Assert.Equal(2, Directory.GetFiles(data.Run(Views.Tiny.RunId).TensorBoard).Length);

        void Write(params RunView[] views) => diagrams.Write(views);

        FileStream Alone() => new(file, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
    }
}
