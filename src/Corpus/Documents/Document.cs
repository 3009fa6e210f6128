namespace Elastic.Corpus;

/// <summary>A text that is read on its own.</summary>
/// <param name="Source">The source that it counts for, e.g. "Wikipedia (en)" or the file's name.</param>
/// <param name="Name">Its name for people, e.g. "System.Runtime.xml#System.String".</param>
/// <param name="Text">Never blank.</param>
public sealed record Document(string Source, string Name, string Text);

/// <summary>Documents that are tokenized together, about 1 MiB of text.</summary>
/// <param name="Sequence">0, 1, 2, … in reading order.</param>
public sealed record DocumentBatch(long Sequence, IReadOnlyList<Document> Documents);
