using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Elastic.Model.Tests")]
[assembly: InternalsVisibleTo("Elastic.Step")]
[assembly: InternalsVisibleTo("Elastic.Bench.System")]
[assembly: InternalsVisibleTo("Elastic.Torch")]
[assembly: InternalsVisibleTo("Elastic.Torch.Tests")]
