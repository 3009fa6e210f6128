using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Elastic.Model.Tests")]
[assembly: InternalsVisibleTo("Elastic.Step")]
