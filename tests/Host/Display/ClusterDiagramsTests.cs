using Elastic.Host.Display;
using Elastic.Messages;
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
}
