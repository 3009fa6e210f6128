namespace Elastic.Messages.Settings;

/// <summary>How training samples are cut from a corpus.</summary>
public enum SampleKind
{
    /// <summary>Documents one after the other, cut every context tokens: each token sees all that come before it in its block.</summary>
    Blocks,

    /// <summary>
    /// Documents one after the other, cut every context tokens, but no token sees another document than its own, and none is predicted from
    /// the document before it.
    /// </summary>
    Packed,

    /// <summary>One document a sample: the first context + 1 tokens of a longer one; what a shorter one lacks is not counted.</summary>
    Documents,

    /// <summary>
    /// One document with a prompt a sample: the prompt as the source that an encoder reads, the answer as the target; each is cut or filled
    /// up to the context.
    /// </summary>
    Pairs,
}
